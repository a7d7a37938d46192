"""The instruments of the libraries: list, correct, delete and restore them, and keep corrections when enrolled again.

docs/ARCHITECTURE.md, decision 1: each change is one transaction of the catalogue, raises its library's revision, and the
vectors follow.
"""

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SQLColumnExpression,
    String,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import Session, defer

from index.catalog import Catalog, Instrument, Library
from index.deletions import record_deletion
from index.families import check_family
from index.libraries import DataFolder, LibraryStore, Wanted, clean_name, utc_now
from index.records import (
    InstrumentInfo,
    count_instruments,
    find_instrument,
    find_library,
    instrument_info,
    instruments_of,
)
from index.stored_embeddings import from_bytes
from index.vector_cache import VectorCache
from index.vector_store import Floats
from models.errors import IndexDamaged, InstrumentExists, InstrumentNotFound, InvalidRequest

MAX_INSTRUMENT_NAME_LENGTH = 300
SAME_SIMILARITY = 0.999  # one encoder embeds one sound twice, up to rounding
INSTRUMENT_CURSOR = "^[0-9]{1,18}$"  # the `after` of a page: a vector id
MAX_TAGS = 20
MAX_TAG_LENGTH = 40
UNKNOWN_FAMILY = "unknown"  # as a filter: instruments without a family
_BATCH = 500  # ids in one SQL condition

Sort = Literal["enrolled", "newest", "name", "family"]
_LOWER_NAME = func.lower(Instrument.name)
_ORDERS: dict[Sort, tuple[SQLColumnExpression[Any], ...]] = {
    "enrolled": (),
    "newest": (-Instrument.vector_id,),
    "name": (_LOWER_NAME,),
    "family": (func.coalesce(Instrument.family, "zz"), _LOWER_NAME),  # those without one come last
}


class Correction(TypedDict, total=False):
    """The fields of an instrument that a person changes; a field that is left out keeps its value."""

    name: str
    family: str | None
    tags: Sequence[str]
    favourite: bool


