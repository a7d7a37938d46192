"""Every released revision of the catalogue, with rows in each of its tables, goes up to the newest one and down again."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from index.catalog import JOB_STATES, Catalog
from index.declarative import Base
from index.migrations import CONNECTION, alembic_config, revisions
from tests.databases import catalogue_at

NEWEST, FIRST = revisions()[0], revisions()[-1]
ON_BOTH = pytest.mark.parametrize(
    ("database", "revision"),
    [("sqlite", one) for one in revisions()] + [("postgresql", one) for one in (FIRST, "0005", NEWEST)],
    indirect=["database"],
)
NUM_ROWS = 4  # of each table: a full one, one with nulls, one of a deleted library, and a deleted one of a kept library
Rows = dict[str, list[dict[str, Any]]]
Names = dict[str, list[str]]


@pytest.fixture
def catalog(tmp_path: Path, database: str | None) -> Iterator[Catalog]:
    made = Catalog(catalogue_at(tmp_path))
    made.database.prepare()
    yield made
    made.close()


def migrate(catalog: Catalog, to: Callable[[Config, str], None], revision: str) -> None:
    config = alembic_config()
    with catalog.database.altering() as connection:
        config.attributes[CONNECTION] = connection
        to(config, revision)


def tables(catalog: Catalog) -> list[sa.Table]:
    """The tables of the present revision, each after those that it refers to."""
    metadata = sa.MetaData()
    metadata.reflect(catalog.engine)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def fill(catalog: Catalog, revision: str) -> Rows:
    """Store rows with a value in every column of every table, and return them as they are read."""
    for table in tables(catalog):
        rows = [
            {column.name: value(column, number, revision) for column in table.columns}
            for number in range(NUM_ROWS)
        ]
        with catalog.writer.begin() as connection:
            connection.execute(table.insert(), rows)
    return read(catalog)


def value(column: sa.Column[Any], number: int, revision: str) -> Any:
    """A value for the column in row `number`, which refers to the rows of the same number."""
    for key in column.foreign_keys:
        return value(key.column, number, revision)
    special = {
        "library.deleted_at": (None, None, datetime(2026, 11, 1), None),
        "instrument.deleted_at": (None, None, None, datetime(2026, 11, 2)),
        "instrument.family": ("flute", None, "drum", "effect" if revision >= "0005" else "bass"),
        "job.state": JOB_STATES[1:],
    }
    if str(column) in special:
        return special[str(column)][number]
    if column.nullable and number == 1:
        return None
    of_type: dict[type, Any] = {
        int: number + 1,
        bool: number % 2 == 0,
        float: number / 3,
        str: f"{column} {number}"[-(getattr(column.type, "length", None) or 100) :],
        bytes: bytes([number] * 8),
        datetime: datetime(2026, 1, 1) + timedelta(days=number),
        dict: {str(column): number},
    }
    return of_type[dict if isinstance(column.type, sa.JSON) else column.type.python_type]


def read(catalog: Catalog) -> Rows:
    """All rows of all tables."""
    with catalog.engine.connect() as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key)).mappings()
            ]
            for table in tables(catalog)
        }


def names(catalog: Catalog) -> Names:
    """The names of all tables, and of their columns."""
    return {table.name: [column.name for column in table.columns] for table in tables(catalog)}


def reduced(rows: Rows, to: Names) -> Rows:
    """The rows, with these tables and columns alone."""
    return {table: [{column: row[column] for column in to[table]} for row in rows[table]] for table in to}


def structure(catalog: Catalog) -> dict[str, Any]:
    """The columns, keys, constraints and indexes of each table."""
    metadata = sa.MetaData()
    metadata.reflect(catalog.engine)
    return {table.name: parts(table, catalog.engine.dialect.name) for table in metadata.sorted_tables}


def parts(table: sa.Table, dialect: str) -> dict[str, set[Any]]:
    columns = {
        (
            one.name,
            str(one.type),
            one.nullable,
            one.primary_key,
            str(getattr(one.server_default, "arg", None)),
        )
        for one in table.columns
    }
    keys = {(str(key.parent), key.target_fullname, key.ondelete, key.onupdate) for key in table.foreign_keys}
    constraints = {
        (one.name, type(one), str(getattr(one, "columns", "")), str(getattr(one, "sqltext", "")))
        for one in table.constraints
    }
    indexes = {
        (one.name, one.unique, str(one.columns), str(one.dialect_options[dialect]["where"]))
        for one in table.indexes
    }
    return {"columns": columns, "keys": keys, "constraints": constraints, "indexes": indexes}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The tables that differ, with what was and what is."""
    every = sorted({*before, *after})
    return [
        (name, before.get(name), after.get(name)) for name in every if before.get(name) != after.get(name)
    ]


def sound(catalog: Catalog) -> bool:
    return list(catalog.database.faults()) == []


@ON_BOTH
def test_nothing_is_lost_on_the_way_up_and_down(catalog: Catalog, revision: str) -> None:
    migrate(catalog, command.upgrade, revision)
    made, stored = structure(catalog), fill(catalog, revision)
    kept = names(catalog)
    catalog.migrate()
    upgraded = read(catalog)
    assert changes(stored, reduced(upgraded, kept)) == []
    assert sound(catalog)
    with catalog.session() as session:
        for mapper in Base.registry.mappers:
            found = session.scalars(sa.select(mapper.class_)).all()
            assert len(found) == (NUM_ROWS if mapper.class_.__tablename__ in kept else 0)
    migrate(catalog, command.downgrade, revision)
    assert changes(stored, read(catalog)) == []
    assert changes(made, structure(catalog)) == []
    assert sound(catalog)


@ON_BOTH
def test_going_down_leaves_what_the_revision_can_hold(catalog: Catalog, revision: str) -> None:
    migrate(catalog, command.upgrade, revision)
    made, kept = structure(catalog), names(catalog)
    catalog.migrate()
    held = reduced(held_by(revision, fill(catalog, NEWEST)), kept)
    migrate(catalog, command.downgrade, revision)
    assert changes(held, read(catalog)) == []
    assert changes(made, structure(catalog)) == []
    assert sound(catalog)
    catalog.migrate()
    assert changes(held, reduced(read(catalog), kept)) == []


def held_by(revision: str, rows: Rows) -> Rows:
    """The newest revision's rows without what an earlier one has no place for: new families, and what is deleted."""
    held = {name: [dict(row) for row in found] for name, found in rows.items()}
    if revision < "0005":
        for row in held["instrument"]:
            row["family"] = None if row["family"] == "effect" else row["family"]
    if revision < "0003":
        libraries = {row["id"] for row in held["library"] if row["deleted_at"] is None}
        held["library"] = [row for row in held["library"] if row["id"] in libraries]
        held["instrument"] = [
            row for row in held["instrument"] if row["deleted_at"] is None and row["library_id"] in libraries
        ]
        kept = {row["vector_id"] for row in held["instrument"]}
        held["clip"] = [row for row in held["clip"] if row["vector_id"] in kept]
        for row in (*held["job"], *held["query"]):
            row["library_id"] = row["library_id"] if row["library_id"] in libraries else None
    return held
