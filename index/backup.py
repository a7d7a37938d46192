"""Backing a data folder up while it is in use: one moment of the database, and the files that it refers to, in a zip.

The database is the truth (docs/ARCHITECTURE.md, decision 1). Files that its rows refer to are written before and deleted after
them and never altered, so hard links keep those of the moment while the archive is written. Vectors are a cache: a file
of them is taken only if it holds what the database held then.
"""

import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sqlalchemy import NullPool, create_engine, func, select
from sqlalchemy.orm import Session

from index.backup_manifest import IN_FOLDER, MANIFEST, BackupManifest
from index.catalog import Instrument, Library
from index.database.sqlite import plain_connection
from index.disk import is_full
from index.libraries import DATABASE, DataFolder, utc_now
from index.migrations import revisions
from index.records import searchable_of
from index.snapshot import copy_database, counts_of, encoders_of, referenced_files, schema_of
from index.stored_zip import add_entry
from index.vector_store import VectorStore
from models.atomic import PARTIAL, atomic_file
from models.errors import BackupError, Busy, IndexDamaged, StorageFull

_ATTEMPTS = 5  # to find a moment of which nothing is deleted before it is linked


def back_up(root: Path, archive: Path, *, with_uploads: bool = True) -> BackupManifest:
    """Back the data folder `root` up into the new file `archive`, which appears as a whole or not at all.

    Without `with_uploads` the kept sources of instruments are left out. Raises BackupError for places that cannot be,
    StorageFull, IndexDamaged, and Busy if files vanish again and again.
    """
    folder = DataFolder(root.resolve())
    _check_places(folder, archive)
    folder.tmp_dir.mkdir(exist_ok=True)
    try:
        with (
            TemporaryDirectory(prefix="backup-", dir=folder.tmp_dir) as links,
            TemporaryDirectory(prefix=f".{archive.name}.", suffix=PARTIAL, dir=archive.parent) as beside,
        ):
            copy = Path(beside) / DATABASE
            created_at, names = _Moment(folder, Path(links), with_uploads).take(copy)
            names |= _link_vectors(folder, DataFolder(Path(links)), copy)
            paths = [path for name in names for path in _files_at(Path(links) / name)]
            files = {path.relative_to(links).as_posix(): path for path in sorted(paths)}
            return _write(archive, {DATABASE: copy} | files, created_at, with_uploads)
    except (OSError, StorageFull) as error:
        if isinstance(error, StorageFull) or is_full(error):
            message = f"there is no free space for the backup {archive.name} in {archive.parent}"
            raise StorageFull(message, limit="free space") from error
        raise


def _check_places(folder: DataFolder, archive: Path) -> None:
    if not folder.database.is_file():
        raise BackupError(f"{folder.root} is no data folder: it holds no {DATABASE}", value=str(folder.root))
    if archive.exists():
        raise BackupError(f"{archive} is there already; a backup replaces nothing", value=str(archive))
    if not archive.parent.is_dir():
        raise BackupError(f"there is no folder {archive.parent}", value=str(archive.parent))
    if archive.resolve().is_relative_to(folder.root):
        raise BackupError(f"{archive} lies in the data folder itself", value=str(archive))
    with plain_connection(folder.database) as database:
        schema_of(database)


class _Moment:
    """One moment of a data folder: the copy of its database, and links below `links` to the files that it refers to."""

    def __init__(self, folder: DataFolder, links: Path, with_uploads: bool) -> None:
        self._folder = folder
        self._links = links
        self._with_uploads = with_uploads
        self._held: set[str] = set()

    def take(self, copy: Path) -> tuple[datetime, set[str]]:
        """Copy the database to `copy`, link its files, and return when that was and what it refers to.

        What is there already is linked before the moment, what is added meanwhile after it. Raises Busy if some of that has
        been deleted, each time.
        """
        for _ in range(_ATTEMPTS):
            self._hold(self._referenced(self._folder.database))
            created_at = utc_now()
            copy_database(self._folder.database, copy)
            wanted = self._referenced(copy)
            self._hold(wanted)
            if wanted <= self._held:
                return created_at, wanted
        message = "files were deleted again and again while they were being backed up; try again"
        raise Busy(message, value=_ATTEMPTS, limit="a moment without deletions")

    def _referenced(self, database: Path) -> set[str]:
        with plain_connection(database) as connection:
            names = referenced_files(connection)
        if self._with_uploads:
            return names
        return {name for name in names if not Path(name).is_relative_to(IN_FOLDER.uploads_dir)}

    def _hold(self, names: set[str]) -> None:
        """Link files and folders. They are whole if rows refer to them even now: deletions begin with the rows."""
        for name in names - self._held:
            for path in _files_at(self._folder.root / name):
                _link(path, self._links / path.relative_to(self._folder.root))
        self._held |= names & self._referenced(self._folder.database)


def _files_at(path: Path) -> Iterator[Path]:
    """The file at `path`, or all files below it."""
    if path.is_file():
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder, name) for name in names)


def _link(path: Path, link: Path) -> None:
    """Give a file a second name, or copy it where the file system has no links; one that was deleted is left out."""
    if link.exists():
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        try:
            os.link(path, link)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copyfile(path, link)


def _link_vectors(folder: DataFolder, linked: DataFolder, copy: Path) -> set[str]:
    """Link the vector files that hold the vectors of the copied database, and return their names.

    The others are made again when the restored folder is opened, and so are all of an older schema.
    """
    with plain_connection(copy) as connection:
        if schema_of(connection) != revisions()[0]:
            return set()
    names = set()
    columns = Instrument.vector_id, func.length(Instrument.embedding)
    with Session(create_engine(f"sqlite:///{copy}", poolclass=NullPool)) as session:
        for library in session.scalars(select(Library).where(Library.deleted_at.is_(None))):
            rows = session.execute(searchable_of(library.id).with_only_columns(*columns)).all()
            path = folder.vectors_dir / f"{library.id}.faiss"
            _link(path, linked.vectors_dir / path.name)
            store = VectorStore(
                linked.vectors_dir / path.name,
                rows[0][1] // 4 if rows else 0,
                encoder_hash=library.encoder_hash,
                vectors_revision=library.vectors_revision,
            )
            if _holds(store, [vector_id for vector_id, _ in rows]):
                names.add(path.relative_to(folder.root).as_posix())
    return names


def _holds(store: VectorStore, vector_ids: list[int]) -> bool:
    try:
        store.load()
    except IndexDamaged:  # by a kill, or of another state of the library
        return False
    return np.array_equal(store.ids, vector_ids)


def _write(archive: Path, paths: dict[str, Path], created_at: datetime, with_uploads: bool) -> BackupManifest:
    with atomic_file(archive) as target, zipfile.ZipFile(target, "w") as zipped:
        files = {name: add_entry(zipped, name, path) for name, path in paths.items()}
        with plain_connection(paths[DATABASE]) as database:
            manifest = BackupManifest(
                created_at=created_at,
                schema_revision=schema_of(database),
                encoders=encoders_of(database),
                counts=counts_of(database),
                with_uploads=with_uploads,
                files=files,
            )
        zipped.writestr(MANIFEST, manifest.model_dump_json(indent=1))
    return manifest