class InstrumentStore:
    """Reads and changes single instruments; `LibraryStore` does so for whole libraries."""

    def __init__(
        self, catalog: Catalog, folder: DataFolder, vectors: VectorCache, libraries: LibraryStore
    ) -> None:
        self._catalog = catalog
        self._folder = folder
        self._vectors = vectors
        self._libraries = libraries

    def page(
        self,
        library: str,
        limit: int = 50,
        after: str | None = None,
        family: str | None = None,
        search: str | None = None,
        *,
        sort: Sort = "enrolled",
        favourite: bool = False,
    ) -> tuple[list[InstrumentInfo], str | None]:
        """One page of a library, as `page_of`. Raises LibraryNotFound too."""
        with self._catalog.session() as session:
            library_id = find_library(session, library).id
        return self.page_of([library_id], limit, after, family, search, sort=sort, favourite=favourite)

    def page_of(
        self,
        library_ids: Collection[str],
        limit: int = 50,
        after: str | None = None,
        family: str | None = None,
        search: str | None = None,
        *,
        sort: Sort = "enrolled",
        favourite: bool = False,
    ) -> tuple[list[InstrumentInfo], str | None]:
        """One page of several libraries in the order `sort`, and the `after` of the next page (None on the last).

        Each word of `search` is part of the name or of a tag, in either case. `family` may be UNKNOWN_FAMILY, `favourite`
        leaves out all that is none. Raises InvalidRequest for `limit` below 1, an unknown family, or an
        `after` that no page returned.
        """
        if limit < 1:
            raise InvalidRequest(f"limit is {limit}; it must be at least 1", value=limit, limit="at least 1")
        order = (*_ORDERS[sort], Instrument.vector_id)
        with self._catalog.session() as session:
            rows = instruments_of(*library_ids).order_by(None).order_by(*order)
            if after is not None:
                rows = rows.where(tuple_(*order) > tuple_(*_place(session, order, after)))
            if family == UNKNOWN_FAMILY:
                rows = rows.where(Instrument.family.is_(None))
            elif family is not None:
                check_family(family)
                rows = rows.where(Instrument.family == family)
            if favourite:
                rows = rows.where(Instrument.favourite)
            for word in (search or "").split():
                columns = (Instrument.name, Instrument.tags)
                rows = rows.where(or_(*(column.icontains(word, autoescape=True) for column in columns)))
            page = session.scalars(rows.limit(limit + 1)).all()
        following = str(page[limit - 1].vector_id) if len(page) > limit else None
        return [instrument_info(row) for row in page[:limit]], following

    def get(self, instrument_id: str) -> InstrumentInfo:
        """Return an instrument. Raises InstrumentNotFound."""
        with self._catalog.session() as session:
            return instrument_info(find_instrument(session, instrument_id))

    def find(self, library: str, id_or_name: str) -> InstrumentInfo:
        """Return the library's instrument with this id or name; an id wins. Raises LibraryNotFound, InstrumentNotFound."""
        with self._catalog.session() as session:
            found = find_library(session, library)
            rows = instruments_of(found.id)
            for chosen in (Instrument.id == id_or_name, Instrument.name == id_or_name):
                if row := session.scalars(rows.where(chosen)).first():
                    return instrument_info(row)
            shown = id_or_name[:MAX_INSTRUMENT_NAME_LENGTH]
            raise InstrumentNotFound(f"{found.name} has no instrument {shown!r}", value=shown)

    def by_vector_id(self, vector_ids: Sequence[int]) -> dict[int, InstrumentInfo]:
        """The instruments with these vector ids; ids of deleted ones are left out."""
        found: dict[int, InstrumentInfo] = {}
        with self._catalog.session() as session:
            for start in range(0, len(vector_ids), _BATCH):
                chosen = Instrument.vector_id.in_(vector_ids[start : start + _BATCH])
                rows = select(Instrument).where(chosen, Instrument.deleted_at.is_(None))
                present = session.scalars(rows.options(defer(Instrument.embedding)))
                found |= {row.vector_id: instrument_info(row) for row in present}
        return found

    def preview_path(self, instrument_id: str) -> Path:
        """The instrument's mp3. Raises InstrumentNotFound if the instrument or its preview does not exist."""
        instrument = self.get(instrument_id)
        path = self._folder.preview_file(instrument_id)
        if not path.is_file():
            raise InstrumentNotFound(f"{instrument.name} has no preview", value=instrument_id)
        return path

    def correct(self, instrument_id: str, correction: Correction) -> InstrumentInfo:
        """Change an instrument's name, its family, its tags, or whether it is a favourite.

        Raises InstrumentNotFound, InvalidRequest for an invalid name, an unknown family or an invalid tag, InstrumentExists
        for a name that another instrument of the library has.
        """
        (corrected,) = self.correct_all([instrument_id], correction)
        return corrected

    def correct_all(self, instrument_ids: Sequence[str], correction: Correction) -> list[InstrumentInfo]:
        """Change several instruments as `correct` does, all of them or none; they are returned in the order of the ids."""
        libraries: dict[str, Library] = {}
        with self._catalog.write() as session:
            rows = [find_instrument(session, one) for one in instrument_ids]
            for row in rows:
                library = libraries.setdefault(row.library_id, session.get_one(Library, row.library_id))
                library.revision += _corrected(session, library, row, correction)
        for library in libraries.values():
            self._vectors.follow(library)
        return [instrument_info(row) for row in rows]

    def delete(self, instrument_id: str) -> None:
        """Delete an instrument; `restore` brings it back. Raises InstrumentNotFound."""
        with self._catalog.deleting() as session:
            instrument = find_instrument(session, instrument_id)
            library = session.get_one(Library, instrument.library_id)
            instrument.deleted_at = utc_now()
            library.revision += 1
            record_deletion(session, "instrument", instrument_id)
        self._vectors.follow(library)
        self._libraries.purge_if_possible()

    def restore(self, instrument_id: str, wanted: Wanted = lambda library: True) -> InstrumentInfo:
        """Bring a deleted instrument back; one that is not deleted is returned as it is.

        One that another encoder has embedded than its library comes back stale. Raises InstrumentNotFound if it does not
        exist, was purged or its library is deleted or not `wanted`, InstrumentExists if its name has been taken since.
        """
        with self._catalog.write() as session:
            instrument = session.scalars(select(Instrument).where(Instrument.id == instrument_id)).first()
            library = session.get(Library, instrument.library_id) if instrument else None
            if (
                instrument is None
                or library is None
                or library.deleted_at is not None
                or not wanted(library)
                or not self._libraries.can_restore(instrument.deleted_at)
            ):
                shown = instrument_id[:100]
                raise InstrumentNotFound(f"there is no instrument {shown!r} to restore", value=shown)
            if instrument.deleted_at is not None:
                _check_name_is_free(session, library, instrument.name)
                if not count_instruments(session, library.id):
                    library.encoder_hash = instrument.encoder_hash
                instrument.deleted_at = None
                library.revision += 1
        self._vectors.follow(library)
        return instrument_info(instrument)


