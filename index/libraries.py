"""The libraries of a data folder (list, create, rename, delete, restore, purge) and the layout of the folder itself.

docs/ARCHITECTURE.md, decision 1: each change is one transaction of the catalogue, raises its library's revision, and the
files follow. A deleted library or instrument can be restored for a while. Then it is purged: when the folder is opened, and
after later deletions.
"""

import logging
import shutil
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from index.catalog import Catalog, Instrument, Library
from index.deletions import record_deletion
from index.leases import check_not_filled
from index.purging import PurgedRows, delete_for_good
from index.records import LibraryInfo, OwnedLibrary, find_library, library_info, library_infos, library_sizes
from index.vector_cache import VectorCache
from models.errors import (
    Busy,
    InvalidRequest,
    JobConflict,
    LibraryExists,
    LibraryNotFound,
    StorageFull,
)

log = logging.getLogger(__name__)

DATABASE = "showme.db"
UNDO_SECONDS = 3600.0
LEFTOVER_SECONDS = 24 * 3600.0  # another process may still be enrolling into younger files
MAX_NAME_LENGTH = 200  # of a library
Wanted = Callable[[OwnedLibrary], bool]


@dataclass(frozen=True)
class DataFolder:
    """The paths of a data folder: the database is the truth, and the folders beside it follow."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / DATABASE

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

    @property
    def uploads_dir(self) -> Path:
        """The kept uploads: a folder for each, which the instruments enrolled from it name as their source's path."""
        return self.root / "uploads"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All of its folders."""
        return (self.previews_dir, self.tmp_dir, self.queries_dir, self.vectors_dir, self.uploads_dir)

    def preview_file(self, instrument_id: str) -> Path:
        """The path of an instrument's mp3, whether or not the file exists."""
        return self.previews_dir / f"{instrument_id}.mp3"

    def stored_path(self, path: Path) -> str:
        """Return `path` as instruments name their source's: relative for a kept upload, so that the data can be moved."""
        if path.is_relative_to(self.uploads_dir):
            return path.relative_to(self.root).as_posix()
        return str(path.resolve())

    def source_path(self, stored: str) -> Path:
        """Return the path that `stored_path` was made of, whether or not anything is there."""
        return self.root / stored

    def create(self) -> None:
        """Create the folders that are missing."""
        for folder in self.folders:
            folder.mkdir(parents=True, exist_ok=True)

    def remove_leftovers(self, known_ids: Collection[str], oldest_job: datetime | None = None) -> None:
        """Remove old files of a killed process: temporary ones, and those of no id in `known_ids`.

        Files are old that were made long before now, and long before the oldest job of any process, which may need them.

        A kill leaves few previews behind. Where most are of no known id, the database has been emptied or replaced: then
        only temporary files are removed, so that nothing is lost if it is put back.
        """
        known = set(known_ids)
        horizon = (oldest_job.timestamp() if oldest_job else time.time()) - LEFTOVER_SECONDS
        strange = self._old_files(self.previews_dir, known, horizon)
        folders = [self.tmp_dir]
        if 2 * len(strange) > sum(1 for _ in self.previews_dir.iterdir()):
            log.warning(
                "%d of the previews in %s are of no instrument in the database, which seems to have been emptied or "
                "replaced; they are kept, and so are uploads and vectors",
                len(strange),
                self.previews_dir,
            )
        else:
            folders += [self.previews_dir, self.vectors_dir, self.uploads_dir]
        for path in (path for folder in folders for path in self._old_files(folder, known, horizon)):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    @staticmethod
    def _old_files(folder: Path, known_ids: set[str], horizon: float) -> list[Path]:
        """Return what lies in `folder` since before the moment `horizon`, and is of no known id."""
        old = []
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # removed meanwhile
                if path.stem not in known_ids and path.stat().st_mtime < horizon:
                    old.append(path)
        return old


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
            return library_infos(session, self._vectors.encoder_hash)

    def get(self, id_or_name: str) -> LibraryInfo:
        """Return a library. Raises LibraryNotFound."""
        with self._catalog.session() as session:
            return self._info(session, find_library(session, id_or_name))

    def called(self, id_or_name: str) -> list[LibraryInfo]:
        """The library with this id, and those of all keys with this name, the one that `get` returns first."""
        with self._catalog.session() as session:
            return library_infos(session, self._vectors.encoder_hash, id_or_name)

    def owned(self, library_id: str) -> OwnedLibrary | None:
        """Whose a library is, deleted or not; None if it does not exist. Its instruments are not counted."""
        with self._catalog.session() as session:
            return session.get(Library, library_id)

    def revision(self, id_or_name: str) -> int:
        """The number of changes to a library so far. Raises LibraryNotFound."""
        with self._catalog.session() as session:
            return find_library(session, id_or_name).revision

    def sizes(self, wanted: Wanted = lambda library: True) -> dict[str, int]:
        """Count the instruments of each library that is wanted, by its id."""
        with self._catalog.session() as session:
            return library_sizes(session, wanted)

    def create(self, name: str, key_id: str | None = None) -> LibraryInfo:
        """Create an empty library of an access key, or of the owner of the machine.

        Raises InvalidRequest for an empty or overlong name, LibraryExists for one in use among the libraries of that key.
        """
        with self._catalog.write() as session:
            return self._info(session, self.new_row(session, name, key_id))

    def new_row(self, session: Session, name: str, key_id: str | None = None) -> Library:
        """Add the row of an empty library, as `create`, in its caller's transaction."""
        name = clean_name("a library's name", name, MAX_NAME_LENGTH)
        _check_name_is_free(session, name, key_id)
        library = Library(name=name, encoder_hash=self._vectors.encoder_hash, key_id=key_id)
        session.add(library)
        session.flush()
        return library

    def change(self, id_or_name: str, name: str | None = None, *, shared: bool | None = None) -> LibraryInfo:
        """Rename a library, share it with other keys, or both.

        Raises LibraryNotFound, InvalidRequest (empty or overlong name), LibraryExists (name in use).
        """
        if name is not None:
            name = clean_name("a library's name", name, MAX_NAME_LENGTH)
        with self._catalog.write() as session:
            library = find_library(session, id_or_name)
            if name not in (None, library.name):
                _check_name_is_free(session, name, library.key_id)
                library.name = name
            if shared is not None:
                library.shared = shared
            return self._info(session, library)

    def delete(self, id_or_name: str) -> LibraryInfo:
        """Delete a library with all its instruments; `restore` brings it back.

        Raises LibraryNotFound, and JobConflict while an enrollment into it runs, in whichever process.
        """
        with self._catalog.deleting() as session:
            library = find_library(session, id_or_name)
            check_not_filled(session, library.id, utc_now())
            library.deleted_at = utc_now()
            library.revision += 1
            record_deletion(session, "library", library.id)
            deleted = self._info(session, library)
        self._vectors.forget(library.id)
        self.purge_if_possible()
        return deleted

    def drop_if_unused(self, library_id: str) -> None:
        """Delete a library for good, unless it holds instruments, deleted ones too, or another process is filling it."""
        used = select(Instrument.id).where(Instrument.library_id == library_id).limit(1)
        with self._catalog.deleting() as session:
            if session.scalars(used).first() is not None:
                return
            with suppress(JobConflict):
                check_not_filled(session, library_id, utc_now())
                session.execute(delete(Library).where(Library.id == library_id))

    def restore(self, library_id: str, wanted: Wanted = lambda library: True) -> LibraryInfo:
        """Bring a deleted library back whole; one that is not deleted is returned as it is.

        Raises LibraryNotFound if it does not exist, was purged or is not `wanted`, LibraryExists if its name has been taken
        since.
        """
        with self._catalog.write() as session:
            library = session.get(Library, library_id)
            if library is None or not wanted(library) or not self.can_restore(library.deleted_at):
                shown = library_id[:100]
                raise LibraryNotFound(f"there is no library {shown!r} to restore", value=shown)
            if library.deleted_at is not None:
                _check_name_is_free(session, library.name, library.key_id)
                library.deleted_at = None
                library.revision += 1
            restored = self._info(session, library)
        self._vectors.follow(library)
        return restored

    def can_restore(self, deleted_at: datetime | None) -> bool:
        """Whether a row with this `deleted_at` is present, or was deleted less than `undo_seconds` ago."""
        return deleted_at is None or deleted_at > self._undo_horizon()

    def purge_if_possible(self) -> None:
        """Purge after a deletion, which has succeeded even if the database is busy or the disk full now."""
        with suppress(Busy, StorageFull):
            self.purge()

    def purge(self) -> None:
        """Delete for good, with their files, the libraries and instruments that can no longer be restored."""
        horizon = self._undo_horizon()
        old_libraries, old = Library.deleted_at <= horizon, Instrument.deleted_at <= horizon
        with self._catalog.session() as session:
            libraries = session.scalars(select(Library.id).where(old_libraries)).all()
            if not libraries and session.scalars(select(Instrument.id).where(old).limit(1)).first() is None:
                return
        with self._catalog.deleting() as session:
            within = Instrument.library_id.in_(select(Library.id).where(old_libraries))
            deleted = delete_for_good(session, old_libraries, within | old)
        self._remove_files(deleted)

    def discard_upload(self, upload: Path) -> None:
        """Delete the folder of an upload whose enrollment has ended, unless an instrument was enrolled from it."""
        users = select(Instrument.id).where(Instrument.source_path == self._folder.stored_path(upload))
        with self._catalog.session() as session:
            is_used = session.scalars(users.limit(1)).first() is not None
        if not is_used:
            shutil.rmtree(upload, ignore_errors=True)

    def _info(self, session: Session, library: Library) -> LibraryInfo:
        return library_info(session, library, self._vectors.encoder_hash)

    def _undo_horizon(self) -> datetime:
        return utc_now() - timedelta(seconds=self.undo_seconds)

    def _remove_files(self, deleted: PurgedRows) -> None:
        for instrument_id in deleted.instrument_ids:
            self._folder.preview_file(instrument_id).unlink(missing_ok=True)
        for library_id in deleted.library_ids:
            self._vectors.forget(library_id)
        for upload in deleted.uploads:
            shutil.rmtree(self._folder.source_path(upload), ignore_errors=True)


def clean_name(kind: str, name: str, max_length: int) -> str:
    """Collapse white space in `name`. Raises InvalidRequest, naming the `kind`, for an empty or overlong one."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= max_length:
        limit = f"1 to {max_length} characters"
        raise InvalidRequest(f"{kind} has {limit}, this one {len(name)}", value=name[:50], limit=limit)
    return name


def utc_now() -> datetime:
    return datetime.now(UTC)


def _check_name_is_free(session: Session, name: str, key_id: str | None) -> None:
    """Raise LibraryExists if a library of the key has the name; a deleted library's name is free."""
    present = Library.key_id.is_not_distinct_from(key_id), Library.deleted_at.is_(None)
    taken = select(Library.id).where(Library.name == name, *present)
    if session.scalars(taken).first() is not None:
        raise LibraryExists(f"there is a library {name!r} already", value=name)
