"""Renders a data set: in several processes, from where an interrupted run stopped, to the same bytes whatever happened.

Section 4 of Kim et al. 2022. Finished units are remembered under `.rendering/`; `dataset.json` is written when all are there,
and only then is the folder a data set.
"""

import errno
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from multiprocessing import get_context, parent_process
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from models.atomic import PARTIAL, write_atomically
from models.errors import TrainingError
from training.nlakh.dataset import DATASET_FILE, WORK_FOLDER, Unit
from training.nlakh.layouts import Written
from training.nlakh.plan import Job, Plan, Request
from training.nlakh.workshop import Checked, Materials, Workshop, limit_threads

PLAN_FILE = "plan.json"
POLL_SECONDS = 0.2
FEW_INSTRUMENTS = 100  # that are checked sooner than a worker starts
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Progress = Callable[[int], None]  # hears how many takes are done in all

_workshop: Workshop | None = None  # of a worker process
_counter: "Synchronized[int] | None" = None


def _start_worker(materials: Materials, plan: Plan | None, counter: "Synchronized[int]") -> None:
    global _workshop, _counter
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears Ctrl-C and stops us
    _workshop, _counter = Workshop(materials, plan), counter


def _check(key: str) -> Checked:
    assert _workshop is not None
    return _workshop.check(key)


def _render(folder: Path, job: Job) -> None:
    assert _workshop is not None
    remember(folder, job, _workshop.render(folder, job, _count))


def _count() -> None:
    """Report progress; a worker whose parent was killed ends here, before the next run takes its place."""
    assert _counter is not None
    parent = parent_process()
    if parent is None or not parent.is_alive():
        os._exit(1)
    with _counter.get_lock():
        _counter.value += 1


@contextmanager
def _pool(
    materials: Materials, plan: Plan | None, workers: int
) -> Iterator[tuple[ProcessPoolExecutor, "Synchronized[int]"]]:
    context = get_context("spawn")
    counter = context.Value("q", 0)
    limit_threads()
    pool = ProcessPoolExecutor(workers, context, _start_worker, (materials, plan, counter))
    try:
        yield pool, counter
    except BrokenProcessPool as error:
        raise TrainingError("a worker process died (memory?); the same command carries on") from error
    finally:
        pool.shutdown(cancel_futures=True)


def check_instruments(
    materials: Materials, ids: Sequence[str], *, workers: int, heard: Progress
) -> Iterator[Checked]:
    """`Workshop.check` of each id, in order."""
    if workers <= 1 or len(ids) < FEW_INSTRUMENTS:
        workshop = Workshop(Materials(materials.notes, None, None))
        checked = map(workshop.check, ids)
        for number, result in enumerate(checked, 1):
            heard(number)
            yield result
        return
    with _pool(Materials(materials.notes, None, None), None, workers) as (pool, _):
        for number, result in enumerate(pool.map(_check, ids, chunksize=8), 1):
            heard(number)
            yield result


def check_is_ours(folder: Path) -> None:
    """Raises TrainingError for a folder that holds anything but a data set, finished or begun."""
    if not folder.exists() or is_finished(folder) or (folder / WORK_FOLDER / PLAN_FILE).exists():
        return
    foreign = sorted(item.name for item in folder.iterdir() if item.name != WORK_FOLDER)
    if foreign:
        raise TrainingError(f"{folder} is not empty: it holds {foreign[0]}; choose another", value=foreign[0])


def kept_plan(request: Request, folder: Path) -> Plan | None:
    """The plan that an interrupted run of the same request left in `folder`, or None when there is none.

    Raises TrainingError when it is another request's.
    """
    path = folder / WORK_FOLDER / PLAN_FILE
    if not path.exists():
        return None
    try:
        plan = Plan.from_json(path.read_text(), request)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} cannot be read: remove {folder} or choose another") from error
    if plan is None:
        raise TrainingError(
            f"{folder} was begun with other settings, notes or MIDI: remove it or choose another",
            value=request.digest,
        )
    return plan


def keep_plan(plan: Plan, folder: Path) -> None:
    """Remember the plan before the first unit is rendered."""
    write_atomically(folder / WORK_FOLDER / PLAN_FILE, plan.to_json().encode())


def remember(folder: Path, job: Job, written: Written) -> None:
    """Note a finished unit."""
    write_atomically(folder / WORK_FOLDER / job.record, json.dumps(asdict(written)).encode())


def recall(folder: Path, job: Job) -> Written | None:
    """What was noted of a unit; None when it is still to be rendered."""
    try:
        raw = json.loads((folder / WORK_FOLDER / job.record).read_text())
    except FileNotFoundError:
        return None
    return Written(Unit(**raw["unit"]), tuple(tuple(numbers) for numbers in raw["mixtures"]))


def render_missing(
    plan: Plan, materials: Materials, folder: Path, *, workers: int, progress: Progress
) -> None:
    """Render the units that are not there yet.

    Raises TrainingError when the disk is full or an instrument fails; what is finished stays, and the same call carries on.
    """
    missing = [job for job in plan.jobs() if recall(folder, job) is None]
    for leftover in folder.glob(f"*/.*{PARTIAL}"):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    try:
        if workers <= 1:
            workshop, taken = Workshop(materials, plan), count(1)
            for job in missing:
                remember(folder, job, workshop.render(folder, job, lambda: progress(next(taken))))
        elif missing:
            with _pool(materials, plan, workers) as (pool, counter):
                _watch({pool.submit(_render, folder, job) for job in missing}, counter, progress)
    except OSError as error:
        done = sum(recall(folder, job) is not None for job in plan.jobs())
        left = f"{done} of {sum(1 for _ in plan.jobs())} units are kept; the same command carries on"
        what = "the disk is full" if error.errno in DISK_FULL else str(error)
        raise TrainingError(f"{folder} cannot be written: {what}; {left}", value=error.errno) from error


def _watch(pending: set[Future[None]], counter: "Synchronized[int]", progress: Progress) -> None:
    while pending:
        done, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
        for future in done:
            future.result()
        progress(counter.value)


def is_finished(folder: Path) -> bool:
    return (folder / DATASET_FILE).exists()


def tidy(folder: Path) -> None:
    """Forget how the data set was rendered, once `dataset.json` is there."""
    shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