class Corrections:
    """The corrected and marked instruments of one library, including deleted ones until they are purged.

    Enrolling a source again keeps the names and families that a person has corrected, tags and favourites. The source, the
    source's own name for the sound and, where the encoder is the same, the embedding identify it: two files called
    `Bass.wav` need not hold the same bass.
    """

    def __init__(self, session: Session, library_id: str) -> None:
        marked = (Instrument.tags != "") | Instrument.favourite
        corrected = Instrument.name_corrected | Instrument.family_corrected | marked
        rows = select(Instrument).where(Instrument.library_id == library_id, corrected)
        self._rows: dict[tuple[str, str | None], list[Instrument]] = {}
        for row in session.scalars(rows.order_by(Instrument.vector_id.desc())):
            self._rows.setdefault((row.source, row.source_name), []).append(row)

    def find(self, source: str, name: str, encoder_hash: str, embedding: Floats) -> Instrument | None:
        """The newest such row of the sound that `source` calls `name`, with this unit `embedding [dim]`."""
        for row in self._rows.get((source, name), ()):
            if row.encoder_hash != encoder_hash:
                return row
            with suppress(IndexDamaged):  # it cannot be compared
                earlier = from_bytes(row.embedding)
                if earlier.shape == embedding.shape and float(np.dot(earlier, embedding)) >= SAME_SIMILARITY:
                    return row
        return None


def _corrected(session: Session, library: Library, instrument: Instrument, correction: Correction) -> bool:
    """Correct the row of an instrument, and return whether that changed it. Raises as `InstrumentStore.correct`."""
    before = instrument.name, instrument.family, instrument.family_corrected
    if "name" in correction:
        name = clean_name("an instrument's name", correction["name"], MAX_INSTRUMENT_NAME_LENGTH)
        if name != instrument.name:
            _check_name_is_free(session, library, name)
            instrument.name, instrument.name_corrected = name, True
    if "family" in correction and (correction["family"] != instrument.family or instrument.families):
        # With recognised families, no family is a correction too: that none of them fits.
        check_family(correction["family"])
        instrument.family, instrument.family_corrected = correction["family"], True
    if "tags" in correction:
        instrument.tags = "\n".join(_clean_tags(correction["tags"]))
    if "favourite" in correction:
        instrument.favourite = correction["favourite"]
    # Marks are not searched.
    return before != (instrument.name, instrument.family, instrument.family_corrected)


def _place(
    session: Session, order: Sequence[SQLColumnExpression[Any]], after: str
) -> Sequence[ColumnElement[Any]]:
    """Return the values of `order` at the last instrument of a page. Raises InvalidRequest if no page returned `after`."""
    message = "`after` must be the `next` of an earlier page"
    if not re.fullmatch(INSTRUMENT_CURSOR, after):
        raise InvalidRequest(message, value=after[:50])
    last = literal(int(after), BigInteger)
    if len(order) == 1:
        return (last,)  # also after an instrument that was purged meanwhile
    keys: list[ColumnElement[Any]] = [column.label(f"key_{number}") for number, column in enumerate(order)]
    row = session.execute(select(*keys).where(Instrument.vector_id == last)).first()
    if row is None:
        raise InvalidRequest(message, value=after)
    return [literal(value, BigInteger() if isinstance(value, int) else String()) for value in row]


def _clean_tags(tags: Sequence[str]) -> list[str]:
    """Return the tags with white space counted once, each once in whichever case. Raises InvalidRequest for unusable ones."""
    if len(tags) > MAX_TAGS:
        message = f"{len(tags)} tags are too many; an instrument has at most {MAX_TAGS}"
        raise InvalidRequest(message, value=len(tags), limit=MAX_TAGS)
    kept: dict[str, str] = {}
    for tag in tags:
        cleaned = clean_name("a tag", tag, MAX_TAG_LENGTH)
        kept.setdefault(cleaned.casefold(), cleaned)
    return list(kept.values())


def _check_name_is_free(session: Session, library: Library, name: str) -> None:
    """Raise InstrumentExists if an instrument of the library has the name; a deleted one's name is free."""
    if session.scalars(instruments_of(library.id).where(Instrument.name == name)).first() is not None:
        raise InstrumentExists(f"{library.name!r} has an instrument {name!r} already", value=name)
