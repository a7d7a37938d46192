"""The instrument library as the service sees it: libraries, instruments, and the search of section 3.3 (Kim et al. 2022).

One data folder: `showme.db` is the truth; `vectors/`, `previews/` and `tmp/` follow it. Several threads, and several
processes, may use the same folder at once.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import defer

from index.catalog import Instrument, Library, from_bytes
from index.duplicates import groups_of
from index.lookups import (
    all_libraries,
    count_instruments,
    find_instrument,
    find_library,
    instrument_info,
    instruments_of,
    library_info,
)
from index.naming import MAX_NAME_LENGTH, check_family
from index.records import Hit, InstrumentInfo, LibraryInfo
from index.shelf import Correction, Shelf
from index.vector_cache import LibraryVectors
from index.vector_store import Floats
from models.errors import EncoderMismatch, InstrumentNotFound, InvalidRequest, LibraryEmpty

__all__ = [
    "MAX_NAME_LENGTH",
    "Correction",
    "Hit",
    "InstrumentIndex",
    "InstrumentInfo",
    "LibraryInfo",
    "instrument_info",
]


class InstrumentIndex(Shelf):
    """Everything about libraries and instruments: what a `Shelf` changes, and here what is read and searched."""

    # Libraries

    def libraries(self) -> list[LibraryInfo]:
        """All libraries, the oldest first."""
        with self.catalog.session() as session:
            rows = session.execute(all_libraries().order_by(Library.created_at, Library.id)).all()
            return [library_info(library, num_instruments) for library, num_instruments in rows]

    def library(self, id_or_name: str) -> LibraryInfo:
        """Raises LibraryNotFound."""
        with self.catalog.session() as session:
            found = find_library(session, id_or_name)
            return library_info(found, count_instruments(session, found.id))

    def revision(self, library_id: str) -> int:
        """The number of changes to a library so far. Raises LibraryNotFound."""
        with self.catalog.session() as session:
            return find_library(session, library_id).revision

    # Instruments

    def instruments(
        self,
        library: str,
        limit: int = 50,
        after: str | None = None,
        family: str | None = None,
        search: str | None = None,
    ) -> tuple[list[InstrumentInfo], str | None]:
        """One page in the order of enrollment, and what to pass as `after` for the next (None: this is the last).

        `search` is part of a name, in either case. Raises LibraryNotFound, and InvalidRequest for `limit` below 1, an
        unknown family, or an `after` that no page gave.
        """
        _check_at_least_one("limit", limit)
        check_family(family)
        with self.catalog.session() as session:
            found = find_library(session, library)
            rows = instruments_of(found.id)
            if after is not None:
                if not (after.isascii() and after.isdigit() and len(after) < 19):
                    raise InvalidRequest(
                        "`after` is not what an earlier page gave as `next`", value=after[:50]
                    )
                rows = rows.where(Instrument.vector_id > int(after))
            if family is not None:
                rows = rows.where(Instrument.family == family)
            if search:
                rows = rows.where(Instrument.name.icontains(search, autoescape=True))
            page = session.scalars(rows.limit(limit + 1)).all()
        more = str(page[limit - 1].vector_id) if len(page) > limit else None
        return [instrument_info(row) for row in page[:limit]], more

    def instrument(self, instrument_id: str) -> InstrumentInfo:
        """Raises InstrumentNotFound."""
        with self.catalog.session() as session:
            return instrument_info(find_instrument(session, instrument_id))

    def preview_path(self, instrument_id: str) -> Path:
        """The instrument's mp3. Raises InstrumentNotFound if there is no such instrument, or it has no preview."""
        instrument = self.instrument(instrument_id)
        path = self.preview_file(instrument_id)
        if not path.is_file():
            raise InstrumentNotFound(f"{instrument.name} has no preview", value=instrument_id)
        return path

    # Search

    def candidates(
        self,
        library: str,
        queries: Floats,
        k: int,
        family: str | None = None,
        exclude: Collection[str] = (),
    ) -> list[list[Hit]]:
        """For each embedding of `queries [q, dim]` the `k` most similar instruments, best first, none of `exclude`'s ids.

        Raises LibraryNotFound, LibraryEmpty, EncoderMismatch, and InvalidRequest for `k` below 1 or an unknown family.
        """
        _check_at_least_one("top_k", k)
        check_family(family)
        return self.searchable(library).search(queries, k, family, exclude)

    def similar(self, instrument_id: str, k: int) -> list[Hit]:
        """The `k` instruments of the same library most similar to this one, itself left out.

        Raises InstrumentNotFound, EncoderMismatch, and InvalidRequest for `k` below 1.
        """
        _check_at_least_one("k", k)
        with self.catalog.session() as session:
            instrument = find_instrument(session, instrument_id)
        found = self.searchable(instrument.library_id).search(from_bytes(instrument.embedding)[None], k + 1)[
            0
        ]
        return [candidate for candidate in found if candidate.instrument_id != instrument_id][:k]

    def duplicates(
        self, library: str, min_similarity: float, limit: int
    ) -> list[tuple[float, list[InstrumentInfo]]]:
        """At most `limit` groups of near-identical instruments, the most similar first: `groups_of` their embeddings.

        Each with the lowest cosine to its first and its members in the order of enrollment. Raises LibraryNotFound and
        EncoderMismatch.
        """
        try:
            vectors = self.searchable(library)
        except LibraryEmpty:
            return []
        ids = np.array([row.vector_id for row in vectors.rows], np.int64)
        groups = groups_of(vectors.store.vectors(ids), min_similarity)[:limit]
        wanted = [int(one) for group in groups for one in ids[group.members]]
        found: dict[int, InstrumentInfo] = {}
        with self.catalog.session() as session:
            for start in range(0, len(wanted), 500):
                rows = select(Instrument).where(Instrument.vector_id.in_(wanted[start : start + 500]))
                kept = rows.where(Instrument.deleted_at.is_(None)).options(defer(Instrument.embedding))
                found |= {row.vector_id: instrument_info(row) for row in session.scalars(kept)}
        members = [[found[one] for one in ids[group.members].tolist() if one in found] for group in groups]
        pairs = zip(groups, members, strict=True)
        return [(group.similarity, infos) for group, infos in pairs if len(infos) > 1]

    def searchable(self, id_or_name: str) -> LibraryVectors:
        """The library's vectors at its present revision; they are loaded again only if the library has changed.

        Raises LibraryNotFound, LibraryEmpty and EncoderMismatch.
        """
        with self.catalog.session() as session:
            library = find_library(session, id_or_name)
            if library.encoder_hash != self.encoder_hash and count_instruments(session, library.id):
                self.check_encoder(library.name, library.encoder_hash)
        vectors = self.vectors.get(library.id, library.revision)
        if not vectors.rows:
            raise LibraryEmpty(f"library {library.name!r} has no instruments yet", value=library.name)
        return vectors

    def check_encoder(self, library_name: str, encoder_hash: str) -> None:
        """Raises EncoderMismatch, saying what to run, if a library was embedded with another encoder than ours."""
        if encoder_hash != self.encoder_hash:
            raise EncoderMismatch(
                f"library {library_name!r} was embedded with another encoder than the one in use; enrol it again: "
                "`showme index remove`, then `showme index add`",
                value=encoder_hash,
                limit=self.encoder_hash,
            )

    # Upkeep

    def rebuild(self, library: str | None = None) -> int:
        """Make the vector files of one library, or of all, again from the catalogue; how many vectors they hold.

        Raises LibraryNotFound, and EncoderMismatch for a library that can only be enrolled again.
        """
        chosen = self.libraries() if library is None else [self.library(library)]
        for info in chosen:
            self.check_encoder(info.name, info.encoder_hash)
        for info in chosen:
            self.vectors.forget(info.id)
            self.vectors.get(info.id, 0)
        return sum(info.num_instruments for info in chosen)

    def verify(self, library: str | None = None) -> list[str]:
        """What is wrong with the database, vectors and previews, in words; empty if nothing is. Changes nothing."""
        from index.verify import faults_of  # it looks into this class

        return faults_of(self, [self.library(library)] if library is not None else self.libraries())


def _check_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise InvalidRequest(f"{name} is {value}; it must be at least 1", value=value, limit="at least 1")
