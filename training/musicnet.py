"""Reads and writes recordings in MusicNet's published form (Thickstun et al. 2017): audio, and a table of the notes of each.

    train_data/1727.wav    train_labels/1727.csv    test_data/…    test_labels/…

A row is a note: `start_time` and `end_time` in samples at 44.1 kHz, `instrument` as General MIDI counts programs from 1, `note`
as MIDI does. Our own pieces have the same form, a folder `valid_data`, and two things that MusicNet lacks: instrument 129 is
the percussion of channel 10, and note 0 a sound without a pitch. Without `valid_data` one training recording in ten validates.
"""

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from index.families import FAMILIES, family_of_program, program_of_family
from models.atomic import write_atomically
from models.errors import TrainingError
from training.midi import DRUM
from training.nlakh.dataset import TRAIN, VALID

TEST = "test"
LABEL_RATE = 44_100  # of the times in a table
COLUMNS = ("start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value")
PERCUSSION, NO_PITCH = 129, 0
HELD_SHARE = 10  # one training recording in ten validates

# Hung & Yang 2018, section 3: the seven instruments of MusicNet's test side.
SEVEN = {"piano": 1, "violin": 41, "viola": 42, "cello": 43, "clarinet": 72, "bassoon": 71, "horn": 61}


@dataclass(frozen=True, slots=True)
class ScoredNote:
    """A note of an instrument (1…129) from `start_seconds` to `end_seconds`; `pitch` as in MIDI, 0 where there is none."""

    start_seconds: float
    end_seconds: float
    instrument: int
    pitch: int


@dataclass(frozen=True)
class ScoredRecording:
    """A recording and its notes, on disk."""

    id: str
    audio: Path
    labels: Path

    def samples(self, sample_rate: int) -> NDArray[np.float32]:
        """The recording, mono, `[samples]`. Raises TrainingError if it cannot be read."""
        try:
            wave, rate = soundfile.read(self.audio, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise TrainingError(f"{self.audio} cannot be read: {error}", value=str(self.audio)) from error
        mono: NDArray[np.float32] = soxr.resample(wave.mean(axis=1), rate, sample_rate).astype(np.float32)
        return mono

    def notes(self) -> tuple[ScoredNote, ...]:
        """The notes, in the order of the table. Raises TrainingError for a table of another form, naming file and line."""
        try:
            with self.labels.open(newline="") as file:
                rows = csv.DictReader(file)
                return tuple(_note(row, self.labels, rows.line_num) for row in rows)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise TrainingError(f"{self.labels} cannot be read: {error}", value=str(self.labels)) from error


def recordings_of(folder: Path, split: str) -> tuple[ScoredRecording, ...]:
    """The recordings of a split (train, valid or test), by id.

    Raises TrainingError if the folder is of another form, a recording has no table, or the split is empty.
    """
    held = not (folder / f"{VALID}_data").is_dir() and split in (TRAIN, VALID)
    side = TRAIN if held else split
    data, labels = folder / f"{side}_data", folder / f"{side}_labels"
    if not data.is_dir() or not labels.is_dir():
        message = f"{folder} is not of MusicNet's form: {data.name} and {labels.name} are wanted"
        raise TrainingError(message, value=str(folder), limit=f"{data.name}, {labels.name}")
    found = [
        ScoredRecording(path.stem, path, labels / f"{path.stem}.csv") for path in sorted(data.glob("*.wav"))
    ]
    for one in found:
        if not one.labels.exists():
            raise TrainingError(f"{one.audio} has no {one.labels.name} in {labels.name}", value=one.id)
    if held:
        found = [one for one in found if _validates(one.id) == (split == VALID)]
    if not found:
        raise TrainingError(f"{folder} holds no recordings of the split {split}", value=split)
    return tuple(found)


def write_recording(
    folder: Path,
    split: str,
    key: str,
    samples: NDArray[np.int16],
    sample_rate: int,
    notes: Iterable[ScoredNote],
) -> None:
    """Write a recording `[samples]` and then its table; the table stands for the whole."""
    data, labels = folder / f"{split}_data", folder / f"{split}_labels"
    data.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    soundfile.write(data / f"{key}.wav", samples, sample_rate, subtype="PCM_16")
    lines = [",".join(COLUMNS)]
    for note in notes:
        start, end = (round(seconds * LABEL_RATE) for seconds in (note.start_seconds, note.end_seconds))
        lines.append(f"{start},{end},{note.instrument},{note.pitch},0.0,0.0,")
    write_atomically(labels / f"{key}.csv", ("\n".join(lines) + "\n").encode())


def instrument_of_family(family: str) -> int:
    """The instrument that stands for a family in a table: the first program of it, or percussion."""
    if family == DRUM:
        return PERCUSSION
    return program_of_family(family) + 1


def classes_of(names: Sequence[str]) -> dict[int, int]:
    """The place in `names` of each instrument (1…129) that belongs to one of them: families, or MusicNet's seven.

    Raises TrainingError for a name that is neither.
    """
    unknown = [name for name in names if name not in FAMILIES and name not in SEVEN]
    if unknown:
        known = ", ".join((*FAMILIES, *SEVEN))
        raise TrainingError(f"{unknown[0]} is no class; known are {known}", value=unknown[0], limit=known)
    places = {name: place for place, name in enumerate(names)}
    of_family = {number: family_of_program(number - 1) for number in range(1, 129)} | {PERCUSSION: DRUM}
    own = {SEVEN[name]: place for name, place in places.items() if name in SEVEN}
    return {number: places[family] for number, family in of_family.items() if family in places} | own


def _note(row: dict[str, str], path: Path, line: int) -> ScoredNote:
    try:
        start, end = (int(row[name]) / LABEL_RATE for name in COLUMNS[:2])
        instrument, pitch = int(row["instrument"]), int(row["note"])
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"line {line} of {path} is no note of MusicNet: {error!r}", value=line) from error
    if not (0 <= start <= end and 1 <= instrument <= PERCUSSION and 0 <= pitch <= 127):
        message = f"line {line} of {path}: times, instrument {instrument} or note {pitch} are out of range"
        raise TrainingError(message, value=line, limit=f"1 to {PERCUSSION}, 0 to 127")
    return ScoredNote(start, end, instrument, pitch)


def _validates(key: str) -> bool:
    return hashlib.sha256(key.encode()).digest()[0] % HELD_SHARE == 0
