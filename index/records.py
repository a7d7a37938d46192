"""Frozen views of the catalogue's rows, which the index gives to its callers, and the queries that find those rows.

Every function that takes a session works in its caller's transaction, so that all it finds belongs to one state of the
database. Names follow docs/ARCHITECTURE.md, "HTTP contract".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from index.catalog import Instrument, Library
from models.errors import InstrumentNotFound, LibraryNotFound

LibraryState = Literal["ready", "partly stale", "stale"]


class OwnedLibrary(Protocol):
    """Whose a library is: that of an access key (None: of the owner of the machine), and whether others may read it."""

    @property
    def name(self) -> str: ...

    @property
    def key_id(self) -> str | None: ...

    @property
    def shared(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """`encoder_hash` is that of the single encoder its instruments were embedded with.

    `num_stale` of its instruments were embedded with another encoder than the one in use and cannot be searched;
    `num_from_previews` were embedded from their previews, because their sources were not kept. `key_id` and `shared` are those
    of OwnedLibrary.
    """

    id: str
    name: str
    num_instruments: int
    created_at: datetime
    encoder_hash: str
    num_stale: int = 0
    num_from_previews: int = 0
    key_id: str | None = None
    shared: bool = False

    @property
    def state(self) -> LibraryState:
        """`ready`: all of it can be searched; `partly stale`: some of it can; `stale`: nothing of it can."""
        if not self.num_stale:
            return "ready"
        return "stale" if self.num_stale == self.num_instruments else "partly stale"

    @property
    def state_reason(self) -> str | None:
        """A sentence that says which instruments are stale, and why; None when none is."""
        if not self.num_stale:
            return None
        which = "all" if self.state == "stale" else f"{self.num_stale} of {self.num_instruments}"
        return f"{which} instruments were embedded with another encoder than the one in use and cannot be searched"


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """`playable_range` is the lowest and the highest MIDI pitch. It and `licence` are None where they are unknown.

    `family` is the one that its source or a person names. `families` are the probabilities that were recognised from its sound,
    None where a family is named, where a person says that none fits, and where nothing was recognised.
    `encoder_hash` is that of the encoder that it was embedded with, `from_preview` whether only its preview was.
    `tags` and `favourite` are what a person has marked it with.
    """

    id: str
    library_id: str
    name: str
    family: str | None
    source: str
    num_clips: int
    licence: str | None
    playable_range: tuple[int, int] | None
    encoder_hash: str
    from_preview: bool
    families: Mapping[str, float] | None = None
    tags: tuple[str, ...] = ()
    favourite: bool = False

    @property
    def recognised_family(self) -> str | None:
        """The most probable family where none is named; None where nothing was recognised."""
        return likeliest(self.families)


@dataclass(frozen=True, slots=True)
class Hit:
    """An instrument of a library with its cosine similarity (−1…1) to the query's embedding.

    `recognised_family` is the most probable one where none is named, as of `InstrumentInfo`.
    """

    instrument_id: str
    name: str
    family: str | None
    source: str
    similarity: float
    recognised_family: str | None = None


def likeliest(families: Mapping[str, float] | None) -> str | None:
    """The most probable of families; None without any."""
    return max(families, key=families.__getitem__) if families else None


def library_info(session: Session, library: Library, encoder_hash: str) -> LibraryInfo:
    """Make the view of a row, deleted or not; `encoder_hash` is that of the encoder in use."""
    session.flush()
    counted = _counted(encoder_hash).where(Library.id == library.id)
    return next(_infos(session, counted))


def library_infos(session: Session, encoder_hash: str, id_or_name: str | None = None) -> list[LibraryInfo]:
    """Make the views of all libraries, the oldest first, or of those with this id or name, in the order of `find_library`.

    Deleted ones are left out.
    """
    chosen: ColumnElement[bool] = Library.deleted_at.is_(None)
    order: tuple[ColumnElement[Any], ...] = (Library.created_at.asc(), Library.id.asc())
    if id_or_name is not None:
        chosen &= _is_called(id_or_name)
        order = _best_called(id_or_name)
    return list(_infos(session, _counted(encoder_hash).where(chosen).order_by(*order)))


def _counted(encoder_hash: str) -> Select[Library, int, int, int]:
    """Select each library with the numbers of its instruments, of stale ones and of those embedded from previews."""
    in_library = (Instrument.library_id == Library.id) & Instrument.deleted_at.is_(None)
    is_stale = (Instrument.encoder_hash != encoder_hash) | (Library.encoder_hash != encoder_hash)
    number = func.count(Instrument.vector_id)
    num_stale = func.count(case((is_stale, Instrument.vector_id)))
    num_from_previews = func.count(case((Instrument.from_preview, Instrument.vector_id)))
    counted = select(Library, number, num_stale, num_from_previews).outerjoin(Instrument, in_library)
    return counted.group_by(Library.id)


def _infos(session: Session, counted: Select[Library, int, int, int]) -> Iterator[LibraryInfo]:
    for row, number, num_stale, num_from_previews in session.execute(counted):
        counts = num_stale, num_from_previews
        yield LibraryInfo(
            row.id, row.name, number, row.created_at, row.encoder_hash, *counts, row.key_id, row.shared
        )


def library_sizes(
    session: Session, wanted: Callable[[OwnedLibrary], bool] = lambda library: True
) -> dict[str, int]:
    """Count the instruments of each library that is wanted, by its id; deleted ones are left out.

    Instruments are counted in an index alone, without their rows, so that this is quick for large libraries.
    """
    present = select(Instrument.library_id, func.count()).where(Instrument.deleted_at.is_(None))
    counted = dict(session.execute(present.group_by(Instrument.library_id)).all())
    kept = session.scalars(select(Library).where(Library.deleted_at.is_(None)))
    return {library.id: counted.get(library.id, 0) for library in kept if wanted(library)}


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
        encoder_hash=row.encoder_hash,
        from_preview=row.from_preview,
        families=None if row.family is not None or row.family_corrected else row.families,
        tags=tuple(row.tags.splitlines()),
        favourite=row.favourite,
    )


def instruments_of(*library_ids: str) -> Select[Instrument]:
    """Select the instruments of libraries in the order of enrollment; deleted ones are left out."""
    present = Instrument.library_id.in_(library_ids) & Instrument.deleted_at.is_(None)
    return select(Instrument).where(present).order_by(Instrument.vector_id)


def searchable_of(library_id: str) -> Select[Instrument]:
    """Select the instruments of a library that its present encoder has embedded, in the order of enrollment."""
    present = select(Library.encoder_hash).where(Library.id == library_id).scalar_subquery()
    return instruments_of(library_id).where(Instrument.encoder_hash == present)


def count_instruments(session: Session, library_id: str) -> int:
    """Count the library's instruments; deleted ones are left out."""
    return session.scalar(select(func.count()).select_from(instruments_of(library_id).subquery())) or 0


