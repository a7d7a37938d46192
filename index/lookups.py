"""Finds rows of the catalogue by what callers know them by, and turns them into the views of `records`.

Every function works in the caller's session, so that what it finds belongs to one state of the database.
"""

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from index.catalog import Instrument, Library
from index.records import InstrumentInfo, LibraryInfo
from models.errors import InstrumentNotFound, LibraryNotFound


def instrument_info(row: Instrument) -> InstrumentInfo:
    """The view of a row."""
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


def all_libraries() -> Select[Library, int]:
    """Each library with the number of its instruments, what is deleted left out."""
    theirs = (Instrument.library_id == Library.id) & Instrument.deleted_at.is_(None)
    counted = select(Library, func.count(Instrument.vector_id)).outerjoin(Instrument, theirs)
    return counted.where(Library.deleted_at.is_(None)).group_by(Library.id)


def instruments_of(library_id: str) -> Select[Instrument]:
    """The rows of a library's instruments in the order of enrollment, deleted ones left out."""
    kept = (Instrument.library_id == library_id) & Instrument.deleted_at.is_(None)
    return select(Instrument).where(kept).order_by(Instrument.vector_id)


def library_info(row: Library, num_instruments: int) -> LibraryInfo:
    """The view of a row and of the number of its instruments."""
    return LibraryInfo(row.id, row.name, num_instruments, row.created_at, row.encoder_hash)


def find_library(session: Session, id_or_name: str) -> Library:
    """Where one's name is another's id, the id wins. Raises LibraryNotFound, also for one that is deleted."""
    wanted = ((Library.id == id_or_name) | (Library.name == id_or_name)) & Library.deleted_at.is_(None)
    found = session.scalars(select(Library).where(wanted).order_by((Library.id == id_or_name).desc())).first()
    if found is None:
        raise LibraryNotFound(f"there is no library {id_or_name[:100]!r}", value=id_or_name[:100])
    return found


def count_instruments(session: Session, library_id: str) -> int:
    """How many instruments the library has, deleted ones left out."""
    return session.scalar(select(func.count()).select_from(instruments_of(library_id).subquery())) or 0


def find_instrument(session: Session, instrument_id: str) -> Instrument:
    """Raises InstrumentNotFound, also for one that is deleted or whose library is."""
    kept = Instrument.deleted_at.is_(None) & Library.deleted_at.is_(None)
    rows = select(Instrument).join(Library).where(Instrument.id == instrument_id, kept)
    found = session.scalars(rows).first()
    if found is None:
        raise InstrumentNotFound(f"there is no instrument {instrument_id[:100]!r}", value=instrument_id[:100])
    return found
