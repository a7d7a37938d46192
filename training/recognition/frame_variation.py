"""Varies what frame-level recognition learns from, so that the training instruments stand for more than themselves.

A segment is transposed, passed through a smooth equaliser and made quieter, in the constant-Q domain, where all three cost next
to nothing. Hung & Yang 2018 vary nothing; they train on the recordings of real ensembles, we on few instruments.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from models.recognition.constant_q import NUM_BINS
from models.recognition.frame_level import RANGE_DB

CURVES = 4  # cosines along the bins that an equaliser is made of


@dataclass(frozen=True)
class VariationConfig:
    """The most by which a segment is transposed and made quieter, and the deviation of its equaliser's gains; 0 for none."""

    semitones: int = 0
    equaliser_db: float = 0.0
    quieter_db: float = 0.0

    def __post_init__(self) -> None:
        limits = {"semitones": 12, "equaliser_db": 24.0, "quieter_db": 60.0}
        for name, limit in limits.items():
            value = getattr(self, name)
            if not 0 <= value <= limit:
                raise ValueError(f"variation.{name} is {value}; it must lie in 0…{limit:g}")

    def any(self) -> bool:
        return self != VariationConfig()


def varied(
    level: Tensor, pitch: Tensor | None, config: VariationConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Vary levels and pitch maps, `[batch, 88, frames]` each, every segment by draws of its own. Silence stays silent."""
    if not config.any():
        return level, pitch
    number = len(level)
    steps = torch.randint(-config.semitones, config.semitones + 1, (number,), generator=generator)
    gains = _equalisers(number, generator) * config.equaliser_db
    gains -= torch.rand((number, 1), generator=generator) * config.quieter_db
    level = transposed(level, steps)
    level = torch.where(level > 0, (level + gains[..., None] / RANGE_DB).clamp(0, 1), 0.0)
    return level, None if pitch is None else transposed(pitch, steps)


def transposed(maps: Tensor, steps: Tensor) -> Tensor:
    """Move the bins of `maps [batch, 88, frames]` up by `steps [batch]` semitones; what enters at the other end is 0."""
    source = torch.arange(NUM_BINS) - steps[:, None]  # [batch, bins]
    inside = (source >= 0) & (source < NUM_BINS)
    moved = maps.gather(1, source.clamp(0, NUM_BINS - 1)[..., None].expand_as(maps))
    return moved * inside[..., None]


def _equalisers(number: int, generator: torch.Generator) -> Tensor:
    """Smooth curves over the bins, `[number, 88]`, whose deviation over all draws and bins is 1."""
    place = (torch.arange(NUM_BINS) + 0.5) / NUM_BINS
    cosines = torch.cos(math.pi * torch.arange(1, CURVES + 1)[:, None] * place)  # [curves, bins]
    return torch.randn((number, CURVES), generator=generator) @ cosines * math.sqrt(2 / CURVES)
