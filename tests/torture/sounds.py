"""Instruments that enrol quickly and differ: a harmonic tone with noise, drawn from a number, in two pitches."""

import numpy as np

from index.sources.base import Floats
from index.sources.ids import slug

PREVIEW_RATE = 8000  # hz
PARTIALS = 8


class DrawnInstrument:
    """An instrument of two clips whose sound is drawn from `number`."""

    source = "drawn"
    licence: str | None = None
    playable_range: tuple[int, int] | None = None
    faults: tuple[tuple[str, str], ...] = ()

    def __init__(self, name: str, number: int, family: str | None = None) -> None:
        self.id = slug(name)
        self.name = name
        self.family = family
        self._number = number

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        return np.stack([drawn_sound(self._number, ratio, clip_samples, sample_rate) for ratio in (1.0, 1.5)])

    def preview(self) -> tuple[Floats, int]:
        return drawn_sound(self._number, 1.0, PREVIEW_RATE // 4, PREVIEW_RATE), PREVIEW_RATE


def drawn_sound(number: int, ratio: float, samples: int, sample_rate: int) -> Floats:
    """Return the sound `[samples]` of a number, `ratio` times as high."""
    rng = np.random.default_rng(number)
    at = np.arange(samples) / sample_rate
    hz, levels = rng.uniform(60, 1500) * ratio, rng.uniform(0, 1, PARTIALS)
    wave = sum(level * np.sin(2 * np.pi * hz * (n + 1) * at) for n, level in enumerate(levels))
    wave = wave + rng.uniform(0, 1) * rng.standard_normal(samples)
    fading = np.exp(-rng.uniform(0, 4) * at)
    return np.asarray(0.3 * fading * wave / np.abs(wave).max(), np.float32)
