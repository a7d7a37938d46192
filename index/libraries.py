"""The libraries of a data folder (list, create, rename, delete, restore, purge) and the layout of the folder itself.

docs/ARCHITECTURE.md, decision 1: each change is one transaction of the catalogue, raises its library's revision, and the
files follow. A deleted library or instrument can be restored for a while. Then it is purged: when the folder is opened, and
after later deletions.
"""

import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from index.catalog import Catalog, Instrument, Library
from index.records import LibraryInfo, count_instruments, find_library, libraries_with_counts, library_info
from index.vector_cache import VectorCache
from models.errors import InvalidRequest, LibraryExists, LibraryNotFound

UNDO_SECONDS = 3600.0
LEFTOVER_SECONDS = 24 * 3600.0  # another process may still be enrolling into younger files
MAX_NAME_LENGTH = 200  # of a library


@dataclass(frozen=True)
class DataFolder:
    """The paths of a data folder: the database is the truth, and the folders beside it follow."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "showme.db"

    @property
    def previews_dir(self) -> Path:
        return self.root / "previews"

    @property
    def tmp_dir(self) -> Path:
        return self.root / "tmp"

    @property
    def queries_dir(self) -> Path:
        return self.root / "queries"

    @property
    def vectors_dir(self) -> Path:
        return self.root / "vectors"

    def preview_file(self, instrument_id: str) -> Path:
        """The path of an instrument's mp3, whether or not the file exists."""
        return self.previews_dir / f"{instrument_id}.mp3"

    def create(self) -> None:
        """Create the folders that are missing."""
        for folder in (self.previews_dir, self.tmp_dir, self.queries_dir, self.vectors_dir):
            folder.mkdir(parents=True, exist_ok=True)

    def remove_leftovers(self, known_ids: Collection[str]) -> None:
        """Remove old files of a killed process: temporary files, and previews and vectors of no id in `known_ids`."""
        horizon = time.time() - LEFTOVER_SECONDS
        for folder in (self.tmp_dir, self.previews_dir, self.vectors_dir):
            for path in folder.iterdir():
                if path.stem in known_ids or path.stat().st_mtime >= horizon:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


