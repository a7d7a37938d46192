"""Downloads of a query's chosen instruments: JSON, CSV, or a zip with a folder of both, the previews and the parts as MIDI.

File names follow RFC 6266. Text that a spreadsheet would take for a formula is marked as text.
"""

import csv
import io
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import IO
from urllib.parse import quote

from pydantic import ConfigDict, Field

from app.archive import CHUNK_BYTES, clean_name
from app.parts import QueryParts
from app.schemas import Document, MatchOut, QueriedLibrary, QueryAnswer, SlotOut, Span
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo
from models.errors import InstrumentNotFound

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "zip": "application/zip"}
COLUMNS = (
    *("slot", "name", "family", "similarity", "active", "source", "licence", "gone", "preview"),
    *("instrument_id", "rank", "presence", "heard", "match", "bank", "preset", "midi"),
)
HIT_COLUMNS = (
    *("file", "slot", "presence", "active", "heard", "match", "probability"),  # `probability` of the match
    *("rank", "name", "family", "similarity", "source", "instrument_id"),
)
FindInstrument = Callable[[str], InstrumentInfo]
_PRESET = re.compile(r"#(\d+):(\d+)$")  # at the end of a SoundFont's source
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportedInstrument(Document):
    """A chosen instrument, under the slot that it is most similar to."""

    instrument_id: str = Field(description="Id of the instrument.")
    slot: int | None = Field(
        default=None, description="Number of the slot; null when no slot has it as a hit."
    )
    name: str | None = Field(
        default=None,
        description="Name of the instrument now; its name in the answer when it is deleted; null when unknown.",
    )
    family: str | None = Field(
        default=None, description="Family of the instrument; null when it is not known."
    )
    similarity: float | None = Field(
        default=None, description="Cosine similarity to the slot; null without a slot."
    )
    active: list[Span] = Field(
        default=[], description="Spans in which the slot sounds: (start, end) in seconds."
    )
    source: str | None = Field(
        default=None, description="File, preset or folder that it was enrolled from; null when it is deleted."
    )
    licence: str | None = Field(default=None, description="Licence that the source states; null without one.")
    gone: bool = Field(default=False, description="Whether the instrument is deleted.")
    preview: str | None = Field(
        default=None,
        description="Path of its mp3 in the folder of the zip download; null when it has no preview.",
    )
    rank: int | None = Field(
        default=None, description="Its place among the hits of the slot, from 1; null without one."
    )
    presence: float | None = Field(default=None, description="Presence of the slot; null without one.")
    heard: str | None = Field(
        default=None, description="Family that is heard in the slot; null when none is, and without a slot."
    )
    match: MatchOut | None = Field(
        default=None,
        description="How likely the library holds what plays in the slot; null when it is not known.",
    )
    bank: int | None = Field(default=None, description="Bank of its preset in a SoundFont; null elsewhere.")
    preset: int | None = Field(default=None, description="Program number of its preset; null elsewhere.")
    midi: str | None = Field(
        default=None,
        description="Path of the slot's part as MIDI file in the folder of the zip download; null where no part is sure.",
    )


