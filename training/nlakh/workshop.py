"""What a rendering process has open: the instruments, the MIDI, and the renderer of a plan.

Each worker opens its own; decoded audio is dropped when an instrument is done with, so memory does not grow with the clips.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from training.midi import MidiCollection
from training.nlakh.casting import Library, why_mute
from training.nlakh.dataset import TRAIN
from training.nlakh.layouts import Written, write_unit
from training.nlakh.multi import MultiRenderer
from training.nlakh.plan import Job, Plan
from training.nlakh.single import SingleRenderer
from training.nlakh.takes import Take
from training.phrases import PhraseBook
from training.sections import SectionBook

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # a worker is one thread

Checked = tuple[str, str | None, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Materials:
    """Where the notes and the MIDI files lie, and where parsed MIDI is kept."""

    notes: tuple[Path, ...]
    midi: Path | None
    midi_cache: Path | None


class Workshop:
    """Opens the materials once; checks instruments, and renders units of a plan."""

    def __init__(self, materials: Materials, plan: Plan | None = None) -> None:
        self.library = Library(materials.notes)
        self._midi = (
            MidiCollection.read(materials.midi, cache=materials.midi_cache) if materials.midi else None
        )
        self._plan = plan
        self._renderer = self._open_renderer(plan) if plan else None

    def _open_renderer(self, plan: Plan) -> "SingleRenderer | MultiRenderer":
        midi, drums = self._midi, plan.request.drums
        if plan.request.kind == "single":
            sides = {split: midi_side(midi, split) if midi else None for split in plan.request.splits}
            books = {split: PhraseBook(side, drums=drums) if side else None for split, side in sides.items()}
            return SingleRenderer(plan, self.library, books)
        assert midi is not None  # a request of Nlakh-multi without MIDI cannot be
        sections = {split: SectionBook(midi_side(midi, split), drums=drums) for split in plan.request.splits}
        return MultiRenderer(plan, self.library, sections)

    def check(self, key: str) -> Checked:
        """Whether an instrument can be rendered: its id, the reason if not, and what of it cannot be used."""
        instrument = self.library.load(key)
        return key, why_mute(instrument), instrument.faults

    def takes(self, job: Job) -> Iterator[Take]:
        assert self._renderer is not None
        return self._renderer.takes(job)

    def render(self, folder: Path, job: Job, done: Callable[[], None]) -> Written:
        """Render one unit into its place; `done` hears of each take."""
        assert self._plan is not None
        return write_unit(self._plan.request, folder, job, self.takes(job), done)


def midi_side(midi: MidiCollection, split: str) -> MidiCollection:
    """The MIDI files of a split: training has nine of ten, the held-out splits share the rest; all, if none is held out."""
    held = midi.part(held=True)
    return midi.part(held=split != TRAIN) if len(held.spans) else midi


def limit_threads() -> None:
    """Keep every library of this process, and of those it starts, to one thread."""
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
