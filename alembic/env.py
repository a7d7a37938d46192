"""Run the migrations of the catalogue (`index/catalog.py`), for the program or for alembic's command line.

The program passes its own connection; the command line opens the database that `-x url=…`, SHOWME_DATABASE_URL or else
alembic.ini names.
"""

import os
from pathlib import Path

from alembic import context
from sqlalchemy import Connection, make_url

from index.catalog import Catalog
from index.declarative import Base
from index.incoming import ResumableUpload  # noqa: F401 its table belongs to the metadata
from index.migrations import CONNECTION
from index.sound_descriptors import SoundDescriptors  # noqa: F401 likewise


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
    named = context.get_x_argument(as_dictionary=True).get("url"), os.environ.get("SHOWME_DATABASE_URL")
    url = str(next(filter(None, named), context.config.get_main_option("sqlalchemy.url")))
    file = Path(make_url(url).database or "") if url.startswith("sqlite:///") else None
    with Catalog(file or url).database.altering() as own:
        run(own)
