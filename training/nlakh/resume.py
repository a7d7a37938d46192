"""The work folder `.rendering`: the state of a run, from which an interrupted one resumes; one run at a time.

Section 4 of Kim et al. 2022. `dataset.json` is written once all units are there, and only then is the folder a data set.
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
from training.nlakh.rendered import UnitRecord
from training.nlakh.spec import PlannedUnit, RenderPlan, RenderSpec

PLAN_FILE = "plan.json"
LOCK_FILE = "lock"
RECORDS = "*-*.json"  # matches `PlannedUnit.record_name`
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a finished data set."""
    return (folder / DATASET_FILE).exists()


def check_folder(folder: Path) -> None:
    """Raises TrainingError for a file, and for a folder that holds anything but a data set, finished or begun."""
    if not folder.exists() or is_finished(folder) or (folder / WORK_FOLDER / PLAN_FILE).exists():
        return
    if not folder.is_dir():
        raise TrainingError(f"{folder} is a file: choose a folder", value=str(folder))
    foreign = sorted(item.name for item in folder.iterdir() if item.name != WORK_FOLDER)
    if foreign:
        raise TrainingError(f"{folder} is not empty: it holds {foreign[0]}; choose another", value=foreign[0])


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep every other run out of `folder`; the system releases the lock when this process ends, however it ends.

    Raises TrainingError when another run holds it, or the folder cannot be written.
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
def explain_os_errors(folder: Path) -> Iterator[None]:
    """Raises TrainingError, with the number of finished units, for an OSError such as a full disk."""
    try:
        yield
    except OSError as error:
        kept = len(list((folder / WORK_FOLDER).glob(RECORDS)))
        about = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        reason = "the disk is full" if error.errno in DISK_FULL else about
        message = (
            f"rendering into {folder} stopped: {reason}; {kept} units are kept, the same command carries on"
        )
        raise TrainingError(message, value=error.errno) from error


def load_plan(folder: Path, spec: RenderSpec) -> RenderPlan | None:
    """The plan of an interrupted run of the same specification, or None when there is none.

    Raises TrainingError when it belongs to another specification or an earlier version, or cannot be read.
    """
    path = folder / WORK_FOLDER / PLAN_FILE
    if not path.exists():
        return None
    try:
        plan = RenderPlan.from_json(path.read_text(), spec)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} cannot be read: remove {folder} or choose another") from error
    if plan is None:
        raise TrainingError(
            f"{folder} was begun with other settings, notes or MIDI, or by an earlier version: "
            "remove it or choose another",
            value=spec.digest,
        )
    return plan


def save_plan(folder: Path, plan: RenderPlan) -> None:
    """Keep the plan, before the first unit is rendered."""
    write_atomically(folder / WORK_FOLDER / PLAN_FILE, plan.to_json().encode())


def save_unit(folder: Path, unit: PlannedUnit, record: UnitRecord) -> None:
    """Keep the record of a finished unit."""
    write_atomically(folder / WORK_FOLDER / unit.record_name, json.dumps(asdict(record)).encode())


def load_unit(folder: Path, unit: PlannedUnit) -> UnitRecord | None:
    """The record of a unit; None when it is still to be rendered."""
    try:
        raw = json.loads((folder / WORK_FOLDER / unit.record_name).read_text())
    except FileNotFoundError:
        return None
    return UnitRecord(
        Unit(**raw["unit"]),
        tuple(tuple(numbers) for numbers in raw["mixtures"]),
        tuple((what, why) for what, why in raw["faults"]),
        tuple(
            tuple(tuple((start, end) for start, end in stem) for stem in production)
            for production in raw.get("spans", ())  # which earlier versions did not record
        ),
    )


def remove_work_dir(folder: Path) -> None:
    """Remove the work folder, once `dataset.json` is there."""
    shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
