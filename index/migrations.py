"""Run the alembic migrations from code: opening a data folder is all the set-up that is needed.

The scripts live in the top-level folder `alembic/`, which has no `__init__.py`: it would shadow the installed package.
"""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from index.database.base import Database
from models.errors import IndexDamaged

CONNECTION = "connection"  # the config attribute that hands our connection to `alembic/env.py`


def migrations_folder() -> Path:
    """Find the migration scripts: beside this package in a checkout, inside it (`_alembic`) in a wheel."""
    package = Path(__file__).parent
    for folder in (package.parent / "alembic", package / "_alembic"):
        if (folder / "env.py").is_file() and (folder / "versions").is_dir():
            return folder
    raise IndexDamaged("the migrations are not installed with the index package", value=str(package))


def alembic_config() -> Config:
    """Make the alembic configuration of these migrations; put a connection into its attributes under CONNECTION."""
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions of the schema that this version of the program knows, the newest first."""
    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return tuple(script.revision for script in scripts)


def upgrade_within(connection: Connection) -> None:
    """Upgrade to the newest revision in the transaction of a connection that may alter tables."""
    config = alembic_config()
    config.attributes[CONNECTION] = connection
    command.upgrade(config, "head")


def upgrade(database: Database) -> None:
    """Upgrade to the newest revision; take the write lock only if there is something to do.

    Raises IndexDamaged if the database is damaged, is no catalogue, or was made by a newer version of the program.
    """
    try:
        with database.reader.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
        if current != revisions()[0]:
            with database.altering() as connection:
                upgrade_within(connection)
    except CommandError as error:
        message = f"{database.name} was made by a newer version of this program: {error}"
        raise IndexDamaged(message, value=current) from error
