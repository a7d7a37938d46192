"""Makes a library look as if another encoder had embedded it, as after an upgrade: the service reads it so at once.

Plain SQL, since importing the catalogue takes longer than the test around it.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

OTHER = "sha256:another"


def make_stale(database: Path, library_id: str) -> None:
    """Write another encoder's hash into a library and its instruments."""
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        for table, column in (("library", "id"), ("instrument", "library_id")):
            statement = f"UPDATE {table} SET encoder_hash = ? WHERE {column} = ?"
            connection.execute(statement, (OTHER, library_id))


if __name__ == "__main__":
    make_stale(Path(os.environ["SHOWME_DATA_DIR"]) / "showme.db", sys.argv[1])
