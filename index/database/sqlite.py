"""The SQLite file of a data folder: how transactions begin, how long they wait, and faults in our own errors.

https://www.sqlite.org/rescode.html: the lowest byte of a result code is its kind.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    NullPool,
    Table,
    column,
    create_engine,
    event,
    func,
    select,
    table,
)

from index.database.base import BUSY_SECONDS, PATIENT_SECONDS, RESTORE, WAIT_SECONDS, patient_engine
from index.disk import free_bytes, storage_full
from models.errors import Busy, IndexDamaged, ShowMeError

MAX_PAGE_FAULTS = 5  # that a quick check looks for
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNDECODABLE = ("Could not decode to UTF-8", "malformed JSON")  # values that are damaged in sound pages
_SEQUENCES = table("sqlite_sequence", column("name"), column("seq"))  # https://www.sqlite.org/autoinc.html
_ALMOST_NOTHING = 1 << 20  # bytes; below it an I/O error is one of a full disk


class SqliteDatabase:
    """The file at `path`, which is created when it is first written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.reserve: Path | None = path.with_name(f"{path.name}-reserve")
        self.reader = _engine(path)
        self.writer: Engine = _engine(path).execution_options(**{WAIT_SECONDS: BUSY_SECONDS})
        self.patient_writer = patient_engine(self.writer)

    def prepare(self) -> None:
        """Create its folder if need be."""
        self.path.parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def altering(self) -> Iterator[Connection]:
        """Open a patient writing transaction with foreign keys off.

        SQLite alters a table by copying and dropping it, and dropping a table deletes the rows that refer to it.
        """
        with self.patient_writer.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA foreign_keys = OFF")  # has no effect inside a transaction
            try:
                with connection.begin():
                    yield connection
            finally:
                driver.execute("PRAGMA foreign_keys = ON")

    @contextmanager
    def inspecting(self) -> Iterator[Connection | None]:
        """Open a connection that changes nothing and leaves none of SQLite's files beside the database; None without a file.

        https://www.sqlite.org/wal.html, "Read-only databases". Raises Busy where only a process that writes could read it.
        """
        if not self.path.exists():
            yield None
            return
        journal = self.path.with_name(f"{self.path.name}-wal")
        in_use = journal.exists() and journal.stat().st_size > 0
        if in_use and not self.path.with_name(f"{self.path.name}-shm").exists():
            message = f"{journal.name} waits for the next start, which takes it into the database"
            raise Busy(message, value=journal.name, limit="a database that is closed or in use")
        address = f"{self.path.resolve().as_uri()}?{'mode=ro' if in_use else 'mode=ro&immutable=1'}"
        engine = create_engine(
            "sqlite://",
            creator=lambda: sqlite3.connect(address, timeout=BUSY_SECONDS, uri=True),
            poolclass=NullPool,
        )
        with engine.connect() as connection:
            yield connection

    @contextmanager
    def leaving(self) -> Iterator[Connection]:
        """Open a writing transaction of the only process: nobody else may be connected when WAL is switched off."""
        self.reader.dispose()
        with self.writer.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            try:
                driver.execute("PRAGMA journal_mode = DELETE")
            except sqlite3.OperationalError as error:
                message = f"{self.name} is in use: stop the services of the data folder first"
                raise Busy(message, value=str(error), limit="no other process") from error
            with connection.begin():
                yield connection

    def stored(self, value: Any) -> Any:
        """Return the value: SQLite keeps all that its driver takes."""
        return value

    def last_number(self, connection: Connection, table: Table) -> int:
        """Return the highest number of its rows, or of those that are gone where it never uses one twice (AUTOINCREMENT)."""
        (key,) = table.primary_key
        highest = connection.scalar(select(func.max(key))) or 0
        kept = select(_SEQUENCES.c.seq).where(_SEQUENCES.c.name == table.name)
        return max(highest, connection.scalar(kept) or 0)

    def set_last_number(self, connection: Connection, table: Table, number: int) -> None:
        """Keep the number where the table never uses one twice; elsewhere that of the last row counts."""
        if not table.dialect_options["sqlite"]["autoincrement"]:
            return
        connection.execute(_SEQUENCES.delete().where(_SEQUENCES.c.name == table.name))
        connection.execute(_SEQUENCES.insert().values(name=table.name, seq=number))

    def page_faults(self, connection: Connection) -> list[str]:
        """Return what a quick check of all pages finds."""
        found = connection.exec_driver_sql(f"PRAGMA quick_check({MAX_PAGE_FAULTS})").scalars().all()
        return [str(fault) for fault in found if fault != "ok"]

    def faults(self) -> Iterator[str]:
        """Yield the faults of all pages and indexes, and rows that refer to missing ones."""
        with self.reader.connect() as connection:
            for (message,) in connection.exec_driver_sql("PRAGMA integrity_check"):
                if message != "ok":
                    yield f"database: {message}"
            for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                yield f"database: row {row} of {table} refers to a row of {parent} that is not there"


def _engine(path: Path) -> Engine:
    """Make an engine with as many connections as threads ask for."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS}, max_overflow=-1)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _raise_in_words)
    return engine


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
    wait_seconds = connection.get_execution_options().get(WAIT_SECONDS)
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
        return storage_full(error)
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
