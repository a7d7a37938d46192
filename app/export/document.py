"""A query's chosen instruments as a document, and the names of downloads, which follow RFC 6266."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from pydantic import ConfigDict, Field

from app.archive import clean_name
from app.parts import QueryParts
from app.schemas import Document, MatchOut, QueriedLibrary, QueryAnswer, SlotOut, Span
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo
from models.errors import InstrumentNotFound

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "zip": "application/zip"}
FindInstrument = Callable[[str], InstrumentInfo]
_PRESET = re.compile(r"#(\d+):(\d+)$")  # at the end of a SoundFont's source


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
    files: list[str] = Field(
        default=[],
        description="Paths of the files that it was enrolled from in the folder of the zip download, if these are asked for.",
    )
    no_files: str | None = Field(
        default=None,
        description="Why these files are not in the zip; null where they are, or are not asked for.",
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
                        "files": ["sources/TimGM6mb.sf2"],
                        "no_files": None,
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
