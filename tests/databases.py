"""Tests on both databases: a test marked `both_databases` runs on SQLite and on PostgreSQL, which its environment names then.

So services, commands and indexes find the database as they do for a user; `catalogue_at` and `move_rows` serve what does not
read the environment.
"""

import os
from contextlib import closing
from pathlib import Path

from index.catalog import Catalog
from index.catalogue_move import move_catalogue
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
    with closing(Catalog(folder / DATABASE)) as source, closing(Catalog(url)) as target:
        move_catalogue(source, target)
    for path in folder.glob(f"{DATABASE}*"):
        path.unlink()
