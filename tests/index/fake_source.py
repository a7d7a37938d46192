"""A source of synthetic instruments with short clips and previews, for tests that enrol often.

It implements the protocols of `index.sources.base`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index.sources.base import Floats
from index.sources.ids import slug
from models.errors import SourceError

PREVIEW_SAMPLE_RATE = 8000


class FakeInstrument:
    """A sine with two clips; with `hz` None it is silent, and without `has_preview` it has no preview."""

    source = "fake"
    licence: str | None = None
    playable_range: tuple[int, int] | None = None
    faults: tuple[tuple[str, str], ...] = ()

    def __init__(
        self, name: str, hz: float | None = 300.0, *, family: str | None = None, has_preview: bool = True
    ) -> None:
        self.id = slug(name)
        self.name = name
        self.family = family
        self._hz = hz
        self._has_preview = has_preview

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        if self._hz is None:
            raise SourceError(f"{self.name} is silent")
        return np.stack([self._tone(self._hz * ratio, clip_samples, sample_rate) for ratio in (1.0, 1.5)])

    def preview(self) -> tuple[Floats, int]:
        if not self._has_preview or self._hz is None:
            raise SourceError("nothing to play")
        return self._tone(self._hz, PREVIEW_SAMPLE_RATE // 10, PREVIEW_SAMPLE_RATE), PREVIEW_SAMPLE_RATE

    @staticmethod
    def _tone(hz: float, samples: int, sample_rate: int) -> Floats:
        return (0.3 * np.sin(2 * np.pi * hz * np.arange(samples) / sample_rate)).astype(np.float32)


class FakeSource:
    """A source of the given fake instruments, in order."""

    name = "fakes"
    files: tuple[Path, ...] = ()

    def __init__(self, *instruments: FakeInstrument, faults: tuple[tuple[str, str], ...] = ()) -> None:
        self._instruments = instruments
        self.faults = faults

    def get(self, key: str) -> FakeInstrument:
        for instrument in self._instruments:
            if instrument.id == key:
                return instrument
        raise SourceError(f"no instrument {key}", value=key)

    def __len__(self) -> int:
        return len(self._instruments)

    def __iter__(self) -> Iterator[FakeInstrument]:
        return iter(self._instruments)
