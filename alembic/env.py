"""Runs the migrations of the catalogue (`index.catalog`), for the program or for alembic's command line.

The program hands its own connection over; the command line takes the database that alembic.ini or `-x url=…` names.
"""

from alembic import context
from sqlalchemy import Connection

from index.catalog import Base, Catalog
from index.migrations import CONNECTION, migrating


def run(connection: Connection) -> None:
    """Migrate inside the caller's transaction; alembic calls SQLite's way of altering a table a batch."""
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("there is no offline mode: a batch has to look at the database")

given: Connection | None = context.config.attributes.get(CONNECTION)
if given is not None:
    run(given)
else:
    url = context.get_x_argument(as_dictionary=True).get("url") or context.config.get_main_option(
        "sqlalchemy.url"
    )
    with migrating(Catalog(str(url)).writer) as own:
        run(own)
