"""NSynth as published: `examples.json` and one wav a note, in the folders nsynth-train, nsynth-valid and nsynth-test.

Engel et al. 2017, section 3: 1,006 instruments in eleven families, up to 88 pitches (21…108) at five velocities, keys held
for 3 s of 4 s at 16 kHz; not every instrument covers every pitch and velocity.
"""

import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from index.families import FAMILIES, family_of_name
from index.sources.ids import is_safe
from index.sources.json_rows import object_entries
from index.sources.note_files import Samples, read_stored_note
from index.sources.sampled import (
    MAX_SHIFT,
    InstrumentIdentity,
    SampledInstrument,
    SampledNote,
    TranspositionLimits,
)
from models.errors import SourceError

EXAMPLES = "examples.json"
AUDIO = "audio"
LICENCE = "CC-BY-4.0"
NUM_FAMILIES = 11  # of NSynth, numbered in the order of FAMILIES

NSynthSplit = Literal["train", "valid", "test"]
Missing = Literal["nearest", "leave out"]

_VELOCITY_COST = 1e-4  # velocity decides between equal pitches only
_LIMITS: dict[Missing, TranspositionLimits] = {
    "nearest": TranspositionLimits(MAX_SHIFT, MAX_SHIFT, _VELOCITY_COST),
    "leave out": TranspositionLimits(0.0, 0.0, _VELOCITY_COST),
}


@dataclass(slots=True)
class _NoteTable:
    """The notes of an instrument in one folder, stored compactly since NSynth has 300,000."""

    folder: Path
    pitches: array = field(default_factory=lambda: array("B"))
    velocities: array = field(default_factory=lambda: array("B"))
    sample_rates: array = field(default_factory=lambda: array("I"))  # 0: not stated
    names: dict[int, str] = field(default_factory=dict)  # of notes not named after pitch and velocity
    missing: list[str] = field(default_factory=list)

    def name(self, instrument: str, number: int) -> str:
        usual = f"{instrument}-{self.pitches[number]:03d}-{self.velocities[number]:03d}"
        return self.names.get(number, usual)


@dataclass(slots=True)
class _NSynthEntry:
    """An instrument: its family and its notes by folder."""

    family: str | None
    notes: list[_NoteTable] = field(default_factory=list)


class _NoteRow(NamedTuple):
    instrument: str
    family: str | None
    pitch: int
    velocity: int
    sample_rate: int


class _NSynthNoteReader:
    """Reads the notes of an instrument by index."""

    def __init__(self, instrument: str, places: list[tuple[_NoteTable, int]]) -> None:
        self._instrument = instrument
        self._places = places

    def __call__(self, number: int) -> tuple[Samples, int]:
        notes, place = self._places[number]
        samples, sample_rate = read_stored_note(_wav(notes.folder, notes.name(self._instrument, place)))
        stated = notes.sample_rates[place]
        if stated and stated != sample_rate:
            message = f"its header states {sample_rate} Hz, {EXAMPLES} {stated} Hz"
            raise SourceError(message, value=sample_rate, limit=stated)
        return samples, sample_rate


class NSynthInstrument(SampledInstrument):
    """One instrument of NSynth; the `part` of its identity is its side of NSynth's own split, if the folder names tell."""

    def __init__(
        self,
        identity: InstrumentIdentity,
        notes: list[_NoteTable],
        limits: TranspositionLimits,
    ) -> None:
        places: dict[tuple[int, int], tuple[_NoteTable, int]] = {}
        for group in notes:
            for number, key in enumerate(zip(group.pitches, group.velocities, strict=True)):
                places.setdefault(key, (group, number))
        sampled = [
            SampledNote(pitch, velocity, group.name(identity.id, number))
            for (pitch, velocity), (group, number) in places.items()
        ]
        faults = [(name, "its file is missing") for group in notes for name in group.missing]
        super().__init__(
            identity, sampled, _NSynthNoteReader(identity.id, list(places.values())), limits, faults
        )


