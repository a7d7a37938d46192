"""The work folder `.rendering`: what is remembered while a data set is rendered, by one run at a time.

Section 4 of Kim et al. 2022; `dataset.json` is written when all units are there, and only then is the folder a data set.
"""

import errno
import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from models.atomic import write_atomically
from models.errors import TrainingError
from training.nlakh.dataset import DATASET_FILE, WORK_FOLDER, Unit
from training.nlakh.layouts import Written
from training.nlakh.plan import Job, Plan, Request

PLAN_FILE = "plan.json"
LOCK_FILE = "lock"
RECORDS = "*-*.json"  # the names of `Job.record`
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_finished(folder: Path) -> bool:
    return (folder / DATASET_FILE).exists()


def check_is_ours(folder: Path) -> None:
    """Raises TrainingError for a file, and for a folder that holds anything but a data set, finished or begun."""
    if not folder.exists() or is_finished(folder) or (folder / WORK_FOLDER / PLAN_FILE).exists():
        return
    if not folder.is_dir():
        raise TrainingError(f"{folder} is a file: choose a folder", value=str(folder))
    foreign = sorted(item.name for item in folder.iterdir() if item.name != WORK_FOLDER)
    if foreign:
        raise TrainingError(f"{folder} is not empty: it holds {foreign[0]}; choose another", value=foreign[0])


@contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keep every other run out of `folder`; the system lets go of it when this process ends, however it ends.

    Raises TrainingError when another run is at work in it, or it cannot be written.
    """
    work = folder / WORK_FOLDER
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = (work / LOCK_FILE).open("a")
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror}", value=str(folder)) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"another run is rendering {folder}: wait for it, or choose another folder"
            raise TrainingError(message, value=str(folder)) from error
        yield


@contextmanager
def stops_in_words(folder: Path) -> Iterator[None]:
    """Raises TrainingError for what the system refuses while rendering into `folder`, a full disk for one."""
    try:
        yield
    except OSError as error:
        kept = len(list((folder / WORK_FOLDER).glob(RECORDS)))
        about = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        what = "the disk is full" if error.errno in DISK_FULL else about
        message = (
            f"rendering into {folder} stopped: {what}; {kept} units are kept, the same command carries on"
        )
        raise TrainingError(message, value=error.errno) from error


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
    return Written(
        Unit(**raw["unit"]),
        tuple(tuple(numbers) for numbers in raw["mixtures"]),
        tuple((what, why) for what, why in raw["faults"]),
    )


def tidy(folder: Path) -> None:
    """Forget how the data set was rendered, once `dataset.json` is there."""
    shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
