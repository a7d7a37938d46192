"""Connections to the SQLite file: how they begin transactions, how long they wait, and their faults in our own errors.

https://www.sqlite.org/rescode.html: the lowest byte of a result code is its kind.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event

from index.disk import free_bytes
from models.errors import Busy, IndexDamaged, ShowMeError, StorageFull

BUSY_SECONDS = 5.0  # a writer waits this long for another one to finish
PATIENT_SECONDS = 60.0  # … if it has something to store that took long to make
RESTORE = "put a backup of the data folder back"
_WAIT_SECONDS = "wait_seconds"  # execution option of connections that write
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNDECODABLE = ("Could not decode to UTF-8", "malformed JSON")  # values that are damaged in sound pages
_ALMOST_NOTHING = 1 << 20  # bytes; below it an I/O error is one of a full disk


def reading_engine(location: str) -> Engine:
    """Make an engine whose transactions read; it has as many connections as threads ask for, like those that write."""
    engine = create_engine(location, connect_args={"timeout": BUSY_SECONDS}, max_overflow=-1)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _raise_in_words)
    return engine


def writing_engine(location: str) -> Engine:
    """Make an engine whose transactions begin with the write lock, for which they wait BUSY_SECONDS."""
    return reading_engine(location).execution_options(**{_WAIT_SECONDS: BUSY_SECONDS})


def patient_engine(engine: Engine) -> Engine:
    """Return the writing engine with its connections, but waiting PATIENT_SECONDS."""
    return engine.execution_options(**{_WAIT_SECONDS: PATIENT_SECONDS})


@contextmanager
def plain_connection(path: Path, mode: Literal["rw", "rwc"] = "rw") -> Iterator[sqlite3.Connection]:
    """Open a connection of the driver itself, without transactions of its own; only the mode "rwc" creates the file.

    It takes a database of any revision as it is. In the block, faults of the database are raised as our own errors.
    """
    try:
        address = f"{path.absolute().as_uri()}?mode={mode}"
        with closing(
            sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        ) as connection:
            yield connection
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if fault := _fault(error, path):
            raise fault from error
        raise


def columns_of(database: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of a table's columns, none where there is no such table."""
    return {name for (name,) in database.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def _configure(connection: Any, _record: Any) -> None:
    """Turn off the driver's own transactions, which break snapshots and transactional DDL, and set the pragmas."""
    connection.isolation_level = None
    try:
        _switch_to_wal(connection)
        for pragma in ("synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}").close()
    except (
        UnicodeDecodeError
    ) as error:  # the driver cannot even read SQLite's message, which cites damaged text
        raise _damaged("the database", error) from error


def _switch_to_wal(connection: Any) -> None:
    """Switch the journal to WAL, retrying while it is locked: SQLite itself does not wait for this lock."""
    deadline = monotonic() + PATIENT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or monotonic() > deadline:
                raise
            sleep(0.02)


def _begin(connection: Connection) -> None:
    wait_seconds = connection.get_execution_options().get(_WAIT_SECONDS)
    if wait_seconds is None:
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout = {round(1000 * wait_seconds)}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _raise_in_words(context: ExceptionContext) -> None:
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
    if kind == sqlite3.SQLITE_CANTOPEN:
        return IndexDamaged(f"the database {path.name} cannot be opened ({error})", value=path.name)
    if kind == sqlite3.SQLITE_IOERR:
        return IndexDamaged(f"the disk fails under the database {path.name} ({error})", value=path.name)
    if kind == sqlite3.SQLITE_NOTADB:
        return IndexDamaged(f"{path.name} is not a catalogue: {error}", value=path.name)
    unreadable = isinstance(error, UnicodeDecodeError) or str(error).startswith(_UNDECODABLE)
    if kind == sqlite3.SQLITE_CORRUPT or unreadable:
        return _damaged(f"the database {path.name}", error)
    return None


def _damaged(what: str, error: BaseException) -> IndexDamaged:
    return IndexDamaged(f"{what} is damaged ({error}); {RESTORE}", value=str(error))


def _has_no_room(path: Path) -> bool:
    try:
        return free_bytes(path.parent) < _ALMOST_NOTHING
    except OSError:
        return False
