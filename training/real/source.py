"""A folder of real recordings as a source of instruments to train and to test on.

Sampled notes and drum kits play MIDI; percussion, voices, solos, stems and noises are cut (`training/real/recordings.py`).
Finished pieces and impulse responses are no instruments. `part` is the side that an instrument belongs to.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from index.sources.base import Floats, SourceInstrument
from index.sources.ids import slug
from index.sources.note_bank import LIMITS, RECORDED_VELOCITY, UNKNOWN_VELOCITY
from index.sources.note_files import read_note
from index.sources.sampled import InstrumentIdentity, SampledInstrument, SampledNote
from models.errors import SourceError
from training.real.drum_kit import DrumKit, is_kit
from training.real.recordings import RecordedSound
from training.real.rows import ID_PREFIX, INDEX, RecordingRow, read_rows
from training.real.variants import VariantSpec, variant

Part = Literal["train", "validation", "test-real"]
# One word for each way in which rows make an instrument: `drum` is a single piece, struck; `kit` plays all of its pieces.
InstrumentKind = Literal["drum", "kit", "loop", "noise", "notes", "solo", "stem", "voice"]
NOISE_FAMILY = "effect"
VARIANTS = (VariantSpec(-4, 1.5), VariantSpec(3, -1.5))  # of every training instrument
VELOCITY_LAYERS = 9  # layers "vl1"… and "v1"… of the sampled notes, from soft to loud


@dataclass(frozen=True, slots=True)
class _Entry:
    """One instrument of the index, not yet decoded."""

    identity: InstrumentIdentity
    rows: tuple[RecordingRow, ...]
    kind: InstrumentKind
    variant: VariantSpec | None = None

    @property
    def id(self) -> str:
        return self.identity.id + (self.variant.mark if self.variant else "")


class RealSource:
    """The instruments of a folder, by id. Solos of the training groups are its validation part: they are few and short."""

    def __init__(self, folder: Path) -> None:
        """Raises SourceError if the index is missing, damaged or names no instrument."""
        self.name, self._folder = folder.resolve().name, folder
        entries = list(_entries(read_rows(folder)))
        entries += [
            replace(entry, variant=spec)
            for entry in entries
            if entry.identity.part == "train"
            for spec in VARIANTS
        ]
        self._entries = {entry.id: entry for entry in sorted(entries, key=lambda entry: entry.id)}
        self.faults: tuple[tuple[str, str], ...] = ()
        if not self._entries:
            raise SourceError(f"{folder / INDEX} names no instrument", value=self.name, limit=INDEX)

    @property
    def files(self) -> tuple[Path, ...]:
        audio = (self._folder / row.file for entry in self._entries.values() for row in entry.rows)
        return tuple(sorted({self._folder / INDEX, *audio}))

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[SourceInstrument]:
        return map(self.get, self._entries)

    def get(self, key: str) -> SourceInstrument:
        """Return the instrument of an id, not yet decoded. Raises SourceError if there is none."""
        if key not in self._entries:
            raise SourceError(f"no instrument {key} in {self.name}", value=key)
        entry = self._entries[key]
        instrument = self._open(entry)
        return instrument if entry.variant is None else variant(instrument, entry.variant)

    def originals(self, part: Part, kind: InstrumentKind | None = None) -> Iterator[SourceInstrument]:
        """The instruments of a part, of one kind or of all, without their variants."""
        for entry in self._entries.values():
            if entry.identity.part == part and entry.variant is None and kind in (None, entry.kind):
                yield self._open(entry)

    def _open(self, entry: _Entry) -> SourceInstrument:
        if entry.kind == "kit":
            return DrumKit(entry.identity, entry.rows, self._read)
        if entry.kind == "notes":
            rows = [row for row in entry.rows if row.pitch is not None]
            notes = [SampledNote(row.pitch or 0.0, _velocity(row.dynamic), row.file) for row in rows]
            return SampledInstrument(entry.identity, notes, lambda number: self._read(rows[number]), LIMITS)
        return RecordedSound(entry.identity, entry.rows, self._read)

    def _read(self, row: RecordingRow) -> tuple[Floats, int]:
        return read_note(self._folder / row.file)


def _entries(rows: Sequence[RecordingRow]) -> Iterator[_Entry]:
    """The instruments of the rows, without variants."""
    groups: dict[tuple[str, ...], list[RecordingRow]] = defaultdict(list)
    for row in rows:
        if (key := _instrument_key(row)) is not None:
            groups[key].append(row)
    for key, found in groups.items():
        if key[0] == "drums" and not is_kit(found):
            pieces: dict[str, list[RecordingRow]] = defaultdict(list)
            for row in found:
                pieces[_plain(row.name or "")].append(row)
            for piece, strokes in pieces.items():
                yield _entry((*key, piece), f"{found[0].kit}: {piece}", strokes)
        else:
            yield _entry(key, _name(found[0]), found, is_kit=key[0] == "drums")


def _instrument_key(row: RecordingRow) -> tuple[str, ...] | None:
    """The key by which the rows of one instrument are known; None for a row of no single instrument."""
    if row.kind == "notes":
        return ("notes", row.folder)
    if row.kind == "drums" and not row.is_loop:
        return ("drums", row.group, row.kit or row.folder)
    if row.kind == "rooms" and not row.is_impulse_response:
        return ("noise", row.group, _plain(row.content or row.file))
    if row.kind == "stems" and row.family is not None:
        return ("stem", row.group, row.title or row.file)
    if row.kind == "voice":
        return ("voice", row.group, row.name or row.file)
    if row.kind == "solos" and row.family is not None:
        return ("solo", row.file)
    return ("loop", row.group, _plain(row.name or row.file)) if row.kind == "drums" else None


def _entry(key: tuple[str, ...], name: str, rows: Sequence[RecordingRow], *, is_kit: bool = False) -> _Entry:
    first = rows[0]
    kind = "kit" if is_kit else "drum" if key[0] == "drums" else key[0]
    family = NOISE_FAMILY if first.kind == "rooms" else first.family
    part: Part = "test-real" if first.side == "test" else "validation" if first.kind == "solos" else "train"
    return _Entry(
        InstrumentIdentity(ID_PREFIX + slug(" ".join(key)), name, family, first.group, first.licence, part),
        tuple(rows),
        cast(InstrumentKind, kind),
    )


def _name(row: RecordingRow) -> str:
    return row.kit or row.title or row.name or row.content or row.folder


def _plain(name: str) -> str:
    """A name without the numbers and marks that tell takes and layers of one instrument apart."""
    return re.sub(r"[\W\d_]+", " ", name).strip().lower() or name


def _velocity(dynamic: str | None) -> int:
    """The MIDI velocity of a sampled note's dynamic mark or layer."""
    if dynamic in RECORDED_VELOCITY:
        return RECORDED_VELOCITY[dynamic]
    layer = re.fullmatch(r"vl?(\d)", dynamic or "")
    return round(30 + 90 * int(layer[1]) / VELOCITY_LAYERS) if layer else UNKNOWN_VELOCITY
