"""Looks at a catalogue's database without changing anything, as `showme doctor` does before a start.

The database may be in use, of an older or newer version, damaged, or another program's. `Catalog` would prepare it for writing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, Inspector, column, func, inspect, select, table, text
from sqlalchemy.exc import DBAPIError

from index.database.base import Database
from index.database.opening import open_database
from index.declarative import UtcDateTime
from models.errors import IndexDamaged

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


def inspect_database(location: Path | str, encoder_hash: str) -> DatabaseState:
    """Read the database at a path or URL; instruments are stale unless `encoder_hash` is that of their encoder.

    Raises IndexDamaged for what is no catalogue or cannot be read, Busy where only a process that writes could read it, and
    DatabaseUnavailable for a server that cannot be reached.
    """
    database = open_database(location)
    try:
        with database.inspecting() as connection:
            return DatabaseState(None) if connection is None else _state(database, connection, encoder_hash)
    except (DBAPIError, UnicodeDecodeError, ValueError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        raise IndexDamaged(f"{database.name} cannot be read: {reason}", value=database.name) from error


def _state(database: Database, connection: Connection, encoder_hash: str) -> DatabaseState:
    found = inspect(connection)
    tables = found.get_table_names()
    if not tables:
        return DatabaseState(None)
    if "alembic_version" not in tables:
        raise ValueError("it is a database of another program")
    revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if faults := database.page_faults(connection):
        return DatabaseState(revision, tuple(faults))
    libraries = tuple(_libraries(connection, found, encoder_hash)) if "library" in tables else ()
    return DatabaseState(revision, (), libraries, max(_moments(connection, found), default=None))


def _libraries(connection: Connection, found: Inspector, encoder_hash: str) -> Iterator[FoundLibrary]:
    """Read the libraries that are not deleted; the first schemas could not delete any."""
    kept = {
        name: f"{name}.deleted_at IS NULL" if "deleted_at" in _columns_of(found, name) else "1 = 1"
        for name in ("library", "instrument")
    }
    rows = text(
        "SELECT library.name, count(instrument.id), count(CASE WHEN instrument.encoder_hash != :encoder THEN 1 END) "
        f"FROM library LEFT JOIN instrument ON instrument.library_id = library.id AND {kept['instrument']} "
        f"WHERE {kept['library']} GROUP BY library.id ORDER BY library.created_at"
    )
    yield from (FoundLibrary(*row) for row in connection.execute(rows, {"encoder": encoder_hash}))


def _moments(connection: Connection, found: Inspector) -> Iterator[datetime]:
    """Read the latest moment of each column that holds moments."""
    for name in found.get_table_names():
        for moment in _columns_of(found, name).intersection(MOMENTS):
            latest = connection.scalar(select(func.max(column(moment, UtcDateTime))).select_from(table(name)))
            if latest is not None:
                yield latest


def _columns_of(found: Inspector, name: str) -> set[str]:
    return {one["name"] for one in found.get_columns(name)}
