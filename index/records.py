"""Frozen views of the catalogue's rows, which the index gives to its callers, and the queries that find those rows.

Every function that takes a session works in its caller's transaction, so that all it finds belongs to one state of the
database. Names follow docs/ARCHITECTURE.md, "HTTP contract".
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from index.catalog import Instrument, Library
from models.errors import InstrumentNotFound, LibraryNotFound


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """`encoder_hash` is that of the single encoder its instruments were embedded with."""

    id: str
    name: str
    num_instruments: int
    created_at: datetime
    encoder_hash: str


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """`playable_range` is the lowest and the highest MIDI pitch. It and `licence` are None where they are unknown."""

    id: str
    library_id: str
    name: str
    family: str | None
    source: str
    num_clips: int
    licence: str | None
    playable_range: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Hit:
    """An instrument of a library with its cosine similarity (−1…1) to the query's embedding."""

    instrument_id: str
    name: str
    family: str | None
    source: str
    similarity: float


def library_info(row: Library, num_instruments: int) -> LibraryInfo:
    """Make the view of a row and of the number of its instruments."""
    return LibraryInfo(row.id, row.name, num_instruments, row.created_at, row.encoder_hash)


def instrument_info(row: Instrument) -> InstrumentInfo:
    """Make the view of a row."""
    return InstrumentInfo(
        id=row.id,
        library_id=row.library_id,
        name=row.name,
        family=row.family,
        source=row.source,
        num_clips=row.num_clips,
        licence=row.licence,
        playable_range=None
        if row.lowest_pitch is None or row.highest_pitch is None
        else (row.lowest_pitch, row.highest_pitch),
    )


def libraries_with_counts() -> Select[Library, int]:
    """Select each library with the number of its instruments; deleted ones are left out."""
    in_library = (Instrument.library_id == Library.id) & Instrument.deleted_at.is_(None)
    counted = select(Library, func.count(Instrument.vector_id)).outerjoin(Instrument, in_library)
    return counted.where(Library.deleted_at.is_(None)).group_by(Library.id)


def instruments_of(library_id: str) -> Select[Instrument]:
    """Select a library's instruments in the order of enrollment; deleted ones are left out."""
    present = (Instrument.library_id == library_id) & Instrument.deleted_at.is_(None)
    return select(Instrument).where(present).order_by(Instrument.vector_id)


def count_instruments(session: Session, library_id: str) -> int:
    """Count the library's instruments; deleted ones are left out."""
    return session.scalar(select(func.count()).select_from(instruments_of(library_id).subquery())) or 0


def find_library(session: Session, id_or_name: str) -> Library:
    """Find a library; where one's name is another's id, the id wins. Raises LibraryNotFound, also for a deleted one."""
    matches = ((Library.id == id_or_name) | (Library.name == id_or_name)) & Library.deleted_at.is_(None)
    rows = select(Library).where(matches).order_by((Library.id == id_or_name).desc())
    found = session.scalars(rows).first()
    if found is None:
        raise LibraryNotFound(f"there is no library {id_or_name[:100]!r}", value=id_or_name[:100])
    return found


def find_instrument(session: Session, instrument_id: str) -> Instrument:
    """Find an instrument. Raises InstrumentNotFound, also for one that is deleted or whose library is."""
    present = Instrument.deleted_at.is_(None) & Library.deleted_at.is_(None)
    rows = select(Instrument).join(Library).where(Instrument.id == instrument_id, present)
    found = session.scalars(rows).first()
    if found is None:
        raise InstrumentNotFound(f"there is no instrument {instrument_id[:100]!r}", value=instrument_id[:100])
    return found
