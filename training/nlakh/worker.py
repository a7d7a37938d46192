"""Renders the units of a plan in several processes; the bytes do not depend on their number.

Section 4 of Kim et al. 2022. Each process opens the instruments and the MIDI files itself. It drops decoded audio with the
instrument, so memory does not grow with the clips. A finished unit is recorded at once; it is whole or not there.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from models.atomic import PARTIAL
from models.errors import ShowMeError, TrainingError
from training.midi import MidiCollection
from training.nlakh.dataset import TRAIN
from training.nlakh.instrument_selection import InstrumentCheck, InstrumentCollection, check_instrument
from training.nlakh.layouts import write_unit
from training.nlakh.multi import MultiRenderer
from training.nlakh.resume import load_unit, save_unit
from training.nlakh.single import SingleRenderer
from training.nlakh.spec import InputPaths, PlannedUnit, RenderPlan, RenderSpec
from training.phrases import PhraseBook
from training.processes import CONTEXT, worker_pool
from training.productions.arrangement import ProductionBook, check_players
from training.productions.renderer import ProductionRenderer
from training.sections import SectionBook

CONTEXT.set_forkserver_preload([__name__])  # imported once, not once for each worker
POLL_SECONDS = 0.2
FEW_INSTRUMENTS = 100  # one process checks these before a worker has started

Renderer = SingleRenderer | MultiRenderer | ProductionRenderer
Progress = Callable[[int], None]  # called with the total number of finished items


class RenderWorker:
    """The open instruments and MIDI files of one process; checks instruments, and renders units of a plan."""

    def __init__(self, spec: RenderSpec, inputs: InputPaths, plan: RenderPlan | None = None) -> None:
        """Without a plan it only checks instruments, and reads no MIDI files."""
        self._collection = InstrumentCollection(inputs.notes, spec.missing)
        self._renderer: Renderer | None = None
        self._spec = spec
        if plan is not None:
            midi = MidiCollection.read(inputs.midi, cache=inputs.midi_cache) if inputs.midi else None
            self._renderer = open_renderer(plan, self._collection, midi)

    def check(self, key: str) -> InstrumentCheck:
        """Whether an instrument can be rendered."""
        return check_instrument(self._collection.load(key))

    def render(self, folder: Path, unit: PlannedUnit, done: Callable[[], None]) -> None:
        """Render one unit into its place and record it; `done` is called after each item."""
        assert self._renderer is not None
        record = write_unit(self._spec, folder, unit, self._renderer.render(unit), done)
        save_unit(folder, unit, replace(record, faults=tuple(sorted(self._renderer.faults))))


def open_renderer(
    plan: RenderPlan, collection: InstrumentCollection, midi: MidiCollection | None
) -> Renderer:
    """Raises TrainingError when the MIDI files of a split have nothing to play: before any unit is rendered."""
    drums, splits = plan.spec.drums, plan.spec.splits
    if plan.spec.is_multi:
        assert midi is not None  # `make` refuses to render mixtures without MIDI
        if plan.spec.production:
            return _open_productions(plan, collection, midi)
        sections = {split: SectionBook(midi_of_split(midi, split), drums=drums) for split in splits}
        for split, found in sections.items():
            _require(found.num_sections, split, "section of two tracks")
        return MultiRenderer(plan, collection, sections)
    books = {split: PhraseBook(midi_of_split(midi, split), drums=drums) if midi else None for split in splits}
    for split, book in books.items():
        _require(book is None or book.num_tracks, split, "phrase of three notes")
    return SingleRenderer(plan, collection, books)


def _open_productions(
    plan: RenderPlan, collection: InstrumentCollection, midi: MidiCollection
) -> ProductionRenderer:
    """Raises TrainingError when a split lacks players, or its MIDI files a section for a production."""
    books = {
        split: ProductionBook(midi_of_split(midi, split), plan.spec.clip_seconds)
        for split in plan.spec.splits
    }
    for split, book in books.items():
        check_players(plan, collection, split)
        _require(book.has_section(), split, "section of drums and three other tracks")
    return ProductionRenderer(plan, collection, books)


def _require(found: int, split: str, what: str) -> None:
    if not found:
        raise TrainingError(f"the MIDI files of the split {split} hold no {what}: give more", value=split)


def midi_of_split(midi: MidiCollection, split: str) -> MidiCollection:
    """The MIDI files of a split: nine of ten train, the held-out splits share the rest; all files if that part is empty."""
    side = midi.part(held=split != TRAIN)
    return side if len(side.spans) else midi


_worker: RenderWorker | None = None  # of a worker process
_refusal: Exception | None = None  # the error of opening it: a pool would say no more than that a worker died
_counter: "Synchronized[int] | None" = None
_stop: Event | None = None


def _start_worker(
    spec: RenderSpec, inputs: InputPaths, plan: RenderPlan | None, counter: "Synchronized[int]", stop: Event
) -> None:
    global _worker, _refusal, _counter, _stop
    _counter, _stop = counter, stop
    try:
        _worker = RenderWorker(spec, inputs, plan)
    except (ShowMeError, OSError) as error:
        _refusal = error


def _opened() -> RenderWorker:
    if _refusal is not None:
        raise _refusal
    assert _worker is not None
    return _worker


def _check(key: str) -> InstrumentCheck:
    return _opened().check(key)


def _render(folder: Path, unit: PlannedUnit) -> None:
    _opened().render(folder, unit, _count)


def _count() -> None:
    """Report progress. Raises TrainingError, which ends the unit, once the run is to stop."""
    assert _counter is not None
    assert _stop is not None
    if _stop.is_set():
        raise TrainingError("the run was stopped")
    with _counter.get_lock():
        _counter.value += 1


@contextmanager
def _pool(
    workers: int, spec: RenderSpec, inputs: InputPaths, plan: RenderPlan | None = None
) -> Iterator[tuple[ProcessPoolExecutor, "Synchronized[int]"]]:
    """A pool of render workers and the count of their items. When the block fails, unfinished units are dropped."""
    counter, stop = CONTEXT.Value("q", 0), CONTEXT.Event()
    with worker_pool(workers, _start_worker, (spec, inputs, plan, counter, stop)) as pool:
        try:
            yield pool, counter
        finally:
            stop.set()


def check_instruments(
    spec: RenderSpec, inputs: InputPaths, ids: Sequence[str], *, workers: int, progress: Progress
) -> Iterator[InstrumentCheck]:
    """`RenderWorker.check` of each id, in order."""
    if workers <= 1 or len(ids) < FEW_INSTRUMENTS:
        yield from _reported(map(RenderWorker(spec, inputs).check, ids), progress)
        return
    with _pool(workers, spec, inputs) as (pool, _):
        yield from _reported(pool.map(_check, ids, chunksize=8), progress)


def _reported(checks: Iterator[InstrumentCheck], progress: Progress) -> Iterator[InstrumentCheck]:
    for number, found in enumerate(checks, 1):
        progress(number)
        yield found


def render_missing(
    plan: RenderPlan, inputs: InputPaths, folder: Path, *, workers: int, progress: Progress
) -> None:
    """Render the units that have no record yet.

    Raises TrainingError when an instrument fails, and OSError; finished units stay, and the same call resumes.
    """
    missing = [unit for unit in plan.units() if load_unit(folder, unit) is None]
    for leftover in folder.glob(f"*/.*{PARTIAL}"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    workers = min(workers, len(missing))
    if workers > 1:
        with _pool(workers, plan.spec, inputs, plan) as (pool, counter):
            _watch({pool.submit(_render, folder, unit) for unit in missing}, counter, progress)
    elif missing:
        worker, done = RenderWorker(plan.spec, inputs, plan), count(1)
        for unit in missing:
            worker.render(folder, unit, lambda: progress(next(done)))


def _watch(pending: set[Future[None]], counter: "Synchronized[int]", progress: Progress) -> None:
    while pending:
        done, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            future.result()
        progress(counter.value)
