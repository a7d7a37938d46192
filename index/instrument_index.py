"""The instrument library as the service sees it: libraries, instruments, and the search of section 3.3 (Kim et al. 2022).

One data folder: `showme.db` is the truth; `vectors/`, `previews/` and `tmp/` follow it. Several threads, and several
processes, may use the same folder at once.
"""

import logging
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from index.catalog import Catalog, Instrument, Library, from_bytes
from index.families import FAMILIES
from index.library_vectors import LibraryVectors, VectorCache
from index.lookups import (
    all_libraries,
    count_instruments,
    find_instrument,
    find_library,
    instrument_info,
    library_info,
)
from index.records import Candidate, InstrumentInfo, LibraryInfo
from index.vectors import Floats
from models.errors import (
    EncoderMismatch,
    IndexDamaged,
    InstrumentNotFound,
    InvalidRequest,
    LibraryEmpty,
    LibraryExists,
)

__all__ = ["Candidate", "InstrumentIndex", "InstrumentInfo", "LibraryInfo", "instrument_info"]

log = logging.getLogger(__name__)

MAX_NAME_LENGTH = 200
LEFTOVER_SECONDS = 24 * 3600.0  # an enrollment of another process may be at work on younger files


class InstrumentIndex:
    """Everything about libraries and instruments. Call `open()` before anything else."""

    def __init__(self, data_dir: Path, encoder_hash: str, embedding_dim: int, device: str = "cpu") -> None:
        self.data_dir = data_dir
        self.encoder_hash = encoder_hash
        self.embedding_dim = embedding_dim
        self.previews_dir = data_dir / "previews"
        self.tmp_dir = data_dir / "tmp"
        self.queries_dir = data_dir / "queries"
        self.vectors_dir = data_dir / "vectors"
        self.catalog = Catalog(data_dir / "showme.db")
        self.vectors = VectorCache(self.catalog, self.vectors_dir, embedding_dim, device)

    def open(self) -> None:
        """Migrate the catalogue and bring every library's vectors in line with it.

        Raises IndexDamaged if `showme.db` is not a catalogue. Libraries of another encoder, and those whose embeddings
        are damaged in the catalogue itself, are left as they are: they can be listed, and are refused when searched.
        """
        self.catalog.migrate()
        for folder in (self.previews_dir, self.tmp_dir, self.queries_dir, self.vectors_dir):
            folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        with self.catalog.session() as session:
            libraries = session.scalars(
                select(Library).where(Library.encoder_hash == self.encoder_hash)
            ).all()
        for library in libraries:
            try:
                self.vectors.get(library.id, library.revision)
            except IndexDamaged as error:  # the other libraries can be used
                log.error("library %r cannot be searched: %s", library.name, error)

    def close(self) -> None:
        self.catalog.close()

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

    def create_library(self, name: str) -> LibraryInfo:
        """Raises InvalidRequest for an empty or overlong name, LibraryExists for one that is taken."""
        name = " ".join(name.split())
        if not 1 <= len(name) <= MAX_NAME_LENGTH:
            limit = f"1 to {MAX_NAME_LENGTH} characters"
            raise InvalidRequest(
                f"a library's name has {limit}, this one {len(name)}", value=name[:50], limit=limit
            )
        try:
            with self.catalog.write() as session:
                library = Library(name=name, encoder_hash=self.encoder_hash)
                session.add(library)
        except IntegrityError as error:
            raise LibraryExists(f"there is a library {name!r} already", value=name) from error
        return library_info(library, 0)

    def revision(self, library_id: str) -> int:
        """The number of changes to a library so far. Raises LibraryNotFound."""
        with self.catalog.session() as session:
            return find_library(session, library_id).revision

    def delete_library(self, id_or_name: str) -> None:
        """With all its instruments, vectors and previews. Raises LibraryNotFound."""
        with self.catalog.write() as session:
            library = find_library(session, id_or_name)
            instrument_ids = session.scalars(
                select(Instrument.id).where(Instrument.library_id == library.id)
            ).all()
            session.execute(delete(Library).where(Library.id == library.id))
        self.vectors.forget(library.id)
        for instrument_id in instrument_ids:
            self._preview_file(instrument_id).unlink(missing_ok=True)

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
        _check_family(family)
        with self.catalog.session() as session:
            found = find_library(session, library)
            rows = select(Instrument).where(Instrument.library_id == found.id).order_by(Instrument.vector_id)
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

    def remove_instrument(self, instrument_id: str) -> None:
        """With its vector and preview. Raises InstrumentNotFound."""
        with self.catalog.write() as session:
            instrument = find_instrument(session, instrument_id)
            library = session.get_one(Library, instrument.library_id)
            library.revision += 1
            session.delete(instrument)
        self._preview_file(instrument_id).unlink(missing_ok=True)
        if library.encoder_hash == self.encoder_hash:
            self.vectors.get(library.id, library.revision)

    def preview_path(self, instrument_id: str) -> Path:
        """The instrument's mp3. Raises InstrumentNotFound if there is no such instrument, or it has no preview."""
        instrument = self.instrument(instrument_id)
        path = self._preview_file(instrument_id)
        if not path.is_file():
            raise InstrumentNotFound(f"{instrument.name} has no preview", value=instrument_id)
        return path

    def _preview_file(self, instrument_id: str) -> Path:
        return self.previews_dir / f"{instrument_id}.mp3"

    # Search

    def candidates(
        self,
        library: str,
        queries: Floats,
        k: int,
        family: str | None = None,
        exclude: Collection[str] = (),
    ) -> list[list[Candidate]]:
        """For each embedding of `queries [q, dim]` the `k` most similar instruments, best first, none of `exclude`'s ids.

        Raises LibraryNotFound, LibraryEmpty, EncoderMismatch, and InvalidRequest for `k` below 1 or an unknown family.
        """
        _check_at_least_one("top_k", k)
        _check_family(family)
        return self._searchable(library).search(queries, k, family, exclude)

    def similar(self, instrument_id: str, k: int) -> list[Candidate]:
        """The `k` instruments of the same library most similar to this one, itself left out.

        Raises InstrumentNotFound, EncoderMismatch, and InvalidRequest for `k` below 1.
        """
        _check_at_least_one("k", k)
        with self.catalog.session() as session:
            instrument = find_instrument(session, instrument_id)
        found = self._searchable(instrument.library_id).search(from_bytes(instrument.embedding)[None], k + 1)[
            0
        ]
        return [candidate for candidate in found if candidate.instrument_id != instrument_id][:k]

    def _searchable(self, id_or_name: str) -> LibraryVectors:
        """The library's vectors at its present revision: one small query tells whether those held still are."""
        with self.catalog.session() as session:
            library = find_library(session, id_or_name)
            if library.encoder_hash != self.encoder_hash and count_instruments(session, library.id):
                self.check_encoder(library.name, library.encoder_hash)
        vectors = self.vectors.get(library.id, library.revision)
        if not vectors.names:
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

    def _sweep(self) -> None:
        """Remove what a killed process left behind: temporary files, previews and vectors that belong to nothing."""
        horizon = time.time() - LEFTOVER_SECONDS
        with self.catalog.session() as session:
            known = {*session.scalars(select(Instrument.id)), *session.scalars(select(Library.id))}
        for folder in (self.tmp_dir, self.previews_dir, self.vectors_dir):
            for path in folder.iterdir():
                if path.stem in known or path.stat().st_mtime >= horizon:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _check_at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise InvalidRequest(f"{name} is {value}; it must be at least 1", value=value, limit="at least 1")


def _check_family(family: str | None) -> None:
    if family is not None and family not in FAMILIES:
        raise InvalidRequest(f"{family[:50]!r} is not a family", value=family[:50], limit=", ".join(FAMILIES))
