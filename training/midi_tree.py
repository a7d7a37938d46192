"""Finds the MIDI files below a folder in a fixed order, and reads them in one process or several.

Lakh (Raffel 2016), the source of the tracks of section 4 of Kim et al. 2022, is such a tree: 176,581 files, some damaged.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from models.errors import TrainingError
from training.midi_notes import MidiTrack, tracks_of
from training.processes import worker_pool
from training.smf import MidiDamaged, parse_events, read_bytes

SUFFIXES = (".mid", ".midi", ".kar")
FILES_AT_ONCE = 16  # a worker's batch
FEW_FILES = 64  # one process reads fewer than these before a worker has started

Fault = tuple[str, str]


@dataclass(frozen=True)
class MidiFile:
    """A file's tracks, or the `reason` why there are none; `digest` is the SHA-256 of its bytes."""

    name: str
    digest: bytes
    tracks: tuple[MidiTrack, ...]
    reason: str | None


def find_files(folder: Path) -> tuple[list[str], list[Fault]]:
    """The relative names of the MIDI files below `folder`, sorted, and the folders that cannot be read.

    Links to folders are followed, each folder once, so circular links end. Raises TrainingError when there is no file.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder of MIDI files", value=str(folder))
    names: list[str] = []
    faults: list[Fault] = []
    visited: set[tuple[int, int]] = set()

    def note(error: OSError) -> None:
        name = Path(str(error.filename)).relative_to(folder).as_posix()
        faults.append((name, f"unreadable: {error.strerror}"))

    for place, folders, files in os.walk(folder, onerror=note, followlinks=True):
        folders.sort()
        status = Path(place).stat()
        if (status.st_dev, status.st_ino) in visited:
            folders.clear()
            continue
        visited.add((status.st_dev, status.st_ino))
        above = Path(place).relative_to(folder)
        names += [(above / name).as_posix() for name in files if name.lower().endswith(SUFFIXES)]
    if not names:
        found = f"no MIDI file ({', '.join(SUFFIXES)}) under {folder}"
        raise TrainingError("; ".join([found, *(f"{name}: {reason}" for name, reason in faults)]))
    return sorted(names), sorted(faults)


def stamp_of(folder: Path, names: list[str], faults: list[Fault]) -> str:
    """A hash of the files' names, sizes, modes and modification times; it detects changes without reading the files."""
    stamp = hashlib.sha256(repr(faults).encode())
    for name in names:
        try:
            status = (folder / name).stat()
            facts = (status.st_size, status.st_mode, status.st_mtime_ns)
        except OSError as error:
            facts = (-1, error.errno or 0, 0)
        stamp.update(repr((name, facts)).encode())
    return stamp.hexdigest()


def read_files(folder: Path, names: list[str], workers: int = 1) -> Iterator[MidiFile]:
    """Read the files of a folder; yields them in the order of `names` with any number of processes.

    Raises TrainingError when a process dies.
    """
    if workers <= 1 or len(names) < FEW_FILES:
        for name in names:
            yield _read_file(folder, name)
        return
    batches = deque(names[first : first + FILES_AT_ONCE] for first in range(0, len(names), FILES_AT_ONCE))
    pending: deque[Future[list[MidiFile]]] = deque()
    with worker_pool(workers) as pool:
        while batches or pending:
            while batches and len(pending) < 4 * workers:  # bounds the memory
                pending.append(pool.submit(_read_batch, folder, batches.popleft()))
            yield from pending.popleft().result()


def _read_batch(folder: Path, names: list[str]) -> list[MidiFile]:
    return [_read_file(folder, name) for name in names]


def _read_file(folder: Path, name: str) -> MidiFile:
    digest = b""
    try:
        data = read_bytes(folder / name)
        digest = hashlib.sha256(data).digest()
        return MidiFile(name, digest, tuple(tracks_of(parse_events(data))), None)
    except MidiDamaged as damage:
        return MidiFile(name, digest, (), damage.reason)
