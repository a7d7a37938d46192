"""Reads the index of a folder of real recordings: one row a file, with its kind, family, group and side.

`docs/DATA.md` describes the folder. A `group` is the unit that is never divided between training and testing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast, get_args

from index.families import FAMILIES
from models.errors import SourceError

ID_PREFIX = "real_"  # of the instruments that real recordings make
INDEX = "index.jsonl"
SURE_PITCH = 0.6  # a measured pitch of less confidence is not believed

RecordingKind = Literal["drums", "mixes", "notes", "rooms", "solos", "stems", "voice"]
Side = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One file: `family` and `name` are None where the instruments are unknown, `pitch` (MIDI) for all but notes."""

    file: str  # below the folder, with forward slashes
    kind: RecordingKind
    name: str | None
    family: str | None
    group: str
    side: Side
    seconds: float
    licence: str
    kit: str | None = None
    title: str | None = None
    content: str | None = None  # of rooms: an impulse response, or what makes the noise
    pitch: float | None = None
    dynamic: str | None = None
    peak: float = 1.0  # before the files were normalised, full scale 1
    is_loop: bool = False

    @property
    def folder(self) -> str:
        """The name of the folder that holds the file."""
        return PurePosixPath(self.file).parts[-2]

    @property
    def is_impulse_response(self) -> bool:
        return (self.content or "").startswith("impulse response")


def is_real_folder(path: Path) -> bool:
    """Whether `path` is a folder of real recordings: its index begins with a row that has a kind and a side."""
    try:
        with (path / INDEX).open("rb") as file:
            row = json.loads(file.readline())
    except (OSError, ValueError):
        return False
    return isinstance(row, dict) and {"kind", "split", "group"} <= row.keys()


def read_rows(folder: Path) -> tuple[RecordingRow, ...]:
    """Read the index, in its order. Raises SourceError for a missing index and for a row that is not valid, by its line."""
    return tuple(_rows(folder))


def _rows(folder: Path) -> Iterator[RecordingRow]:
    path = folder / INDEX
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", value=path.name, limit=INDEX) from error
    for number, line in enumerate(lines, 1):
        try:
            yield _row(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{INDEX}, line {number}: {error}", value=number) from error


def _row(row: dict[str, Any]) -> RecordingRow:
    """Raises KeyError or ValueError for a field that is missing or not valid."""
    kind, side, family = row["kind"], row["split"], row["family"]
    file = PurePosixPath(row["file"])
    for name, value, allowed in (
        ("kind", kind, get_args(RecordingKind)),
        ("split", side, get_args(Side)),
        ("family", family, (*FAMILIES, None)),
    ):
        if value not in allowed:
            raise ValueError(
                f"{name} is {str(value)[:50]!r}; it must be one of {', '.join(map(str, allowed))}"
            )
    if file.is_absolute() or ".." in file.parts or len(file.parts) < 2:
        raise ValueError(f"file is {row['file']!r}; it must lie in a folder below the index")
    return RecordingRow(
        file=row["file"],
        kind=cast(RecordingKind, kind),
        name=row["instrument"],
        family=family,
        group=row["group"],
        side=cast(Side, side),
        seconds=float(row["seconds"]),
        licence=row["licence"],
        kit=row.get("kit"),
        title=row.get("title"),
        content=row.get("what"),
        pitch=_pitch(row),
        dynamic=row.get("dynamic"),
        peak=float(row.get("peak_src") or 1.0),
        is_loop=bool(row.get("loop")),
    )


def _pitch(row: dict[str, Any]) -> float | None:
    """The measured pitch where it is sure, else the labelled one."""
    measured, labelled = row.get("midi_measured"), row.get("midi_labelled")
    is_sure = measured is not None and (row.get("pitch_conf") or 0.0) >= SURE_PITCH
    found = measured if is_sure or labelled is None else labelled
    return None if found is None else float(found)
