"""Renders productions: sections of multi-track MIDI with drums, performed, mixed and mastered.

A production depends on (seed, split, number) alone. Its stems are the parts as they are heard in the master; they sum to it.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import TrainingError
from training.midi import DRUM
from training.nlakh.dataset import Fault
from training.nlakh.instrument_selection import InstrumentCollection, instrument_faults, is_audible
from training.nlakh.rendered import RenderedItem, Stem
from training.nlakh.single import MAX_DRAWS
from training.nlakh.spec import MIN_PARTS, PlannedUnit, RenderPlan
from training.productions.arrangement import Cast, ProductionBook, VoicePart
from training.productions.mixdown import VOICE, Studio
from training.productions.performance import perform
from training.productions.truth import sounding_spans, total_seconds

LEAST_SECONDS = 1.5  # that a part sounds: a single stroke is left out


class ProductionRenderer:
    """Renders units of productions. `books` holds each split's sections.

    `faults` are those of the last unit's instruments, as far as they were played.
    """

    def __init__(
        self, plan: RenderPlan, collection: InstrumentCollection, books: dict[str, ProductionBook]
    ) -> None:
        self._plan, self._collection, self._books = plan, collection, books
        self._studio = Studio(plan.spec.sample_rate)
        self.faults: set[Fault] = set()

    def render(self, unit: PlannedUnit) -> Iterator[RenderedItem]:
        """The productions of a unit, in order, played by one cast."""
        cast = Cast(self._plan, self._collection, unit)
        with one_thread():
            for number in range(unit.first + 1, unit.first + unit.count + 1):
                yield RenderedItem(number, self._stems(unit.split, number, cast))
        self.faults = {fault for instrument in cast.opened() for fault in instrument_faults(instrument)}

    def _stems(self, split: str, number: int, cast: Cast) -> tuple[Stem, ...]:
        """The stems of a production, by instrument number; sections with too few parts that sound are drawn again."""
        spec = self._plan.spec
        generator = np.random.default_rng([spec.seed, zlib.crc32(split.encode()), number])
        for _ in range(MAX_DRAWS):
            parts = cast.arrange(generator, self._books[split].section(generator))
            if len(parts) < MIN_PARTS:
                continue
            played = [
                (part, performance.samples)
                for part in sorted(parts, key=lambda part: part.number)
                if (performance := perform(part, generator, spec.clip_seconds, spec.sample_rate)) is not None
                and is_heard(performance.samples, spec.sample_rate)
            ]
            kinds = [VOICE if isinstance(part, VoicePart) else part.instrument.family for part, _ in played]
            if len(played) >= MIN_PARTS and DRUM in kinds:
                stems = self._studio.mix(kinds, [samples for _, samples in played], generator)
                return tuple(
                    Stem(part.number, samples) for (part, _), samples in zip(played, stems, strict=True)
                )
        raise TrainingError(
            f"production {number} of {split} found no section of {MAX_DRAWS} with {MIN_PARTS} parts that its "
            "instruments can play: give more instruments or MIDI files",
            value=number,
            limit=MIN_PARTS,
        )


def is_heard(samples: NDArray[np.float32], sample_rate: int) -> bool:
    """Whether a part `[samples]` sounds long enough to belong to a production."""
    return is_audible(samples) and total_seconds(sounding_spans(samples, sample_rate)) >= LEAST_SECONDS


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch in one thread, so that sums are added in one order whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
