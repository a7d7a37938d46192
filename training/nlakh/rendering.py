"""Renders a data set: in several processes, from where an interrupted run stopped, to the same bytes whatever happened.

Section 4 of Kim et al. 2022. Finished units are remembered in the work folder; each is whole or not there.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from itertools import count
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from models.atomic import PARTIAL
from models.errors import ShowMeError, TrainingError
from training.nlakh.plan import Job, Plan
from training.nlakh.work_folder import recall, remember
from training.nlakh.workshop import Checked, Materials, Workshop, limit_threads
from training.processes import CONTEXT, worker_pool

POLL_SECONDS = 0.2
FEW_INSTRUMENTS = 100  # that are checked sooner than a worker starts

Progress = Callable[[int], None]  # hears how many takes are done in all

_workshop: Workshop | None = None  # of a worker process
_refusal: Exception | None = None  # why there is none: a pool would say no more than that a worker died
_counter: "Synchronized[int] | None" = None
_stop: Event | None = None


def _start_worker(materials: Materials, plan: Plan | None, counter: "Synchronized[int]", stop: Event) -> None:
    global _workshop, _refusal, _counter, _stop
    _counter, _stop = counter, stop
    try:
        _workshop = Workshop(materials, plan)
    except (ShowMeError, OSError) as error:
        _refusal = error


def _opened() -> Workshop:
    if _refusal is not None:
        raise _refusal
    assert _workshop is not None
    return _workshop


def _check(key: str) -> Checked:
    return _opened().check(key)


def _render(folder: Path, job: Job) -> None:
    remember(folder, job, _opened().render(folder, job, _count))


def _count() -> None:
    """Report progress; raises TrainingError, which ends the unit, once the run is to stop."""
    assert _counter is not None
    assert _stop is not None
    if _stop.is_set():
        raise TrainingError("the run was stopped")
    with _counter.get_lock():
        _counter.value += 1


@contextmanager
def _pool(
    materials: Materials, plan: Plan | None, workers: int
) -> Iterator[tuple[ProcessPoolExecutor, "Synchronized[int]"]]:
    """A pool of workshops and the count of their takes. What they are at when the block fails is given up."""
    counter, stop = CONTEXT.Value("q", 0), CONTEXT.Event()
    limit_threads()
    with worker_pool(workers, _start_worker, (materials, plan, counter, stop)) as pool:
        try:
            yield pool, counter
        finally:
            stop.set()


def check_instruments(
    materials: Materials, ids: Sequence[str], *, workers: int, heard: Progress
) -> Iterator[Checked]:
    """`Workshop.check` of each id, in order."""
    if workers <= 1 or len(ids) < FEW_INSTRUMENTS:
        workshop = Workshop(Materials(materials.notes, None, None, materials.missing))
        checked = map(workshop.check, ids)
        for number, result in enumerate(checked, 1):
            heard(number)
            yield result
        return
    with _pool(Materials(materials.notes, None, None, materials.missing), None, workers) as (pool, _):
        for number, result in enumerate(pool.map(_check, ids, chunksize=8), 1):
            heard(number)
            yield result


def render_missing(
    plan: Plan, materials: Materials, folder: Path, *, workers: int, progress: Progress
) -> None:
    """Render the units that are not there yet.

    Raises TrainingError when an instrument fails, and OSError; what is finished stays, and the same call carries on.
    """
    missing = [job for job in plan.jobs() if recall(folder, job) is None]
    for leftover in folder.glob(f"*/.*{PARTIAL}"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    workers = min(workers, len(missing))
    if workers > 1:
        with _pool(materials, plan, workers) as (pool, counter):
            _watch({pool.submit(_render, folder, job) for job in missing}, counter, progress)
    elif missing:
        workshop, taken = Workshop(materials, plan), count(1)
        for job in missing:
            remember(folder, job, workshop.render(folder, job, lambda: progress(next(taken))))


def _watch(pending: set[Future[None]], counter: "Synchronized[int]", progress: Progress) -> None:
    while pending:
        done, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            future.result()
        progress(counter.value)
