"""Restoring a backup: checked as a whole in a folder of its own, then moved into place.

An archive may be damaged, cut short, or made to do harm: nothing of it is believed before its hash is compared, and nothing
is written outside the folder.
"""

import os
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from index.backup_manifest import MANIFEST, MAX_MANIFEST_BYTES, BackupManifest
from index.database.sqlite import plain_connection
from index.disk import is_full
from index.libraries import DATABASE
from index.migrations import revisions
from index.snapshot import check_foreign
from index.stored_zip import BROKEN, check_entries, opened_zip, read_entry, unpack_entry
from models.atomic import PARTIAL
from models.errors import BackupError, IndexDamaged, StorageFull


def restore(archive: Path, root: Path) -> BackupManifest:
    """Restore a backup as the data folder `root`, which must be empty or absent, or change nothing.

    Raises BackupError for a folder in use and for an archive that is damaged, newer, unsafe or none of ours, and StorageFull.
    """
    root = root.resolve()
    _check_empty(root)
    try:
        with archive.open("rb") as file, opened_zip(file, "backup") as zipped:
            manifest = _read_manifest(zipped)
            check_entries(zipped, {*manifest.files, MANIFEST}, archive.stat().st_size)
            with _partial_folder(root) as partial:
                for name, expected in manifest.files.items():
                    unpack_entry(zipped, name, expected, partial / name)
                _check_database(partial / DATABASE, manifest)
                _move_into_place(partial, root)
    except (BackupError, IndexDamaged) as error:
        raise BackupError(f"{archive} is not restored: {error.message}", value=error.value) from error
    except OSError as error:
        if not is_full(error):
            raise
        message = f"there is no free space for the backup in {root.parent}"
        raise StorageFull(message, limit="free space") from error
    return manifest


def _check_empty(root: Path, partial: Path | None = None) -> None:
    """Raise BackupError unless nothing but `partial` is in the folder, or could be."""
    if not root.parent.is_dir():
        raise BackupError(f"there is no folder {root.parent}", value=str(root.parent))
    if root.exists() and (not root.is_dir() or any(path != partial for path in root.iterdir())):
        message = f"{root} is in use; a backup is restored into an empty folder, or one that is not there yet"
        raise BackupError(message, value=str(root))


@contextmanager
def _partial_folder(root: Path) -> Iterator[Path]:
    """Make a folder beside `root`, or in it where it cannot be replaced by another folder; remove it in the end."""
    is_fixed = root.is_mount() or (root.exists() and not os.access(root.parent, os.W_OK))
    partial = (root if is_fixed else root.parent) / f".{root.name}.{os.getpid()}{PARTIAL}"
    partial.mkdir()
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_database(path: Path, manifest: BackupManifest) -> None:
    try:
        with plain_connection(path) as database:
            check_foreign(database, manifest)
    except (sqlite3.Error, TypeError, ValueError) as error:  # it lacks a table, or holds other types
        raise BackupError(f"its database is none of this program ({error})") from error


def _move_into_place(partial: Path, root: Path) -> None:
    """Move the folder to `root` in one step, or else its parts, the database last: without it, `root` is no data folder."""
    os.sync()
    _check_empty(root, partial)
    if partial.parent == root:
        for path in sorted(partial.iterdir(), key=lambda path: path.name == DATABASE):
            path.replace(root / path.name)
    else:
        if root.exists():
            shutil.copymode(root, partial)
        partial.replace(root)
    os.sync()


def _read_manifest(zipped: zipfile.ZipFile) -> BackupManifest:
    """Read the manifest, and refuse that of a newer version of the program."""
    try:
        manifest = BackupManifest.parse(read_entry(zipped, MANIFEST, MAX_MANIFEST_BYTES))
    except BROKEN as error:
        raise BackupError("it is no backup of this program: it holds no manifest that can be read") from error
    known = revisions()
    if manifest.schema_revision not in known:
        revision = manifest.schema_revision[:20]
        message = f"its database has schema {revision}; this version of the program knows up to {known[0]}, take a newer one"
        raise BackupError(message, value=revision, limit=known[0])
    return manifest