def find_library(session: Session, id_or_name: str) -> Library:
    """Find a library; where one's name is another's id, the id wins. Raises LibraryNotFound, also for a deleted one.

    Of several keys' libraries with one name it is that of the owner of the machine, or else the oldest.
    """
    present = _is_called(id_or_name) & Library.deleted_at.is_(None)
    found = session.scalars(select(Library).where(present).order_by(*_best_called(id_or_name))).first()
    if found is None:
        raise no_library(id_or_name)
    return found


def no_library(id_or_name: str) -> LibraryNotFound:
    """Return the error of a library that is not there, or must not be known to be."""
    return LibraryNotFound(f"there is no library {id_or_name[:100]!r}", value=id_or_name[:100])


def _is_called(id_or_name: str) -> ColumnElement[bool]:
    return (Library.id == id_or_name) | (Library.name == id_or_name)


def _best_called(id_or_name: str) -> tuple[ColumnElement[Any], ...]:
    """The order of libraries that are called so: the one with this id, that of no key, the oldest."""
    return (
        (Library.id == id_or_name).desc(),
        Library.key_id.is_(None).desc(),
        Library.created_at.asc(),
        Library.id.asc(),
    )


def find_instrument(session: Session, instrument_id: str) -> Instrument:
    """Find an instrument. Raises InstrumentNotFound, also for one that is deleted or whose library is."""
    present = Instrument.deleted_at.is_(None) & Library.deleted_at.is_(None)
    rows = select(Instrument).join(Library).where(Instrument.id == instrument_id, present)
    found = session.scalars(rows).first()
    if found is None:
        raise no_instrument(instrument_id)
    return found


def no_instrument(instrument_id: str) -> InstrumentNotFound:
    """Return the error of an instrument that is not there, or must not be known to be."""
    return InstrumentNotFound(f"there is no instrument {instrument_id[:100]!r}", value=instrument_id[:100])
