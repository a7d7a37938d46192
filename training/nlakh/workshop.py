"""What a rendering process has open: the instruments, the MIDI, and the renderer of a plan.

Each worker opens its own; decoded audio is dropped when an instrument is done with, so memory does not grow with the clips.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from index.sources.nsynth import Missing
from models.errors import TrainingError
from training.midi import MidiCollection
from training.nlakh.casting import Checked, Library, parts_left_out, why_mute
from training.nlakh.dataset import TRAIN
from training.nlakh.layouts import Written, write_unit
from training.nlakh.multi import MultiRenderer
from training.nlakh.plan import Job, Plan
from training.nlakh.single import SingleRenderer
from training.phrases import PhraseBook
from training.sections import SectionBook

THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # a worker is one thread


@dataclass(frozen=True)
class Materials:
    """Where the notes and the MIDI files lie, and where parsed MIDI is kept."""

    notes: tuple[Path, ...]
    midi: Path | None
    midi_cache: Path | None
    missing: Missing = "nearest"


class Workshop:
    """Opens the materials once; checks instruments, and renders units of a plan."""

    def __init__(self, materials: Materials, plan: Plan | None = None) -> None:
        self.library = Library(materials.notes, materials.missing)
        self._midi = (
            MidiCollection.read(materials.midi, cache=materials.midi_cache) if materials.midi else None
        )
        self._plan = plan
        self._renderer = self._open_renderer(plan) if plan else None

    def _open_renderer(self, plan: Plan) -> "SingleRenderer | MultiRenderer":
        midi, drums = self._midi, plan.request.drums
        if plan.request.kind == "single":
            books = {
                split: PhraseBook(midi_side(midi, split), drums=drums) if midi else None
                for split in plan.request.splits
            }
            for split, book in books.items():
                _check_some(book is None or book.num_tracks, split, "phrase of three notes")
            return SingleRenderer(plan, self.library, books)
        assert midi is not None  # an order of Nlakh-multi without MIDI cannot be
        sections = {split: SectionBook(midi_side(midi, split), drums=drums) for split in plan.request.splits}
        for split, found in sections.items():
            _check_some(found.num_sections, split, "section of two tracks")
        return MultiRenderer(plan, self.library, sections)

    def check(self, key: str) -> Checked:
        """Whether an instrument can be rendered: its id, the reason if not, and what of it cannot be used."""
        instrument = self.library.load(key)
        return key, why_mute(instrument), parts_left_out(instrument)

    def render(self, folder: Path, job: Job, done: Callable[[], None]) -> Written:
        """Render one unit into its place; `done` hears of each take."""
        assert self._plan is not None
        assert self._renderer is not None
        written = write_unit(self._plan.request, folder, job, self._renderer.takes(job), done)
        return replace(written, faults=tuple(sorted(self._renderer.faults)))


def _check_some(found: int, split: str, what: str) -> None:
    """Raises TrainingError when the MIDI files of a split hold nothing to play: better at once than after other splits."""
    if not found:
        raise TrainingError(f"the MIDI files of the split {split} hold no {what}: give more", value=split)


def midi_side(midi: MidiCollection, split: str) -> MidiCollection:
    """The MIDI files of a split: training has nine of ten, the held-out splits share the rest; all, where that is none."""
    side = midi.part(held=split != TRAIN)
    return side if len(side.spans) else midi


def limit_threads() -> None:
    """Keep every library of this process, and of those it starts, to one thread."""
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