class LibraryStore:
    """Reads and changes libraries as a whole; `InstrumentStore` does so for single instruments."""

    def __init__(
        self, catalog: Catalog, folder: DataFolder, vectors: VectorCache, undo_seconds: float
    ) -> None:
        self.undo_seconds = undo_seconds
        self._catalog = catalog
        self._folder = folder
        self._vectors = vectors

    def all(self) -> list[LibraryInfo]:
        """All libraries, the oldest first."""
        with self._catalog.session() as session:
            rows = session.execute(libraries_with_counts().order_by(Library.created_at, Library.id)).all()
            return [library_info(library, num_instruments) for library, num_instruments in rows]

    def get(self, id_or_name: str) -> LibraryInfo:
        """Return a library. Raises LibraryNotFound."""
        with self._catalog.session() as session:
            found = find_library(session, id_or_name)
            return library_info(found, count_instruments(session, found.id))

    def revision(self, id_or_name: str) -> int:
        """The number of changes to a library so far. Raises LibraryNotFound."""
        with self._catalog.session() as session:
            return find_library(session, id_or_name).revision

    def create(self, name: str) -> LibraryInfo:
        """Create an empty library. Raises InvalidRequest for an empty or overlong name, LibraryExists for one in use."""
        name = clean_name("a library's name", name, MAX_NAME_LENGTH)
        with self._catalog.write() as session:
            _check_name_is_free(session, name)
            library = Library(name=name, encoder_hash=self._vectors.encoder_hash)
            session.add(library)
        return library_info(library, 0)

    def rename(self, id_or_name: str, name: str) -> LibraryInfo:
        """Rename a library. Raises LibraryNotFound, InvalidRequest (empty or overlong name), LibraryExists (name in use)."""
        name = clean_name("a library's name", name, MAX_NAME_LENGTH)
        with self._catalog.write() as session:
            library = find_library(session, id_or_name)
            if name != library.name:
                _check_name_is_free(session, name)
                library.name = name
            return library_info(library, count_instruments(session, library.id))

    def delete(self, id_or_name: str) -> LibraryInfo:
        """Delete a library with all its instruments; `restore` brings it back. Raises LibraryNotFound."""
        with self._catalog.write() as session:
            library = find_library(session, id_or_name)
            library.deleted_at = utc_now()
            library.revision += 1
            deleted = library_info(library, count_instruments(session, library.id))
        self._vectors.forget(library.id)
        self.purge()
        return deleted

    def drop(self, id_or_name: str) -> None:
        """Delete a library for good. Raises LibraryNotFound."""
        with self._catalog.write() as session:
            library = find_library(session, id_or_name)
            deleted = _delete_rows(session, Library.id == library.id, Instrument.library_id == library.id)
        self._remove_files(*deleted)

    def empty(self, id_or_name: str) -> LibraryInfo:
        """Delete all instruments of a library, which any encoder may then fill. Raises LibraryNotFound."""
        with self._catalog.write() as session:
            library = find_library(session, id_or_name)
            present = (Instrument.library_id == library.id) & Instrument.deleted_at.is_(None)
            session.execute(update(Instrument).where(present).values(deleted_at=utc_now()))
            library.revision += 1
        self._vectors.follow(library)
        return library_info(library, 0)

    def restore(self, library_id: str) -> LibraryInfo:
        """Bring a deleted library back whole; one that is not deleted is returned as it is.

        Raises LibraryNotFound if it does not exist or was purged, LibraryExists if its name has been taken since.
        """
        with self._catalog.write() as session:
            library = session.get(Library, library_id)
            if library is None or not self.can_restore(library.deleted_at):
                shown = library_id[:100]
                raise LibraryNotFound(f"there is no library {shown!r} to restore", value=shown)
            if library.deleted_at is not None:
                _check_name_is_free(session, library.name)
                library.deleted_at = None
                library.revision += 1
            restored = library_info(library, count_instruments(session, library.id))
        self._vectors.follow(library)
        return restored

    def can_restore(self, deleted_at: datetime | None) -> bool:
        """Whether a row with this `deleted_at` is present, or was deleted less than `undo_seconds` ago."""
        return deleted_at is None or deleted_at > self._undo_horizon()

    def purge(self) -> None:
        """Delete for good, with their files, the libraries and instruments that can no longer be restored."""
        horizon = self._undo_horizon()
        old_libraries, old = Library.deleted_at <= horizon, Instrument.deleted_at <= horizon
        with self._catalog.session() as session:
            libraries = session.scalars(select(Library.id).where(old_libraries)).all()
            if not libraries and session.scalars(select(Instrument.id).where(old).limit(1)).first() is None:
                return
        with self._catalog.write() as session:
            within = Instrument.library_id.in_(select(Library.id).where(old_libraries))
            deleted = _delete_rows(session, old_libraries, within | old)
        self._remove_files(*deleted)

    def _undo_horizon(self) -> datetime:
        return utc_now() - timedelta(seconds=self.undo_seconds)

    def _remove_files(self, library_ids: list[str], instrument_ids: list[str]) -> None:
        for instrument_id in instrument_ids:
            self._folder.preview_file(instrument_id).unlink(missing_ok=True)
        for library_id in library_ids:
            self._vectors.forget(library_id)


def clean_name(kind: str, name: str, max_length: int) -> str:
    """Collapse white space in `name`. Raises InvalidRequest, naming the `kind`, for an empty or overlong one."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= max_length:
        limit = f"1 to {max_length} characters"
        raise InvalidRequest(f"{kind} has {limit}, this one {len(name)}", value=name[:50], limit=limit)
    return name


def utc_now() -> datetime:
    return datetime.now(UTC)


def _check_name_is_free(session: Session, name: str) -> None:
    """Raise LibraryExists if a library has the name; a deleted library's name is free."""
    taken = select(Library.id).where(Library.name == name, Library.deleted_at.is_(None))
    if session.scalars(taken).first() is not None:
        raise LibraryExists(f"there is a library {name!r} already", value=name)


def _delete_rows(
    session: Session, libraries: ColumnElement[bool], instruments: ColumnElement[bool]
) -> tuple[list[str], list[str]]:
    """Delete these rows and all that belongs to them; return the ids of the libraries and of the instruments."""
    instrument_ids = session.scalars(delete(Instrument).where(instruments).returning(Instrument.id)).all()
    library_ids = session.scalars(delete(Library).where(libraries).returning(Library.id)).all()
    return list(library_ids), list(instrument_ids)
