"""Looks at the database of a data folder without changing anything, as `showme doctor` does before a start.

The file may be in use, of an older or newer version, damaged, or another program's. It is opened neither by `Catalog`, which
prepares it for writing, nor in a way that would leave SQLite's files beside it (https://www.sqlite.org/wal.html, "Read-only
databases").
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from index.database import BUSY_SECONDS, columns_of
from models.errors import Busy, IndexDamaged

MAX_FAULTS = 5  # that SQLite looks for
MOMENTS = ("created_at", "updated_at", "deleted_at")


class FoundLibrary(NamedTuple):
    """A library, its instruments, and those of them that another encoder has embedded."""

    name: str
    num_instruments: int
    num_stale: int


@dataclass(frozen=True)
class DatabaseState:
    """The contents of a database: `revision` of its schema (None: it is empty), and the latest moment that a row names."""

    revision: str | None
    faults: tuple[str, ...] = ()
    libraries: tuple[FoundLibrary, ...] = ()
    newest: datetime | None = None


def inspect_database(path: Path, encoder_hash: str) -> DatabaseState:
    """Read the database at `path`; instruments are stale unless `encoder_hash` is that of their encoder.

    Raises IndexDamaged for what is no catalogue or cannot be read, and Busy where only a process that writes could read it.
    """
    journal = path.with_name(f"{path.name}-wal")
    in_use = journal.exists() and journal.stat().st_size > 0
    if in_use and not path.with_name(f"{path.name}-shm").exists():
        message = f"{journal.name} waits for the next start, which takes it into the database"
        raise Busy(message, value=journal.name, limit="a database that is closed or in use")
    options = "mode=ro" if in_use else "mode=ro&immutable=1"
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?{options}", timeout=BUSY_SECONDS, uri=True)
        ) as database:
            return _state(database, encoder_hash)
    except (sqlite3.Error, UnicodeDecodeError, ValueError) as error:
        raise IndexDamaged(f"{path.name} cannot be read: {error}", value=path.name) from error


def _state(database: sqlite3.Connection, encoder_hash: str) -> DatabaseState:
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    if not tables:
        return DatabaseState(None)
    if "alembic_version" not in tables:
        raise ValueError("it is a database of another program")
    (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone() or (None,)
    checked = [row[0] for row in database.execute(f"PRAGMA quick_check({MAX_FAULTS})")]
    if checked != ["ok"]:
        return DatabaseState(revision, tuple(checked))
    libraries = tuple(_libraries(database, encoder_hash)) if "library" in tables else ()
    return DatabaseState(revision, (), libraries, max(_moments(database, tables), default=None))


def _libraries(database: sqlite3.Connection, encoder_hash: str) -> Iterator[FoundLibrary]:
    """Read the libraries that are not deleted; the first schemas could not delete any."""
    kept = {
        table: f"{table}.deleted_at IS NULL" if "deleted_at" in columns_of(database, table) else "1"
        for table in ("library", "instrument")
    }
    rows = database.execute(
        "SELECT library.name, count(instrument.id), count(CASE WHEN instrument.encoder_hash != ? THEN 1 END) FROM library "
        f"LEFT JOIN instrument ON instrument.library_id = library.id AND {kept['instrument']} "
        f"WHERE {kept['library']} GROUP BY library.id ORDER BY library.created_at",
        (encoder_hash,),
    )
    yield from map(FoundLibrary._make, rows)


def _moments(database: sqlite3.Connection, tables: list[str]) -> Iterator[datetime]:
    for table in tables:
        for column in columns_of(database, table).intersection(MOMENTS):
            (latest,) = database.execute(f'SELECT max("{column}") FROM "{table}"').fetchone()
            if latest is not None:
                yield datetime.fromisoformat(latest).replace(tzinfo=UTC)