class NSynthSource:
    """The instruments of one folder of NSynth, or of a root that holds several, by name.

    The published valid and test hold different notes of the same 53 instruments: opened together, each is one
    instrument of part "test". An instrument with notes in train counts as train.
    """

    def __init__(self, folder: Path, missing: Missing = "nearest") -> None:
        """With `missing="nearest"`, a note that NSynth lacks plays the nearest pitch, then velocity, within 3.5
        semitones; with "leave out" it is silent.

        Raises SourceError if no `examples.json` can be read or no instrument has a note.
        """
        if missing not in get_args(Missing):
            raise SourceError(f"missing notes cannot be {missing!r}", value=missing, limit=get_args(Missing))
        self.name = folder.resolve().name
        self._limits = _LIMITS[missing]
        self._folders: list[Path] = []
        faults: list[tuple[str, str]] = []
        entries: dict[str, _NSynthEntry] = {}
        for part in nsynth_folders(folder):
            try:
                _read(part, entries, faults)
                self._folders.append(part)
            except SourceError as error:
                faults.append((part.name, error.message))
        self._entries: dict[str, _NSynthEntry] = {}
        for key, entry in sorted(entries.items()):
            if any(notes.pitches for notes in entry.notes):
                self._entries[key] = entry
            else:
                lost = sum(len(notes.missing) for notes in entry.notes)
                faults.append((key, f"none of its {lost} notes exists"))
        self.faults = tuple(faults)
        if not self._entries:
            reasons = "".join(f"; {what}: {reason}" for what, reason in faults[:3])
            raise SourceError(
                f"{self.name} holds no NSynth instrument{reasons}", value=self.name, limit=EXAMPLES
            )

    @property
    def files(self) -> tuple[Path, ...]:
        wavs = [
            _wav(notes.folder, notes.name(key, number))
            for key, entry in self._entries.items()
            for notes in entry.notes
            for number in range(len(notes.pitches))
        ]
        return tuple(sorted([*(folder / EXAMPLES for folder in self._folders), *wavs]))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[NSynthInstrument]:
        return map(self.get, self._entries)

    def get(self, key: str) -> NSynthInstrument:
        """Return the instrument of an id, not yet decoded. Raises SourceError if there is none."""
        if key not in self._entries:
            raise SourceError(f"no instrument {key} in {self.name}", value=key)
        entry = self._entries[key]
        identity = InstrumentIdentity(key, key, entry.family, f"{self.name}/{key}", LICENCE, _part(entry))
        return NSynthInstrument(identity, entry.notes, self._limits)


def nsynth_folders(folder: Path) -> list[Path]:
    """Return `folder` if it is an NSynth folder, else its NSynth sub-folders; empty if it cannot be read."""
    if (folder / EXAMPLES).is_file():
        return [folder]
    try:
        return sorted(inner for inner in folder.iterdir() if (inner / EXAMPLES).is_file())
    except OSError:
        return []


def _read(folder: Path, entries: dict[str, _NSynthEntry], faults: list[tuple[str, str]]) -> None:
    """Add the notes of a folder to `entries`. Raises SourceError if `examples.json` or the audio cannot be read."""
    try:
        with os.scandir(folder / AUDIO) as files:
            wavs = {file.name for file in files}
    except OSError as error:
        raise SourceError(f"{AUDIO} cannot be read: {error.strerror}", value=folder.name) from error
    for name, fields in object_entries(folder / EXAMPLES):
        try:
            row = _row(name, fields)
        except SourceError as error:
            faults.append((f"{folder.name}/{EXAMPLES}: {name[:80]}", error.message))
            continue
        entry = entries.setdefault(row.instrument, _NSynthEntry(row.family))
        if not entry.notes or entry.notes[-1].folder != folder:
            entry.notes.append(_NoteTable(folder))
        notes = entry.notes[-1]
        if f"{name}.wav" not in wavs:
            notes.missing.append(name)
            continue
        notes.pitches.append(row.pitch)
        notes.velocities.append(row.velocity)
        notes.sample_rates.append(row.sample_rate)
        if notes.name(row.instrument, len(notes.pitches) - 1) != name:
            notes.names[len(notes.pitches) - 1] = name


def _row(name: str, fields: object) -> _NoteRow:
    """Read a row of `examples.json`, absent fields from its name. Raises SourceError for an unusable row."""
    if not isinstance(fields, dict):
        raise SourceError("its value is not a JSON object", value=type(fields).__name__)
    parts = name.rsplit("-", 2)
    pitch, velocity = (parts[1], parts[2]) if len(parts) == 3 else ("", "")
    instrument = fields.get("instrument_str", parts[0] if len(parts) == 3 else None)
    if not isinstance(instrument, str) or not is_safe(instrument):
        raise SourceError("instrument_str names no instrument", value=instrument)
    return _NoteRow(
        instrument,
        _family(instrument, fields),
        _number(fields.get("pitch", _digits(pitch)), "pitch", 0, 127),
        _number(fields.get("velocity", _digits(velocity)), "velocity", 1, 127),
        _number(fields.get("sample_rate", 0), "sample_rate", 0, 2**31),
    )


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _number(value: object, name: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SourceError(f"{name} is {value!r}", value=value, limit=f"{low} to {high}")
    return value


def _family(instrument: str, fields: dict) -> str | None:
    """Return the family by its label, else by its number, else by the instrument's name."""
    label, number = fields.get("instrument_family_str"), fields.get("instrument_family")
    if label in FAMILIES[:NUM_FAMILIES]:
        return str(label)
    if label is None and isinstance(number, int) and 0 <= number < NUM_FAMILIES:
        return FAMILIES[number]
    return family_of_name(instrument)


def _part(entry: _NSynthEntry) -> NSynthSplit | None:
    names = {
        word for notes in entry.notes for word in re.findall("[a-z]+", notes.folder.resolve().name.lower())
    }
    order: tuple[NSynthSplit, ...] = ("train", "test", "valid")
    return next((part for part in order if part in names), None)


def _wav(folder: Path, name: str) -> Path:
    return folder / AUDIO / f"{name}.wav"
