"""Run the migrations of the catalogue (`index/catalog.py`), for the program or for alembic's command line.

The program passes its own connection; the command line opens the database that alembic.ini or `-x url=…` names.
"""

from alembic import context
from sqlalchemy import Connection

from index.catalog import Catalog
from index.declarative import Base
from index.migrations import CONNECTION, migrating


def run(connection: Connection) -> None:
    """Migrate inside the caller's transaction. A "batch" is alembic's copy-and-replace, which SQLite needs to alter a table."""
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
