"""Moves a catalogue to another database, as from SQLite to PostgreSQL: in one transaction, and compared before it ends.

A kill at any moment leaves the old catalogue as it was, and the new database empty. Previews, audio, uploads and vectors stay
in the data folder; the rows keep their ids and numbers.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, CursorResult, Table, inspect, select

from index.catalog import Catalog
from index.database.base import Database
from index.declarative import Base
from index.incoming import ResumableUpload  # noqa: F401 its table belongs to the metadata
from index.migrations import upgrade_within
from index.sound_descriptors import SoundDescriptors  # noqa: F401 likewise
from models.errors import MoveError

CHUNK_ROWS = 500
VERSION_TABLE = "alembic_version"
MAX_NAMED = 3  # tables that a refusal names


def move_catalogue(source: Catalog, target: Catalog) -> dict[str, int]:
    """Copy all rows of `source` into the empty database `target`; return their number by table.

    Raises MoveError without a catalogue, for a target that is not empty, and if the copy differs; Busy while others use the
    source; DatabaseUnavailable, StorageFull and IndexDamaged as every use of a database does.
    """
    _check_source(source.database)
    target.database.prepare()
    source.migrate()
    with source.database.leaving() as old, target.database.altering() as new:
        _check_empty(target.database, new)
        upgrade_within(new)
        _check_known(new)
        return {table.name: _move(source.database, target.database, old, new, table) for table in _tables()}


def _tables() -> list[Table]:
    """The tables, each behind those that its rows refer to."""
    return Base.metadata.sorted_tables


def _check_known(connection: Connection) -> None:
    """Raise MoveError if the schema has a table that this program would leave behind."""
    unknown = {*inspect(connection).get_table_names()} - {*Base.metadata.tables, VERSION_TABLE}
    if unknown:
        raise MoveError(f"rows of the table {min(unknown)} would be left behind", value=min(unknown))


def _check_source(database: Database) -> None:
    with database.inspecting() as connection:
        if connection is None or not inspect(connection).get_table_names():
            raise MoveError(f"{database.name} holds no catalogue", value=database.name)


def _check_empty(database: Database, connection: Connection) -> None:
    if tables := inspect(connection).get_table_names():
        named = ", ".join(sorted(tables)[:MAX_NAMED]) + (", …" if len(tables) > MAX_NAMED else "")
        message = f"{database.name} is not empty: it has the tables {named}"
        raise MoveError(message, value=len(tables), limit="a database without tables")


def _move(source: Database, target: Database, old: Connection, new: Connection, table: Table) -> int:
    """Copy a table, and return the number of its rows. Raises MoveError if the copy differs."""
    for chunk in _rows(old, table).mappings().partitions():
        new.execute(table.insert(), [dict(row) for row in chunk])
    if table.autoincrement_column is not None:
        target.set_last_number(new, table, source.last_number(old, table))
    wanted, found = _contents(old, table, target.stored), _contents(new, table, target.stored)
    if wanted != found:
        message = (
            f"the copy of the table {table.name} differs ({found[0]} of {wanted[0]} rows); nothing was moved"
        )
        raise MoveError(message, value=found[0], limit=wanted[0])
    return wanted[0]


def _rows(connection: Connection, table: Table) -> CursorResult[Any]:
    return connection.execute(select(table), execution_options={"yield_per": CHUNK_ROWS})


def _contents(connection: Connection, table: Table, stored: Callable[[Any], Any]) -> tuple[int, int]:
    """Return the number of rows, and the sum of their hashes, which has no order: databases sort texts differently."""
    number, total = 0, 0
    for row in _rows(connection, table):
        text = repr([stored(value) for value in row])
        total += int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        number += 1
    return number, total
