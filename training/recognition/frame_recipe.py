"""The recipe of frame-level recognition, and the networks of the published table.

`training/configs/recognition/frame_level.toml` is the default. Hung & Yang 2018, table 2: networks without pitch, with true and
with estimated pitches, by the order of the harmonic series. HSF-0 with estimated pitches is the paper's "CQT+Pitch (C)"; HSF-0
with true ones stands in no row of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from models.recognition.frame_level import FrameLevelConfig
from models.recognition.harmonic_series import MAX_ORDER
from training.recognition.frame_variation import VariationConfig
from training.recognition.recipe import Build, RecogniserRecipe

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


@dataclass(frozen=True, kw_only=True)
class FrameRecipe(RecogniserRecipe):
    """Everything that defines a run except its data. An epoch is as many segments as the training recordings hold.

    `steps` is set from `epochs` and the data. Positive classes weigh (silent frames / sounding frames) ^ `balance`.
    """

    SECTIONS: ClassVar[Mapping[str, Build]] = {
        **RecogniserRecipe.SECTIONS,
        "network": FrameLevelConfig.from_dict,
        "variation": lambda values: VariationConfig(**values),
    }
    COUNTS: ClassVar[tuple[str, ...]] = (*RecogniserRecipe.COUNTS, "epochs")

    epochs: int
    steps: int = 1
    log_every: int = 100
    validate_every: int = 1000
    balance: float = 0.3
    network: FrameLevelConfig = field(default_factory=FrameLevelConfig)
    variation: VariationConfig = field(default_factory=VariationConfig)
