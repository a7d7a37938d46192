"""The doctor's checks of the data folder: its rights, its disk, its database and its age. Nothing in it is changed.

Every check takes the settings and yields its findings; what it raises, `app/doctor/examination.py` turns into one.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.doctor.findings import Finding
from app.settings import Settings
from index.database.base import RESTORE
from index.disk import free_bytes
from index.inspection import DatabaseState, FoundLibrary, inspect_database
from index.libraries import DATABASE, DataFolder
from index.migrations import revisions
from models.checkpoint import file_hash
from models.encoder_pair import SINGLE_FILE, WEIGHTS
from models.errors import Busy, DatabaseUnavailable, IndexDamaged

MAX_NAMED = 3
CLOCK_SLACK = timedelta(minutes=2)  # the disk may belong to another machine, with a clock of its own


def check_folder(settings: Settings) -> Iterator[Finding]:
    """Check that the data folder, and all that the service writes in it, can be written, or that it can be created."""
    root = settings.data_dir
    place = f"{root.absolute()} (SHOWME_DATA_DIR)"
    parent = _existing(root)
    if not parent.is_dir():
        message = f"{place}: {parent} is not a folder"
        yield Finding("data folder", "wrong", message, "choose another SHOWME_DATA_DIR")
        return
    refused = [path for path in (parent, *_written(root)) if not os.access(path, _needed(path))]
    if refused:
        named = ", ".join(map(str, refused[:MAX_NAMED])) + (" and others" if len(refused) > MAX_NAMED else "")
        advice = "give them to the user that runs the service (chown -R), and mount the disk writable"
        yield Finding("data folder", "wrong", f"{place}: {named} cannot be written by this user", advice)
        return
    yield Finding("data folder", "right", place if parent == root else f"{place} will be created")


def check_room(settings: Settings) -> Iterator[Finding]:
    """Check that the disk has more room than the mark below which uploads are refused."""
    free, least = free_bytes(_existing(settings.data_dir)), settings.min_free_bytes
    message = f"{free} bytes free on its disk; uploads are refused below {least} (SHOWME_MIN_FREE_BYTES)"
    if free < least:
        yield Finding("disk", "wrong", message, "make room on it, or lower the mark")
    else:
        yield Finding("disk", "right", message)


def check_database(settings: Settings) -> Iterator[Finding]:
    """Check the database, the libraries in it, and that the clock is not before what was stored."""
    encoder_hash = _encoder_hash(settings)
    name, saving = DATABASE, "`showme backup FILE`"
    if settings.database_url:
        name, saving = "PostgreSQL", "pg_dump"
    try:
        state = inspect_database(settings.catalogue, encoder_hash)
    except DatabaseUnavailable as error:
        advice = "start the server, or correct SHOWME_DATABASE_URL, its user and its password"
        yield Finding("database", "wrong", error.message, advice)
        return
    except Busy as error:
        yield Finding("database", "note", error.message, "start the service, then ask again")
        return
    except IndexDamaged as error:
        instead = "SHOWME_DATABASE_URL" if settings.database_url else "SHOWME_DATA_DIR"
        yield Finding("database", "wrong", error.message, f"{RESTORE}, or choose another {instead}")
        return
    yield from _schema(name, saving, state)
    if encoder_hash and not state.faults:
        yield from _libraries(settings, state.libraries)
    yield _clock(settings.data_dir, state.newest)


def _schema(name: str, saving: str, state: DatabaseState) -> Iterator[Finding]:
    known = revisions()
    if state.faults:
        yield Finding("database", "wrong", f"{name} is damaged: {'; '.join(state.faults)}", RESTORE)
    elif state.revision is None:
        yield Finding("database", "right", "there is none yet; the first start makes it")
    elif state.revision not in known:
        message = f"{name} has schema {state.revision}, this version of the program knows {known[0]} at most"
        yield Finding("database", "wrong", message, "install the newer version again")
    elif state.revision != known[0]:
        message = f"{name} is sound; the next start upgrades its schema from {state.revision} to {known[0]}"
        yield Finding("database", "note", message, f"{saving} first, to be able to go back")
    else:
        yield Finding("database", "right", f"{name} is sound, schema {state.revision}")


def _libraries(settings: Settings, libraries: tuple[FoundLibrary, ...]) -> Iterator[Finding]:
    stale = [library for library in libraries if library.num_stale]
    by_itself = settings.update_libraries
    advice = "the next start updates them" if by_itself else "`showme index reembed` updates them"
    for library in stale[:MAX_NAMED]:
        message = (
            f"{library.num_stale} of {library.num_instruments} instruments of {library.name!r} are embedded with another "
            "encoder and cannot be searched"
        )
        yield Finding("libraries", "note", message, advice)
    if len(stale) > MAX_NAMED:
        yield Finding("libraries", "note", f"so are instruments of {len(stale) - MAX_NAMED} more", advice)
    if not stale:
        number = sum(library.num_instruments for library in libraries)
        message = f"{len(libraries)} with {number} instruments, none of another encoder"
        yield Finding("libraries", "right", message if libraries else "none yet")


def _clock(root: Path, newest_row: datetime | None) -> Finding:
    now = datetime.now(UTC)
    stored = {"row of the database": newest_row, "file of the data folder": _newest_file(root)}
    for what, moment in stored.items():
        if moment and moment > now + CLOCK_SLACK:
            message = f"it is {_words(now)}, but the newest {what} is of {_words(moment)}"
            return Finding("clock", "wrong", message, "set the clock: jobs and deletions go by it")
    compared = "after all that is stored" if any(stored.values()) else "and nothing is stored yet"
    return Finding("clock", "right", f"{_words(now)}, {compared}")


def _existing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that is there."""
    return next(one for one in (path, *path.absolute().parents) if one.exists())


def _written(root: Path) -> list[Path]:
    """Return the folders and files of a data folder that the service writes, as far as they are there."""
    return [*(path for path in DataFolder(root).folders if path.exists()), *root.glob(f"{DATABASE}*")]


def _needed(path: Path) -> int:
    return os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)


def _encoder_hash(settings: Settings) -> str:
    """Return the hash of the encoder that the settings choose, none of an unreadable one, which another check tells."""
    try:
        return file_hash((settings.weights_dir or WEIGHTS) / SINGLE_FILE)
    except OSError:
        return ""


def _newest_file(root: Path) -> datetime | None:
    """Return when the youngest file or folder that the service wrote was written."""
    times = []
    for place in _written(root):
        for path in (place, *(place.iterdir() if place.is_dir() else ())):
            with suppress(FileNotFoundError):  # removed meanwhile
                times.append(path.stat().st_mtime)
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
