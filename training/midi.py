"""A collection of MIDI files: the notes of all tracks in one table, on disk where there is a cache, and their families.

Section 4 of Kim et al. 2022: MIDI tracks are separated and categorised by program number into instrument families.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.families import family_of_program
from models.errors import TrainingError
from training.midi_cache import NOTES, growing_notes, load, store
from training.midi_tree import Fault, find_files, read_files, stamp_of

HELD_SHARE = 10  # one MIDI file in ten is held out
DRUM = "drum"
BLOCK_NOTES, BLOCK_FILES = (
    1 << 21,
    256,
)  # limits of a block, the part of a collection that is searched at once


def is_held(name: str) -> bool:
    """Whether a MIDI file is held out of training; a stable hash of its bare name decides."""
    bare = name.rsplit("/", 1)[-1]
    return hashlib.sha256(bare.encode(errors="surrogateescape")).digest()[0] % HELD_SHARE == 0


def family_of_track(program: int, is_drum: bool) -> str:
    """The family of a track: drum on channel 10, else that of its General MIDI program (0…127).

    `index.families.family_of_program` is the table.
    """
    family = DRUM if is_drum else family_of_program(program)
    assert family is not None, f"{program} is no General MIDI program"  # MIDI's programs have seven bits
    return family


@dataclass(frozen=True)
class MidiCollection:
    """Tracks of many MIDI files, in the order of the files' names.

    `notes` [N, 4] float32 holds pitch, velocity, start and end in seconds; track t is its rows `spans[t, 0]` to
    `spans[t, 1]`, by start. `spans` [T, 2], `programs` [T], `is_drum` [T] and `file_of_track` [T] (ascending) describe the
    tracks. `files` are names relative to the folder, damaged files included. `faults` are (name, reason) of damaged files
    and unreadable folders. `fingerprint` is the SHA-256 of all files' names and bytes; a part keeps it.
    """

    notes: NDArray[np.float32]
    spans: NDArray[np.int64]
    programs: NDArray[np.int16]
    is_drum: NDArray[np.bool_]
    file_of_track: NDArray[np.int32]
    files: tuple[str, ...]
    faults: tuple[Fault, ...]
    fingerprint: str

    @classmethod
    def read(cls, folder: Path, *, workers: int = 1, cache: Path | None = None) -> "MidiCollection":
        """Read every .mid, .midi and .kar below `folder`, or a valid copy of them in the folder `cache`.

        The cache is valid while names, sizes, modes and times of the files are the same. With a cache the notes stay on
        disk; without one they are all in memory, twice for a moment. Raises TrainingError when there is no folder, no MIDI
        file, no readable one, or the cache cannot be written.
        """
        names, unreadable = find_files(folder)
        if cache is None:
            tables: list[NDArray[np.float32]] = []
            arrays, facts = _gather(folder, names, unreadable, workers, tables.append)
            return cls._of({NOTES: np.concatenate(tables)} | arrays, facts)
        stamp = stamp_of(folder, names, unreadable)
        loaded = load(cache, stamp)
        if loaded is None:
            try:
                with growing_notes(cache, stamp) as append:
                    arrays, facts = _gather(folder, names, unreadable, workers, append)
                store(cache, stamp, arrays, facts)
            except OSError as error:
                raise TrainingError(f"the MIDI cache {cache} cannot be written: {error.strerror}") from error
            loaded = load(cache, stamp)
        if loaded is None:
            raise TrainingError(f"the MIDI cache {cache} was changed by another process", value=str(cache))
        return cls._of(*loaded)

    @classmethod
    def _of(cls, arrays: dict[str, NDArray[Any]], facts: dict[str, Any]) -> "MidiCollection":
        faults = tuple((name, reason) for name, reason in facts["faults"])
        return cls(**arrays, files=tuple(facts["files"]), faults=faults, fingerprint=facts["fingerprint"])

    def part(self, *, held: bool) -> "MidiCollection":
        """The held-out files alone (`is_held`), or the others alone; `notes` stays the same table."""
        is_chosen = np.array([is_held(name) == held for name in self.files])
        tracks = is_chosen[self.file_of_track]
        number = np.cumsum(is_chosen, dtype=np.int32) - 1
        return replace(
            self,
            spans=self.spans[tracks],
            programs=self.programs[tracks],
            is_drum=self.is_drum[tracks],
            file_of_track=number[self.file_of_track[tracks]],
            files=tuple(name for name, chosen in zip(self.files, is_chosen, strict=True) if chosen),
            faults=tuple(fault for fault in self.faults if is_held(fault[0]) == held),
        )

    @property
    def num_notes(self) -> int:
        return int((self.spans[:, 1] - self.spans[:, 0]).sum())

    @property
    def hours(self) -> float:
        """The total duration of all pieces, each up to the onset of its last note."""
        last = np.zeros(len(self.files))
        np.maximum.at(last, self.file_of_track, self.notes[self.spans[:, 1] - 1, 2])
        return float(last.sum() / 3600)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Ranges of tracks: whole files with contiguous notes, up to about BLOCK_NOTES notes or BLOCK_FILES files."""
        first_of_file = np.flatnonzero(np.diff(self.file_of_track, prepend=-1))
        first, num_files = 0, 0
        for begin, until in pairwise([*first_of_file, len(self.spans)]):
            whole = self.spans[until - 1, 1] - self.spans[first, 0]
            apart = begin > first and self.spans[begin, 0] != self.spans[begin - 1, 1]
            if begin > first and (apart or whole > BLOCK_NOTES or num_files == BLOCK_FILES):
                yield first, int(begin)
                first, num_files = int(begin), 0
            num_files += 1
        if len(self.spans):
            yield first, len(self.spans)


def _gather(
    folder: Path,
    names: list[str],
    unreadable: list[Fault],
    workers: int,
    append: Callable[[NDArray[np.float32]], None],
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Read the files, pass each track's notes to `append`, and return the other arrays and facts of the collection."""
    lengths, programs, is_drum, file_of_track = list[int](), list[int](), list[bool](), list[int]()
    faults = list(unreadable)
    fingerprint = hashlib.sha256()
    for number, file in enumerate(read_files(folder, names, workers)):
        encoded = file.name.encode(errors="surrogateescape")
        fingerprint.update(len(encoded).to_bytes(4, "big") + encoded + file.digest.ljust(32, b"\0"))
        if file.reason is not None:
            faults.append((file.name, file.reason))
        for track in file.tracks:
            append(track.notes)
            lengths.append(len(track.notes))
            programs.append(track.program)
            is_drum.append(track.is_drum)
            file_of_track.append(number)
    if not lengths:
        name, reason = faults[0]
        raise TrainingError(
            f"none of the {len(names)} MIDI files under {folder} can be read ({name}: {reason})"
        )
    ends = np.cumsum(lengths)
    arrays = {
        "spans": np.stack([ends - lengths, ends], axis=1),
        "programs": np.array(programs, dtype=np.int16),
        "is_drum": np.array(is_drum),
        "file_of_track": np.array(file_of_track, dtype=np.int32),
    }
    return arrays, {"files": names, "faults": faults, "fingerprint": fingerprint.hexdigest()}
