"""Downloads of a query's chosen instruments: JSON, CSV, or a zip of both with the previews.

File names follow RFC 6266. Text that a spreadsheet would take for a formula is marked as text.
"""

import csv
import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from urllib.parse import quote

from pydantic import ConfigDict, Field

from app.archive import CHUNK_BYTES, clean_name
from app.schemas import Document, QueriedLibrary, QueryAnswer, SlotOut, Span
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo
from models.errors import InstrumentNotFound

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "zip": "application/zip"}
COLUMNS = (
    *("slot", "name", "family", "similarity", "active", "source", "licence", "gone", "preview"),
    "instrument_id",
)
HIT_COLUMNS = (
    *("file", "slot", "presence", "active", "heard", "match", "probability"),  # `probability` of the match
    *("rank", "name", "family", "similarity", "source", "instrument_id"),
)
FindInstrument = Callable[[str], InstrumentInfo]
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
        default=None, description="Path of its mp3 in the zip download; null when it has no preview."
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
                    }
                ],
            }
        }
    )

    query: str = Field(description="Id of the query.")
    name: str = Field(description="File name of the mixture.")
    library: QueriedLibrary = Field(description="The library that was searched.")
    range_seconds: Span = Field(description="The analysed range: (start, end) in seconds of the file.")
    instruments: list[ExportedInstrument] = Field(description="The instruments, in the order of choice.")


def chosen_set(
    answer: QueryAnswer, ids: Sequence[str], index: InstrumentIndex, find: FindInstrument
) -> ExportedSet:
    """Return the instruments `ids` as a document; without ids, the best hit of every slot.

    `find` returns an instrument that the caller may see, and raises InstrumentNotFound for others.

    Each stands under the slot that it is most similar to, or under none if it is a hit of no slot.
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
    )


def as_json(chosen: ExportedSet) -> bytes:
    """Return the document as JSON for people."""
    return chosen.model_dump_json(indent=2).encode()


def as_csv(chosen: ExportedSet) -> bytes:
    """Return one row per instrument; spans are written as `0-4.5; 6-12.4`."""
    rows = [
        item.model_dump() | {"active": spans_text(item.active), "gone": str(item.gone).lower()}
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


def as_zip(chosen: ExportedSet, index: InstrumentIndex) -> IO[bytes]:
    """Return a zip of `set.json`, `set.csv`, and under `previews/` the mp3 of every instrument that is still there.

    It is a file without a name, at its end: nothing of it is left however the download ends.
    """
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=index.folder.tmp_dir))
        with zipfile.ZipFile(file, "w") as archive:
            _add_previews(archive, chosen, index)
            archive.writestr("set.json", as_json(chosen))
            archive.writestr("set.csv", as_csv(chosen))
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


def _add_previews(archive: zipfile.ZipFile, chosen: ExportedSet, index: InstrumentIndex) -> None:
    for item in chosen.instruments:
        if item.preview:
            try:
                archive.write(index.folder.preview_file(item.instrument_id), item.preview)
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
        item.slot, item.active = slot.slot, slot.active
    try:
        info = find(instrument_id)
    except InstrumentNotFound:
        item.gone = True
        return item
    if index.folder.preview_file(instrument_id).is_file():
        item.preview = f"previews/{clean_name(f'{number:02d} {info.name}.mp3')}"
    item.name, item.family, item.source, item.licence = info.name, info.family, info.source, info.licence
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