class ExportedSet(Document):
    """The chosen instruments of a query."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query": "q_8c2f6ad0915e",
                "name": "song.mp3",
                "library": {"id": "l_0b1e6f3c9a2d", "name": "TimGM6mb", "num_instruments": 136},
                "range_seconds": [0.0, 12.4],
                "instruments": [
                    {
                        "instrument_id": "i_5d1c9a04be77",
                        "slot": 0,
                        "name": "Fretless Bass",
                        "family": "bass",
                        "similarity": 0.83,
                        "active": [[0.0, 4.5], [6.0, 12.4]],
                        "source": "TimGM6mb.sf2#0:35",
                        "licence": "GPL-2.0",
                        "gone": False,
                        "preview": "previews/01 Fretless Bass.mp3",
                        "rank": 1,
                        "presence": 0.97,
                        "heard": "bass",
                        "match": {"probability": 0.86, "word": "strong"},
                        "bank": 0,
                        "preset": 35,
                        "midi": "midi/song - 1 bass.mid",
                    }
                ],
                "link": "http://127.0.0.1:8000/#/q/q_8c2f6ad0915e",
            }
        }
    )

    query: str = Field(description="Id of the query.")
    name: str = Field(description="File name of the mixture.")
    library: QueriedLibrary = Field(description="The library that was searched.")
    range_seconds: Span = Field(description="The analysed range: (start, end) in seconds of the file.")
    instruments: list[ExportedInstrument] = Field(description="The instruments, in the order of choice.")
    link: str | None = Field(
        description="Address of the answer on the page; null in files that no service wrote."
    )


def chosen_set(
    answer: QueryAnswer,
    ids: Sequence[str],
    index: InstrumentIndex,
    find: FindInstrument,
    page: str | None = None,
) -> ExportedSet:
    """Return the instruments `ids` as a document; without ids, the best hit of every slot.

    Each stands under the slot that it is most similar to, or under none if it is a hit of no slot. `page` is the address of
    the page, if there is one. `find` returns an instrument that the caller may see, and raises InstrumentNotFound for others.
    """
    wanted = dict.fromkeys(ids or [slot.hits[0].instrument_id for slot in answer.slots if slot.hits])
    return ExportedSet(
        query=answer.id,
        name=answer.name,
        library=answer.library,
        range_seconds=answer.range_seconds,
        instruments=[
            _exported(number, one, answer.slots, index, find) for number, one in enumerate(wanted, 1)
        ],
        link=page and f"{page}#/q/{answer.id}",
    )


def midi_files(chosen: ExportedSet, parts: QueryParts) -> dict[str, bytes]:
    """Return the parts of the chosen instruments' slots by their paths, which `chosen` names from now on.

    Parts that are not sure enough for the page to offer them are left out.
    """
    sure = {part.slot for part in parts.document.parts if part.confident}
    files = {}
    for item in chosen.instruments:
        if item.slot in sure:
            item.midi = f"midi/{parts.file_name(item.slot)}"
            files[item.midi] = parts.midi(item.slot)
    return files


def as_json(chosen: ExportedSet) -> bytes:
    """Return the document as JSON for people."""
    return chosen.model_dump_json(indent=2).encode()


def as_csv(chosen: ExportedSet) -> bytes:
    """Return one row per instrument; spans are written as `0-4.5; 6-12.4`."""
    rows = [
        item.model_dump()
        | {
            "active": spans_text(item.active),
            "gone": str(item.gone).lower(),
            "match": item.match and item.match.word,
        }
        for item in chosen.instruments
    ]
    return _csv(COLUMNS, rows, headings=True)


def hits_csv(answer: QueryAnswer, *, headings: bool) -> bytes:
    """Return one row per hit of every slot, best first; a slot without hits has one row."""
    rows: list[Mapping[str, object]] = []
    for slot in answer.slots:
        row = slot.model_dump() | {
            "file": answer.name,
            "active": spans_text(slot.active),
            "heard": slot.family,
            "match": slot.match and slot.match.word,
            "probability": slot.match and slot.match.probability,
            "family": None,
        }
        hits = [{"rank": rank} | hit.model_dump() for rank, hit in enumerate(slot.hits, 1)]
        rows += [row | hit for hit in hits or [{}]]
    return _csv(HIT_COLUMNS, rows, headings=headings)


def spans_text(spans: Sequence[Span]) -> str:
    """Write spans of seconds as `0-4.5; 6-12.4`."""
    return "; ".join(f"{start:g}-{end:g}" for start, end in spans)


def as_zip(
    chosen: ExportedSet, index: InstrumentIndex, midi: Mapping[str, bytes] = MappingProxyType({})
) -> IO[bytes]:
    """Return a zip of one folder, named as the mixture: `set.json`, `set.csv`, and `midi`, files by their paths.

    Under `previews/` is the mp3 of every instrument that is still there. The zip is a file without a name, at its end: nothing
    of it is left however the download ends.
    """
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=index.folder.tmp_dir))
        with zipfile.ZipFile(file, "w") as archive:
            folder = clean_name(Path(chosen.name).stem)
            _add_previews(archive, folder, chosen, index)
            for path, content in {**midi, "set.json": as_json(chosen), "set.csv": as_csv(chosen)}.items():
                archive.writestr(f"{folder}/{path}", content)
        stack.pop_all()
    return file


def files_as_zip(paths: Sequence[Path], folder: Path) -> IO[bytes]:
    """Return a zip of files, by their paths below the folder of all of them; it is as that of `as_zip`, made in `folder`."""
    common = Path(os.path.commonpath([path.parent for path in paths]))
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        with zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            for path in paths:
                name = path.relative_to(common).as_posix().encode("utf-8", "replace").decode()
                archive.write(path, name)
        stack.pop_all()
    return file


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of `file` from its beginning, and close it."""
    with file:
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _add_previews(archive: zipfile.ZipFile, folder: str, chosen: ExportedSet, index: InstrumentIndex) -> None:
    for item in chosen.instruments:
        if item.preview:
            try:
                archive.write(index.folder.preview_file(item.instrument_id), f"{folder}/{item.preview}")
            except FileNotFoundError:  # purged meanwhile
                item.preview = None


def file_name(chosen: ExportedSet, suffix: str) -> str:
    """Return the download's file name, which begins with the mixture's."""
    return clean_name(f"{Path(chosen.name).stem} instruments.{suffix}")


def disposition(name: str) -> str:
    """Return the Content-Disposition of a download called `name`: in ASCII for old clients, and in full."""
    plain = name.encode("ascii", "replace").decode().translate(str.maketrans('?"\\', "___"))
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _exported(
    number: int, instrument_id: str, slots: Sequence[SlotOut], index: InstrumentIndex, find: FindInstrument
) -> ExportedInstrument:
    heard = [(hit, slot) for slot in slots for hit in slot.hits if hit.instrument_id == instrument_id]
    item = ExportedInstrument(instrument_id=instrument_id)
    if heard:
        hit, slot = max(heard, key=lambda pair: pair[0].similarity)
        item.name, item.family, item.similarity = hit.name, hit.family, hit.similarity
        item.slot, item.active, item.presence = slot.slot, slot.active, slot.presence
        item.heard, item.match = slot.family, slot.match
        item.rank = 1 + [one.instrument_id for one in slot.hits].index(instrument_id)
    try:
        info = find(instrument_id)
    except InstrumentNotFound:
        item.gone = True
        return item
    if index.folder.preview_file(instrument_id).is_file():
        item.preview = f"previews/{clean_name(f'{number:02d} {info.name}.mp3')}"
    item.name, item.family, item.source, item.licence = info.name, info.family, info.source, info.licence
    if preset := _PRESET.search(info.source):
        item.bank, item.preset = map(int, preset.groups())
    return item


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, headings: bool) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if headings:
        writer.writerow(columns)
    for row in rows:
        writer.writerow(_as_text(row.get(column)) for column in columns)
    return text.getvalue().encode("utf-8", "replace")


def _as_text(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
