"""Renderers of both kinds of Nlakh over any notes and MIDI, as in `showme data render`, but without writing files.

No manifest applies: every playable instrument takes part, except drum kits.
"""

from collections.abc import Iterator
from pathlib import Path

from index.sources.base import is_playable
from training.midi import MidiCollection
from training.nlakh.casting import Library
from training.nlakh.dataset import TRAIN, DatasetInstrument, Kind
from training.nlakh.multi import MultiRenderer
from training.nlakh.plan import Plan, Request
from training.nlakh.single import SingleRenderer
from training.nlakh.takes import Take
from training.phrases import PhraseBook
from training.sections import SectionBook

SEED = 1
MAX_INSTRUMENTS = 9  # in a mixture


class OpenRenderer:
    """A plan over a library and its renderer; `takes` are what is measured."""

    def __init__(
        self, kind: Kind, library: Library, midi: Path, count: int, most_instruments: int | None = None
    ) -> None:
        """Plan `count` clips of each of at most `most_instruments`, spread over the library, or `count` mixtures."""
        request = Request(
            kind=kind,
            layout="compact",
            seed=SEED,
            counts=((TRAIN, count),),
            max_instruments=MAX_INSTRUMENTS,
            level_range_db=6.0,
            drums=False,
            phrases="midi",
            sources=(),
            manifest="",
            midi="",
        )
        self.plan = Plan(request, _rows(library, most_instruments), ())
        collection = MidiCollection.read(midi)
        self._renderer: SingleRenderer | MultiRenderer = (
            SingleRenderer(self.plan, library, {TRAIN: PhraseBook(collection)})
            if kind == "single"
            else MultiRenderer(self.plan, library, {TRAIN: SectionBook(collection)})
        )

    def takes(self) -> Iterator[Take]:
        """Every clip or mixture of the plan."""
        for job in self.plan.jobs():
            yield from self._renderer.takes(job)


def _rows(library: Library, most: int | None) -> tuple[DatasetInstrument, ...]:
    melodic = [item for item in library if is_playable(item) and item.family != "drum"]
    step = -(-len(melodic) // most) if most else 1
    return tuple(
        DatasetInstrument(number, item.id, item.name, item.family, item.source, TRAIN)
        for number, item in enumerate(melodic[::step], 1)
    )
