"""`showme database move`: the catalogue of the settings into another database. No encoder is loaded."""

from contextlib import closing
from datetime import datetime
from pathlib import Path

from app.cli.context import read_settings
from app.cli.terminal import out
from index.catalog import Catalog
from index.catalogue_move import move_catalogue
from index.database.postgresql import FORM, is_postgresql
from index.libraries import DataFolder
from models.errors import InvalidRequest, MoveError

SQLITE = "sqlite"


def move(target: str) -> None:
    """Move the catalogue to a PostgreSQL URL, or to the data folder's SQLite file."""
    settings = read_settings()
    file = DataFolder(settings.data_dir).database
    if target != SQLITE and not is_postgresql(target):
        raise InvalidRequest(
            "the catalogue moves to PostgreSQL, or back to SQLite", limit=f"{FORM}, or {SQLITE}"
        )
    location = file if target == SQLITE else target
    if location == settings.catalogue:
        raise MoveError("the catalogue is there already", value=target if target == SQLITE else None)
    with closing(Catalog(settings.catalogue)) as source, closing(Catalog(location)) as new:
        counts = move_catalogue(source, new)
        names = source.database.name, new.database.name
    told = ", ".join(f"{name} {number}" for name, number in counts.items() if number) or "no rows"
    out.print(f"moved from {names[0]} to {names[1]}, and compared: {told}", markup=False, soft_wrap=True)
    if target == SQLITE:
        out.print(f"unset SHOWME_DATABASE_URL; {names[0]} is left as it was", markup=False, soft_wrap=True)
        return
    if settings.database_url is None:
        kept = _set_aside(file)
        out.print(f"the SQLite file is kept as {kept.name}", markup=False, soft_wrap=True)
    out.print("set SHOWME_DATABASE_URL to the new database for services and commands", soft_wrap=True)


def _set_aside(file: Path) -> Path:
    """Rename the old file, so that no service starts with it by mistake, and give the disk its reserve back."""
    kept = file.with_name(f"{file.name}.moved-{datetime.now():%Y%m%d-%H%M%S}")
    file.rename(kept)
    file.with_name(f"{file.name}-reserve").unlink(missing_ok=True)
    return kept
