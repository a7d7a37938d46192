"""One rendered item (a clip of one instrument, or a mixture of several) and the record of a finished unit of them.

Section 4 of Kim et al. 2022, figure 3: five seconds, as int16 samples, so that stems sum to their mixture exactly.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.dataset import Fault, Unit
from training.productions.truth import Spans, sounding_spans

Samples = NDArray[np.int16]


class Stem(NamedTuple):
    """One instrument's number and its int16 samples [clip_samples]."""

    instrument: int
    samples: Samples


class RenderedItem(NamedTuple):
    """A clip (one stem) or a mixture (several); `number` counts from 1 within the instrument or the split."""

    number: int
    stems: tuple[Stem, ...]


def mix(stems: Sequence[Stem]) -> Samples:
    """The exact sum of the stems, int16 [clip_samples]. Raises TrainingError when it leaves the range of 16 bits."""
    total: NDArray[np.int32] = np.stack([stem.samples for stem in stems]).sum(axis=0, dtype=np.int32)
    peak = int(np.abs(total).max(initial=0))
    if peak > 32767:
        raise TrainingError("the stems sum to more than full scale", value=peak, limit=32767)
    return total.astype(np.int16)


class Checksum:
    """The sha256 of a unit: its samples in order, each mixture's preceded by its instrument numbers."""

    def __init__(self, is_multi: bool) -> None:
        self._is_multi, self._digest = is_multi, hashlib.sha256()

    def add(self, instruments: Sequence[int], samples: Sequence[Samples]) -> None:
        """Append an item: the numbers of its instruments and its int16 samples, of any shape."""
        if self._is_multi:
            self._digest.update(np.array([len(instruments), *instruments], "<i4").data)
        for stem in samples:
            self._digest.update(stem.astype("<i2", copy=False).data)

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


@dataclass(frozen=True)
class UnitRecord:
    """A finished unit, the instruments of each of its mixtures (Nlakh-multi only), and the faults found in playing.

    `spans` tell of productions when each of these instruments sounds.
    """

    unit: Unit
    mixtures: tuple[tuple[int, ...], ...] = ()
    faults: tuple[Fault, ...] = ()
    spans: tuple[tuple[Spans, ...], ...] = ()


class UnitTally:
    """Collects the record of a unit while it is rendered; with `span_rate`, a sample rate, also when each stem sounds."""

    def __init__(self, place: str, is_multi: bool, span_rate: int | None = None) -> None:
        self._place, self._is_multi, self._span_rate = place, is_multi, span_rate
        self._checksum, self.num_stems = Checksum(is_multi), 0
        self._mixtures: list[tuple[int, ...]] = []
        self._spans: list[tuple[Spans, ...]] = []

    def add(self, item: RenderedItem) -> None:
        instruments = tuple(stem.instrument for stem in item.stems)
        self._checksum.add(instruments, [stem.samples for stem in item.stems])
        self.num_stems += len(item.stems)
        if self._is_multi:
            self._mixtures.append(instruments)
        if self._span_rate is not None:
            self._spans.append(tuple(sounding_spans(stem.samples, self._span_rate) for stem in item.stems))

    def record(self) -> UnitRecord:
        unit = Unit(self._place, self.num_stems, self._checksum.hexdigest())
        return UnitRecord(unit, tuple(self._mixtures), spans=tuple(self._spans))
