"""Note banks: a folder of sampled notes with an `index.jsonl`, an instrument's eight notes in one file or one file each.

The format is the project's own (docs/DATA.md): slots of three seconds, the key held for 2.2 s. Section 4 of Kim et al.
2022 renders from NSynth's notes in the same way.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from index.families import FAMILIES, family_of_name, family_of_program
from index.sources.base import Floats
from index.sources.ids import is_safe
from index.sources.note_files import SOUNDING_PEAK, check_sounds, read_note
from index.sources.sampled import (
    MAX_SHIFT,
    InstrumentIdentity,
    SampledInstrument,
    SampledNote,
    TranspositionLimits,
)
from models.errors import SourceError

INDEX = "index.jsonl"
SLOT_SECONDS = 3.0
SLOT_NOTES = ((36, 100), (43, 100), (50, 100), (57, 100), (64, 100), (71, 100), (78, 100), (57, 50))
LIMITS = TranspositionLimits(range_margin=MAX_SHIFT, max_distance=math.inf, velocity_cost=0.03)
RECORDED_VELOCITY = {
    "pianissimo": 40,
    "pp": 40,
    "piano": 55,
    "p": 55,
    "mp": 68,
    "v2": 70,
    "64": 64,
    "mezzo-forte": 80,
    "mf": 80,
    "v3": 100,
    "forte": 100,
    "f": 100,
    "fortissimo": 118,
    "ff": 118,
    "127": 118,
}
UNKNOWN_VELOCITY = 90
LICENCES = {
    "musescore_general": "MIT",
    "fluidr3_gm": "MIT",
    "opl3": "CC-BY-SA-4.0",
    "csound_gmbank": "public domain",
    "generaluser_gs_webaudiofont": "GeneralUser GS 2.0",
    "zyn": "GPL-2.0-or-later or GPL-3.0",
    "yoshimi": "GPL-2.0-or-later or GPL-3.0",
    "amsynth": "GPL-2.0-or-later",
}
MT32_BANK = ("csound_gmbank", "127")  # its programs follow Roland's MT-32, not General MIDI

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _BankEntry:
    """An instrument of the index. `slots` are the slots of its notes in its one file; None: one file a note."""

    identity: InstrumentIdentity
    folder: str
    bank: str | None
    gm_program: int | None
    files: tuple[Path, ...]
    notes: tuple[SampledNote, ...]
    slots: tuple[int, ...] | None
    faults: tuple[tuple[str, str], ...] = ()


class _BankNoteReader:
    """Reads the notes of an instrument by index; a file that holds all notes is decoded once."""

    def __init__(self, entry: _BankEntry) -> None:
        self._entry = entry
        self._whole: tuple[Floats, int] | None = None

    def __call__(self, number: int) -> tuple[Floats, int]:
        if self._entry.slots is None:
            return read_note(self._entry.files[number])
        if self._whole is None:
            self._whole = read_note(self._entry.files[0])
        samples, sample_rate = self._whole
        return _piece(samples, sample_rate, self._entry.slots[number]), sample_rate


class NoteBankInstrument(SampledInstrument):
    """One instrument of a note bank; `folder` is its folder there, `bank` the patch bank it was rendered from."""

    def __init__(self, entry: _BankEntry) -> None:
        super().__init__(entry.identity, entry.notes, _BankNoteReader(entry), LIMITS, entry.faults)
        self.folder = entry.folder
        self.bank = entry.bank
        self.gm_program = entry.gm_program
        self.is_recorded = entry.slots is None
        self._entry = entry

    def slots(self) -> list[Floats | None]:
        """Return the notes of `SLOT_NOTES` as stored, each `[3 s · 16 kHz]`, None where the instrument is silent.

        Raises SourceError for recorded notes, which have no slots, and for a file that cannot be decoded.
        """
        if self._entry.slots is None:
            raise SourceError(f"{self.id} has recorded notes, not slots", value=self.id)
        found: list[Floats | None] = [None] * len(SLOT_NOTES)
        samples, sample_rate = read_note(self._entry.files[0])
        for slot in self._entry.slots:
            piece = _piece(samples, sample_rate, slot)
            try:
                check_sounds(piece)
            except SourceError:
                continue
            found[slot] = piece
        return found


class NoteBankSource:
    """The instruments of a folder, by id."""

    def __init__(self, folder: Path) -> None:
        """Raises SourceError if the folder has no index or the index no usable instrument."""
        self.name = folder.resolve().name
        self._index = folder / INDEX
        faults: list[tuple[str, str]] = []
        rows = _rows(self._index, faults)
        self._entries: dict[str, _BankEntry] = {}
        for key, group in sorted(rows.items()):
            try:
                self._entries[key] = _entry(folder, key, group)
            except SourceError as error:
                faults.append((key, error.message))
        self.faults = tuple(faults)
        if not self._entries:
            reasons = "".join(f"; {what}: {reason}" for what, reason in faults[:3])
            raise SourceError(f"{self._index} names no instrument{reasons}", value=self.name, limit=INDEX)

    @property
    def files(self) -> tuple[Path, ...]:
        audio = (path for entry in self._entries.values() for path in entry.files)
        return tuple(sorted({self._index, *audio}))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[NoteBankInstrument]:
        return map(NoteBankInstrument, self._entries.values())

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def get(self, key: str) -> NoteBankInstrument:
        """Return the instrument of an id, not yet decoded. Raises SourceError if there is none."""
        if key not in self._entries:
            raise SourceError(f"no instrument {key} in {self.name}", value=key)
        return NoteBankInstrument(self._entries[key])


def _piece(samples: Floats, sample_rate: int, slot: int) -> Floats:
    length = round(SLOT_SECONDS * sample_rate)
    return samples[slot * length : (slot + 1) * length]


def _rows(path: Path, faults: list[tuple[str, str]]) -> dict[str, list[Row]]:
    """Return rows by instrument; unusable lines become `faults`, named by their number."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", value=path.name, limit=INDEX) from error
    rows: dict[str, list[Row]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                row = _checked(json.loads(line))
            except (ValueError, RecursionError, SourceError) as error:
                faults.append((f"{INDEX}, line {number}", str(error)))
                continue
            rows.setdefault(row["id"], []).append(row)
    return rows


def _checked(row: object) -> Row:
    """Return the row if its fields are valid. Raises SourceError naming the first that is not."""
    if not isinstance(row, dict):
        raise SourceError("is not a JSON object", value=type(row).__name__)
    file = row.get("file")
    peaks = row.get("peaks")
    is_valid = {
        "id": isinstance(row.get("id"), str) and is_safe(row["id"]),
        "file": isinstance(file, str) and _is_inside(file),
        "source": isinstance(row.get("source"), str),
        "name": isinstance(row.get("name"), str | None),
        "bank": isinstance(row.get("bank"), str | int | None),
        "gm_program": row.get("gm_program") is None or _is_number(row["gm_program"], 0, 127),
        "licence": isinstance(row.get("licence"), str | None),
    }
    if "midi_measured" in row:
        is_valid["midi_measured"] = _is_number(row["midi_measured"], 0, 127)
    else:
        is_valid["peaks"] = (
            isinstance(peaks, list)
            and len(peaks) == len(SLOT_NOTES)
            and all(_is_number(peak, 0, math.inf) for peak in peaks)
        )
    for name, valid in is_valid.items():
        if not valid:
            raise SourceError(f"{name} is {str(row.get(name))[:80]!r}", value=row.get(name))
    return row


def _is_inside(file: str) -> bool:
    path = PurePosixPath(file)
    return len(path.parts) > 0 and not path.is_absolute() and ".." not in path.parts and "\0" not in file


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _entry(folder: Path, key: str, rows: list[Row]) -> _BankEntry:
    """Build the entry of one id's rows. Raises SourceError if it has no usable note."""
    first = rows[0]
    is_recorded = "midi_measured" in first
    if any(("midi_measured" in row) != is_recorded for row in rows) or (len(rows) > 1 and not is_recorded):
        raise SourceError(f"{len(rows)} rows share one id", value=len(rows), limit=1)
    rows = sorted(rows, key=lambda row: row["file"])
    existing = [row for row in rows if (folder / row["file"]).is_file()]
    slots = (
        None if is_recorded else tuple(s for s, peak in enumerate(first["peaks"]) if peak >= SOUNDING_PEAK)
    )
    if not existing:
        raise SourceError(f"{first['file']} does not exist", value=first["file"])
    if slots == ():
        raise SourceError("all its notes are silent", value=max(first["peaks"]), limit=SOUNDING_PEAK)
    bank = None if first.get("bank") is None else str(first["bank"])
    is_mt32 = (first["source"], bank) == MT32_BANK
    name = first.get("name") or (key.replace("_", " ") if is_recorded else key)
    licence = first.get("licence") or LICENCES.get(first["source"])
    return _BankEntry(
        identity=InstrumentIdentity(key, name, _family(first, bank, name, is_mt32), first["source"], licence),
        folder=PurePosixPath(first["file"]).parts[0],
        bank=bank,
        gm_program=first.get("gm_program"),
        files=tuple(folder / row["file"] for row in existing),
        notes=tuple(_notes(existing) if slots is None else _slot_notes(slots)),
        slots=slots,
        faults=tuple((row["file"], "does not exist") for row in rows if row not in existing),
    )


def _family(row: Row, bank: str | None, name: str, is_mt32: bool) -> str | None:
    """Return the family by label or program (not for MT-32 numbering), else by words in the bank's or its own name."""
    if is_mt32:
        return family_of_name(name)
    if row.get("family") in FAMILIES:
        return str(row["family"])
    if row.get("gm_program") is not None:
        return family_of_program(row["gm_program"])
    return family_of_name(f"{bank or ''} {name}".replace("_", " "))


def _notes(rows: list[Row]) -> Iterator[SampledNote]:
    """Yield one note per file at its measured pitch; labels are sometimes a semitone off."""
    for row in rows:
        velocity = RECORDED_VELOCITY.get(str(row.get("dynamic")), UNKNOWN_VELOCITY)
        yield SampledNote(row["midi_measured"], velocity, row["file"])


def _slot_notes(slots: tuple[int, ...]) -> Iterator[SampledNote]:
    for slot in slots:
        pitch, velocity = SLOT_NOTES[slot]
        yield SampledNote(pitch, velocity, f"note {pitch} at velocity {velocity}")
