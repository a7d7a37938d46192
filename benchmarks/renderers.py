"""Renderers of both kinds of Nlakh over any notes and MIDI, as in `showme data render`, but without writing files.

No manifest applies: every playable instrument takes part, except drum kits.
"""

from collections.abc import Iterator
from pathlib import Path

from index.sources.base import is_playable
from training.midi import MidiCollection
from training.nlakh.dataset import TRAIN, DatasetInstrument, Kind
from training.nlakh.instrument_selection import InstrumentCollection
from training.nlakh.multi import MultiRenderer
from training.nlakh.rendered import RenderedItem
from training.nlakh.single import SingleRenderer
from training.nlakh.spec import RenderPlan, RenderSpec
from training.phrases import PhraseBook
from training.sections import SectionBook

SEED = 1
MAX_INSTRUMENTS = 9  # in a mixture


class OpenRenderer:
    """A plan over a library and its renderer; `items` are measured."""

    def __init__(
        self,
        kind: Kind,
        library: InstrumentCollection,
        midi: Path,
        count: int,
        most_instruments: int | None = None,
    ) -> None:
        """Plan `count` clips of each of at most `most_instruments`, spread over the library, or `count` mixtures."""
        spec = RenderSpec(
            kind=kind,
            layout="compact",
            seed=SEED,
            counts=((TRAIN, count),),
            max_instruments=MAX_INSTRUMENTS,
            midi="",
        )
        self.plan = RenderPlan(spec, _rows(library, most_instruments))
        collection = MidiCollection.read(midi)
        self._renderer: SingleRenderer | MultiRenderer = (
            SingleRenderer(self.plan, library, {TRAIN: PhraseBook(collection)})
            if kind == "single"
            else MultiRenderer(self.plan, library, {TRAIN: SectionBook(collection)})
        )

    def items(self) -> Iterator[RenderedItem]:
        """Every clip or mixture of the plan."""
        for unit in self.plan.units():
            yield from self._renderer.render(unit)


def _rows(library: InstrumentCollection, most: int | None) -> tuple[DatasetInstrument, ...]:
    melodic = [item for item in library if is_playable(item) and item.family != "drum"]
    step = -(-len(melodic) // most) if most else 1
    return tuple(
        DatasetInstrument(number, item.id, item.name, item.family, item.source, TRAIN)
        for number, item in enumerate(melodic[::step], 1)
    )
