"""Tests on both databases: a test marked `both_databases` runs on SQLite and on PostgreSQL, which its environment names then.

So services, commands and indexes find the database as they do for a user; `catalogue_at` and `move_rows` serve what does not
read the environment.
"""

import os
from pathlib import Path

from sqlalchemy import select, text

from index.catalog import Catalog
from index.declarative import Base
from index.libraries import DATABASE

VARIABLE = "SHOWME_DATABASE_URL"


def catalogue_at(folder: Path) -> Path | str:
    """Where the catalogue of a data folder is."""
    return os.environ.get(VARIABLE) or folder / DATABASE


def move_rows(folder: Path) -> None:
    """Move the rows of a data folder's SQLite file to the database that the environment names, if it names one."""
    url = os.environ.get(VARIABLE)
    if url is None:
        return
    source, target = Catalog(folder / DATABASE), Catalog(url)
    target.migrate()
    with source.engine.connect() as old, target.writer.begin() as new:
        for table in Base.metadata.sorted_tables:
            if rows := [dict(row) for row in old.execute(select(table)).mappings()]:
                new.execute(table.insert(), rows)
            if table.autoincrement_column is not None:
                name, column = table.name, table.autoincrement_column.name
                last = f"SELECT coalesce(max({column}), 0) + 1 FROM {name}"
                new.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{name}', '{column}'), ({last}), false)")
                )
    for catalog in (source, target):
        catalog.close()
    for path in folder.glob(f"{DATABASE}*"):
        path.unlink()
