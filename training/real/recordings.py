"""Recorded performances as instruments: a voice, a solo, a loop or a noise, of which clips are cut at random.

No notes can be played on them. A short recording is struck again after a pause, as a producer would loop it.
"""

from collections.abc import Sequence
from typing import Protocol, TypeGuard

import numpy as np

from index.sources.base import Floats, SourceInstrument, finish_preview
from index.sources.sampled import InstrumentIdentity
from models.errors import SourceError
from training.real.decoding import Read, RowDecoder
from training.real.rows import RecordingRow

MAX_PAUSE_SECONDS = 0.4  # between recordings that are shorter than a clip
LEAST_SECONDS = 0.05  # shorter recordings are left out
MAX_DRAWS = 20
MIN_RMS = 1e-3  # of an excerpt, of recordings whose peaks are near full scale


class Excerpted(SourceInstrument, Protocol):
    """An instrument that plays no notes, but of which random excerpts can be cut."""

    @property
    def longest_seconds(self) -> float:
        """The length of the longest recording, as its index says."""
        ...

    def excerpt(
        self, generator: np.random.Generator, seconds: float, sample_rate: int, *, after_seconds: float = 0.0
    ) -> Floats:
        """Mono samples `[seconds · sample_rate]` that sound; the first `after_seconds` of every recording are left out.

        Raises SourceError if no recording is usable.
        """
        ...


class RecordedSound:
    """The recordings of one voice, solo, loop or noise; each is decoded once."""

    playable_range = None

    def __init__(self, identity: InstrumentIdentity, rows: Sequence[RecordingRow], read: Read) -> None:
        """`read` returns the mono samples and the rate of a row; it raises SourceError for an unusable file."""
        self.identity = identity
        self.id, self.name, self.family = identity.id, identity.name, identity.family
        self.source, self.licence, self.part = identity.source, identity.licence, identity.part
        self._rows, self._decode = tuple(rows), RowDecoder(read)
        self._decoded: dict[int, list[Floats]] = {}  # by sample rate

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Unusable recordings; complete once one of them has been cut."""
        return self._decode.faults

    @property
    def longest_seconds(self) -> float:
        """The length of the longest recording, as its index says."""
        return max(row.seconds for row in self._rows)

    def excerpt(
        self, generator: np.random.Generator, seconds: float, sample_rate: int, *, after_seconds: float = 0.0
    ) -> Floats:
        """A random excerpt that sounds; longer recordings are drawn more often.

        The first `after_seconds` of every recording are left out. Raises SourceError if no recording is usable.
        """
        whole, begin = self._recordings(sample_rate), round(after_seconds * sample_rate)
        recordings = [samples[begin:] for samples in whole if len(samples) > begin]
        if not recordings:
            longest = max(map(len, whole)) / sample_rate
            message = f"no recording of {self.id} is longer than {after_seconds:g} s"
            raise SourceError(message, value=longest, limit=after_seconds)
        length = round(seconds * sample_rate)
        sizes = np.array([len(samples) for samples in recordings], np.float64)
        for _ in range(MAX_DRAWS):
            cut = self._cut(generator, recordings, sizes / sizes.sum(), length, sample_rate)
            if float(np.sqrt(np.mean(cut**2))) >= MIN_RMS:
                return cut
        raise SourceError(f"{self.id} is silent in {MAX_DRAWS} excerpts", value=self.id, limit=MIN_RMS)

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """The recordings from their start, cut or repeated: `[n ≥ 1, clip_samples]`. Raises SourceError if none is usable."""
        return np.stack([np.resize(samples, clip_samples) for samples in self._recordings(sample_rate)])

    def preview(self) -> tuple[Floats, int]:
        """The first six seconds of the first recording. Raises SourceError if none is usable."""
        rate = 44_100
        return finish_preview(self._recordings(rate)[0], rate), rate

    def _cut(
        self,
        generator: np.random.Generator,
        recordings: Sequence[Floats],
        share: np.ndarray,
        length: int,
        sample_rate: int,
    ) -> Floats:
        first = recordings[int(generator.choice(len(recordings), p=share))]
        if len(first) >= length:
            start = int(generator.integers(len(first) - length + 1))
            return first[start : start + length].copy()
        out, begin = np.zeros(length, np.float32), int(generator.uniform(0, 0.25) * sample_rate)
        pause = int(generator.uniform(0, MAX_PAUSE_SECONDS) * sample_rate)
        while begin < length:
            part = first[: length - begin]
            out[begin : begin + len(part)] = part
            begin += len(part) + pause
        return out

    def _recordings(self, sample_rate: int) -> list[Floats]:
        if sample_rate not in self._decoded:
            decoded = (self._decode(row, sample_rate) for row in self._rows)
            self._decoded[sample_rate] = [
                found for found in decoded if len(found) >= LEAST_SECONDS * sample_rate
            ]
        if not self._decoded[sample_rate]:
            reasons = "; ".join(f"{file}: {why}" for file, why in self.faults[:3])
            raise SourceError(f"no recording of {self.id} is usable ({reasons})", value=self.id)
        return self._decoded[sample_rate]


def is_excerpted(instrument: SourceInstrument) -> TypeGuard[Excerpted]:
    """Whether random excerpts can be cut of the instrument."""
    return hasattr(instrument, "excerpt")
