"""The chosen set of a query as a download: JSON, CSV, or a zip of both with the previews.

File names follow RFC 6266; what a spreadsheet would take for a formula is written as text.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app.archive import clean_name
from index.instrument_index import InstrumentIndex
from models.errors import InstrumentNotFound

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8", "zip": "application/zip"}
COLUMNS = (
    *("slot", "name", "family", "similarity", "active", "source", "licence", "gone", "preview"),
    "instrument_id",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")

Item = dict[str, Any]


def chosen_set(answer: Mapping[str, Any], ids: Sequence[str], index: InstrumentIndex) -> dict[str, Any]:
    """The document of the instruments `ids` of a query's answer; without any, of the best hit of every slot.

    An instrument stands under the slot that it resembles most; one that no slot has (found by likeness) has no slot.
    """
    slots = answer["slots"]
    wanted = dict.fromkeys(ids or [slot["hits"][0]["instrument_id"] for slot in slots if slot["hits"]])
    return {
        "query": answer["id"],
        "name": answer["name"],
        "library": answer["library"],
        "range_seconds": answer["range_seconds"],
        "instruments": [_item(number, one, slots, index) for number, one in enumerate(wanted, 1)],
    }


def as_json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8", "replace")


def as_csv(document: Mapping[str, Any]) -> bytes:
    """One row per instrument; spans are written `0-4.5; 6-12.4`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for item in document["instruments"]:
        spans = "; ".join(f"{start:g}-{end:g}" for start, end in item["active"])
        row = item | {"active": spans, "gone": str(item["gone"]).lower()}
        writer.writerow(_as_text(row[column]) for column in COLUMNS)
    return text.getvalue().encode("utf-8", "replace")


def write_zip(path: Path, document: Mapping[str, Any], index: InstrumentIndex) -> None:
    """`set.json`, `set.csv`, and under `previews/` the mp3 of every instrument that is still there."""
    with zipfile.ZipFile(path, "w") as archive:
        for item in document["instruments"]:
            if item["preview"]:
                try:
                    archive.write(index.folder.preview_file(item["instrument_id"]), item["preview"])
                except FileNotFoundError:  # purged meanwhile
                    item["preview"] = None
        archive.writestr("set.json", as_json(document))
        archive.writestr("set.csv", as_csv(document))


def file_name(document: Mapping[str, Any], suffix: str) -> str:
    """What the download is called, after the mixture."""
    return clean_name(f"{Path(str(document['name'])).stem} instruments.{suffix}")


def disposition(name: str) -> str:
    """The Content-Disposition of a download called `name`: in ASCII for old clients, and as it is."""
    plain = name.encode("ascii", "replace").decode().translate(str.maketrans('?"\\', "___"))
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _item(
    number: int, instrument_id: str, slots: Iterable[Mapping[str, Any]], index: InstrumentIndex
) -> Item:
    heard = [(hit, slot) for slot in slots for hit in slot["hits"] if hit["instrument_id"] == instrument_id]
    nowhere: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
    hit, slot = max(heard, key=lambda pair: float(pair[0]["similarity"]), default=nowhere)
    item: Item = {
        "instrument_id": instrument_id,
        "slot": slot.get("slot"),
        "name": hit.get("name"),
        "family": hit.get("family"),
        "similarity": hit.get("similarity"),
        "active": slot.get("active", []),
        "source": None,
        "licence": None,
        "gone": False,
        "preview": None,
    }
    try:
        info = index.instruments.get(instrument_id)
    except InstrumentNotFound:
        return item | {"gone": True}
    if index.folder.preview_file(instrument_id).is_file():
        item["preview"] = f"previews/{clean_name(f'{number:02d} {info.name}.mp3')}"
    return item | {"name": info.name, "family": info.family, "source": info.source, "licence": info.licence}


def _as_text(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
