"""How the instruments of a watched entry change with it: deleted, renamed with it, or replaced by those of its new content.

Each function works in its caller's transaction, which raises the library's revision (docs/ARCHITECTURE.md, decision 1).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from index.catalog import Instrument
from index.deletions import record_deletion
from index.enrollment.batches import free_name
from index.libraries import utc_now
from index.records import instruments_of
from index.sources.base import SourceInstrument

_BATCH = 500  # ids in one SQL condition


class MovedEntry(NamedTuple):
    """The instruments (ids) of an entry that lies elsewhere now, where it is opened there, and as what it is found there."""

    instruments: tuple[str, ...]
    source_path: str
    found: Sequence[SourceInstrument]


def present_rows(session: Session, library_id: str, ids: Collection[str]) -> list[Instrument]:
    """Return the rows with these ids that are not deleted, in the order of enrollment."""
    wanted = list(ids)
    rows: list[Instrument] = []
    for start in range(0, len(wanted), _BATCH):
        chosen = Instrument.id.in_(wanted[start : start + _BATCH])
        rows += session.scalars(instruments_of(library_id).where(chosen)).all()
    return sorted(rows, key=lambda row: row.vector_id)


def delete_instruments(session: Session, library_id: str, ids: Collection[str]) -> list[Instrument]:
    """Delete instruments, restorable for a while; return those that were there."""
    rows = present_rows(session, library_id, ids)
    for row in rows:
        row.deleted_at = utc_now()
        record_deletion(session, "instrument", row.id)
    return rows


def move_instruments(session: Session, library_id: str, moved: Iterable[MovedEntry]) -> None:
    """Let instruments follow their files: where their source is, and the names and families that follow from it.

    What a person has corrected stays, and so do embeddings and marks.
    """
    renamed: list[tuple[Instrument, str]] = []
    for entry in moved:
        rows = present_rows(session, library_id, entry.instruments)
        for row, found in _paired(rows, entry.found):
            row.source_path, row.source, row.source_key = entry.source_path, found.source, found.id
            if not row.family_corrected and found.family is not None:
                row.family = found.family
            if found.name != row.source_name and not row.name_corrected:
                renamed.append((row, found.name))
            row.source_name = found.name
    for row, _ in renamed:
        row.name = row.id  # names may be exchanged
    session.flush()
    taken = set(session.scalars(instruments_of(library_id).with_only_columns(Instrument.name)))
    for row, name in renamed:
        row.name = free_name(name, taken)
    session.flush()


def replace_instruments(
    session: Session, library_id: str, old: Collection[str], new: Collection[str]
) -> list[Instrument]:
    """Delete the `old` instruments of an entry; the `new` ones take over names, and what a person has corrected and marked.

    Returns those that were deleted.
    """
    deleted = delete_instruments(session, library_id, old)
    session.flush()  # their names are free
    of_key = {row.source_key: row for row in deleted}
    taken = set(session.scalars(instruments_of(library_id).with_only_columns(Instrument.name)))
    for row in present_rows(session, library_id, new):
        earlier = of_key.pop(row.source_key, None)
        if earlier is None:
            continue
        if earlier.name not in taken:
            taken.discard(row.name)
            taken.add(earlier.name)
            row.name, row.name_corrected = earlier.name, earlier.name_corrected
        if earlier.family_corrected:
            row.family, row.family_corrected = earlier.family, True
        row.tags, row.favourite = earlier.tags, earlier.favourite
    session.flush()
    return deleted


def enrolled_before(
    session: Session, library_id: str, source_paths: Collection[str], claimed: Collection[str]
) -> dict[tuple[str, str | None], Instrument]:
    """Return the instruments of these source paths that no entry has yet, by (source, id in its source).

    They were enrolled by hand, or by a run that was killed before it recorded them.
    """
    rows = session.scalars(instruments_of(library_id).where(Instrument.source_path.in_(list(source_paths))))
    return {(row.source, row.source_key): row for row in rows if row.id not in claimed}


def _paired(
    rows: Sequence[Instrument], found: Sequence[SourceInstrument]
) -> Iterable[tuple[Instrument, SourceInstrument]]:
    """Pair instruments with those of their moved source: by their names in it, and the rest in order."""
    of_name: dict[str | None, list[SourceInstrument]] = defaultdict(list)
    for one in reversed(found):
        of_name[one.name].append(one)
    pairs = [(row, of_name[row.source_name].pop()) for row in rows if of_name.get(row.source_name)]
    paired_rows, paired_found = {row.id for row, _ in pairs}, {id(one) for _, one in pairs}
    other_rows = [row for row in rows if row.id not in paired_rows]
    other_found = [one for one in found if id(one) not in paired_found]
    return [*pairs, *zip(other_rows, other_found, strict=False)]
