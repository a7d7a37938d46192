"""Chooses the database of a location: an SQLite file, or a PostgreSQL server by its URL."""

from pathlib import Path

from index.database.base import Database
from index.database.postgresql import FORM, PostgresqlDatabase, is_postgresql
from index.database.sqlite import SqliteDatabase
from models.errors import InvalidRequest


def open_database(location: Path | str) -> Database:
    """Return the database of an SQLite file or a PostgreSQL URL; nothing is read or connected yet.

    Raises InvalidRequest for a URL that is none of ours, and DatabaseUnavailable without the driver of PostgreSQL.
    """
    if isinstance(location, Path):
        return SqliteDatabase(location)
    if is_postgresql(location):
        return PostgresqlDatabase(location)
    raise InvalidRequest("SHOWME_DATABASE_URL is not the URL of a PostgreSQL database", limit=FORM)
