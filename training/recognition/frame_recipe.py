"""The recipe of frame-level recognition, and the networks of the published table.

`training/configs/recognition/frame_level.toml` is the default. Hung & Yang 2018, table 2: networks without pitch, with true and
with estimated pitches, by the order of the harmonic series. HSF-0 with estimated pitches is the paper's "CQT+Pitch (C)"; HSF-0
with true ones stands in no row of it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from models.recognition.frame_level import FrameLevelConfig
from models.recognition.harmonic_series import MAX_ORDER
from training.config import OptimizerConfig

FRAME_RECIPE = Path("recognition/frame_level")
ORDERS = range(MAX_ORDER + 1)

# Name of each network → the fields of its FrameLevelConfig.
NETWORKS: dict[str, dict[str, Any]] = {
    "baseline": {"architecture": "baseline", "pitch": "none", "source": "none"},
    "cqt": {"pitch": "none", "source": "none"},
    **{f"hsf-{order}-true": {"source": "true", "order": order} for order in ORDERS},
    **{f"hsf-{order}-estimated": {"source": "estimated", "order": order} for order in ORDERS},
    "pitch-f": {"pitch": "bins", "source": "estimated"},
}


@dataclass(frozen=True)
class FrameRecipe:
    """Everything that defines a run except its data. An epoch is as many segments as the training recordings hold.

    `steps` is set from `epochs` and the data. Positive classes weigh (silent frames / sounding frames) ^ `balance`.
    """

    epochs: int
    batch_size: int
    steps: int = 1
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    log_every: int = 100
    save_every_seconds: float = 120.0
    validate_every: int = 1000
    balance: float = 0.3
    network: FrameLevelConfig = field(default_factory=FrameLevelConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "steps", "validate_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @property
    def examples(self) -> int:
        """The budget: the number of segments that the network hears."""
        return self.steps * self.batch_size

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FrameRecipe":
        """Build from plain values, as `LoopRecipe` says."""
        values = dict(values)
        return cls(
            network=FrameLevelConfig.from_dict(values.pop("network", {})),
            optimizer=OptimizerConfig(**values.pop("optimizer", {})),
            **values,
        )
