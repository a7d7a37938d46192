"""Says in our own errors what SQLite reports of a database that is busy, full or damaged.

https://www.sqlite.org/rescode.html: the lowest byte of a result code is its kind.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import ExceptionContext

from index.disk import free_bytes
from models.errors import Busy, IndexDamaged, ShowMeError, StorageFull

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNDECODABLE = "Could not decode to UTF-8"  # by the driver, without a code
_ALMOST_NOTHING = 1 << 20  # bytes; below it an I/O error is one of a full disk


def raise_in_words(context: ExceptionContext) -> None:
    """Raise Busy, StorageFull or IndexDamaged in place of the driver's error, or nothing (SQLAlchemy's `handle_error`)."""
    url = context.engine.url if context.engine else None
    path = Path(url.database) if url is not None and url.database else Path()
    fault = _fault(context.original_exception, path)
    if fault:
        raise fault from context.original_exception


def _fault(error: BaseException, path: Path) -> ShowMeError | None:
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if kind in _BUSY:
        return Busy(
            "another write holds the database; try again", value=str(error), limit="one write at a time"
        )
    if kind == sqlite3.SQLITE_FULL or (kind == sqlite3.SQLITE_IOERR and _has_no_room(path)):
        return StorageFull.of(error)
    if kind == sqlite3.SQLITE_NOTADB:
        return IndexDamaged(f"{path.name} is not a catalogue: {error}", value=path.name)
    if kind == sqlite3.SQLITE_CORRUPT or str(error).startswith(_UNDECODABLE):
        message = f"the database {path.name} is damaged ({error}); `showme index verify` lists its faults"
        return IndexDamaged(message, value=path.name)
    return None


def _has_no_room(path: Path) -> bool:
    try:
        return free_bytes(path.parent) < _ALMOST_NOTHING
    except OSError:
        return False
