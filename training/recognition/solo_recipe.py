"""The recipe of solo recognition, `training/configs/recognition/solo.toml` by default.

Segal 2016: Adam at 1e-4, batches of 64. What is added: effects, so that it works on recordings, and a choice by validation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from models.recognition.solo import SoloConfig
from training.config import MelEffectsConfig
from training.effects.config import ChainConfig
from training.recognition.recipe import Build, RecogniserRecipe

SOLO_RECIPE = Path("recognition/solo")


@dataclass(frozen=True, kw_only=True)
class SoloRecipe(RecogniserRecipe):
    """Everything that defines a run except its data; the families of `network` come from the data.

    `effects` are drawn once for every clip, `mel_effects` for every piece. `validation_clips` of each validation instrument
    are heard every `validate_every` steps.
    """

    SECTIONS: ClassVar[Mapping[str, Build]] = {
        **RecogniserRecipe.SECTIONS,
        "network": SoloConfig.from_dict,
        "mel_effects": lambda values: MelEffectsConfig(**values),
        "effects": ChainConfig.from_dict,
    }
    COUNTS: ClassVar[tuple[str, ...]] = (*RecogniserRecipe.COUNTS, "clips_per_instrument", "validation_clips")

    clips_per_instrument: int = 12
    validation_clips: int = 4
    label_smoothing: float = 0.05
    network: SoloConfig = field(default_factory=SoloConfig)
    mel_effects: MelEffectsConfig = field(default_factory=MelEffectsConfig)
    effects: ChainConfig = field(default_factory=ChainConfig)
