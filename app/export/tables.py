"""Chosen instruments, and the hits of answers, as CSV. Text that a spreadsheet would take for a formula is marked as text."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from app.export.document import ExportedSet
from app.schemas import QueryAnswer, Span

COLUMNS = (
    *("slot", "name", "family", "similarity", "active", "source", "licence", "gone", "preview"),
    *("instrument_id", "rank", "presence", "heard", "match", "bank", "preset", "midi"),
)
HIT_COLUMNS = (
    *("file", "slot", "presence", "active", "heard", "match", "probability"),  # `probability` of the match
    *("rank", "name", "family", "similarity", "source", "instrument_id"),
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
