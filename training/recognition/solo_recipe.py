"""The recipe of solo recognition: a frozen dataclass read from TOML, `training/configs/recognition/solo.toml` by default.

Segal 2016: Adam at 1e-4, batches of 64. What is added: effects, so that it works on recordings, and a choice by validation.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from models.recognition.solo import SoloConfig
from training.config import MelEffectsConfig, OptimizerConfig
from training.effects.config import ChainConfig

SOLO_RECIPE = Path("recognition/solo")


@dataclass(frozen=True)
class SoloRecipe:
    """Everything that defines a run except its data; the families of `network` come from the data.

    `effects` are drawn once for every clip, `mel_effects` for every piece. `validation_clips` of each validation instrument
    are heard every `validate_every` steps.
    """

    steps: int
    batch_size: int
    seed: int = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    log_every: int = 50
    save_every_seconds: float = 120.0
    validate_every: int = 250
    clips_per_instrument: int = 12
    validation_clips: int = 4
    label_smoothing: float = 0.05
    network: SoloConfig = field(default_factory=SoloConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    mel_effects: MelEffectsConfig = field(default_factory=MelEffectsConfig)
    effects: ChainConfig = field(default_factory=ChainConfig)

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "validate_every", "clips_per_instrument", "validation_clips"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")

    @property
    def examples(self) -> int:
        """Return the budget: the number of pieces that the network hears."""
        return self.steps * self.batch_size

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "SoloRecipe":
        """Build from plain values, as `LoopRecipe` says."""
        values = dict(values)
        return cls(
            network=SoloConfig.from_dict(values.pop("network", {})),
            optimizer=OptimizerConfig(**values.pop("optimizer", {})),
            mel_effects=MelEffectsConfig(**values.pop("mel_effects", {})),
            effects=ChainConfig.from_dict(values.pop("effects", {})),
            **values,
        )
