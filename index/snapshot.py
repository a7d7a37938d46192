"""The database of a backup: a copy of one moment, what its rows refer to, and the checks of one that comes from elsewhere.

A backup may be of any released schema, and nothing is migrated: these are plain statements about what all revisions share.
"""

import sqlite3
from pathlib import Path

from index.backup_manifest import IN_FOLDER, BackupManifest, check_name
from index.catalog import UNFINISHED_STATES
from index.database.base import RESTORE
from index.database.sqlite import columns_of, plain_connection
from models.errors import BackupError, IndexDamaged

# Triggers, views, virtual tables, computed columns and references that change rows: with them, rows that were checked change.
_REWRITES_ROWS = """
    SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR (type = 'table' AND rootpage = 0)
    UNION ALL SELECT t.name FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table' AND c.hidden
    UNION ALL SELECT t.name FROM sqlite_master t, pragma_foreign_key_list(t.name) k
    WHERE t.type = 'table' AND (k.on_update <> 'NO ACTION' OR k.on_delete NOT IN ('NO ACTION', 'CASCADE', 'SET NULL'))
"""
_UNFINISHED = ", ".join(f"'{state}'" for state in UNFINISHED_STATES)


def copy_database(live: Path, copy: Path) -> None:
    """Copy the database as it is at one moment, whoever writes to it meanwhile, to the file `copy`.

    Unfinished jobs have no lease in the copy: who restores it takes them for interrupted. Sessions are left out. Raises
    IndexDamaged and StorageFull.
    """
    with plain_connection(live) as source, plain_connection(copy, "rwc") as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE").close()  # all in one file
        if "leased_until" in columns_of(target, "job"):
            target.execute(f"UPDATE job SET owner = NULL, leased_until = NULL WHERE state IN ({_UNFINISHED})")
        if columns_of(target, "sign_in"):
            target.execute("DELETE FROM sign_in")  # a session that has ended must not come back
        if damage := _damage(target):
            raise IndexDamaged(f"the database {live.name} is damaged ({damage}); {RESTORE}", value=damage)


def schema_of(database: sqlite3.Connection) -> str:
    """Return the revision of the schema. Raises IndexDamaged if it is not a catalogue."""
    if "version_num" in columns_of(database, "alembic_version"):
        for (revision,) in database.execute("SELECT version_num FROM alembic_version"):
            return str(revision)
    raise IndexDamaged("the database is not a catalogue: it has no revision")


def counts_of(database: sqlite3.Connection) -> dict[str, int]:
    """Return the number of rows of each table."""
    named = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    counts = {}
    for (name,) in named.fetchall():
        quoted = name.replace('"', '""')
        (counts[name],) = database.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()
    return counts


def encoders_of(database: sqlite3.Connection) -> list[str]:
    """Return the hashes of the encoders that embedded the instruments."""
    return sorted(_texts(database, "instrument", "encoder_hash"))


def referenced_files(database: sqlite3.Connection) -> set[str]:
    """Return the files and folders of the data folder that rows refer to: previews, audio of queries, and uploads.

    An upload is kept for later encoders, or its enrollment goes on from it. Each file is written before its row is stored, and
    deleted after its row is, or the job has ended.
    """
    names = {IN_FOLDER.preview_file(one).as_posix() for one in _texts(database, "instrument", "id")}
    names |= {(IN_FOLDER.queries_dir / one).as_posix() for one in _texts(database, "query", "audio")}
    paths: set[str] = set()
    for table, chosen in (("instrument", "1"), ("job", f"state IN ({_UNFINISHED})")):
        if "source_path" in columns_of(database, table):
            paths |= _texts(database, table, "source_path", chosen)
    return names | {one for one in paths if not Path(one).is_absolute()}


def check_foreign(database: sqlite3.Connection, manifest: BackupManifest) -> None:
    """Raise BackupError or IndexDamaged unless a database is the manifest's, sound, and refers to files of a data folder."""
    for (name,) in database.execute(_REWRITES_ROWS):
        raise BackupError(f"its database has {name!r}, which no version of this program makes", value=name)
    if damage := _damage(database):
        raise BackupError(f"its database is damaged ({damage})", value=damage)
    if (schema_of(database), counts_of(database)) != (manifest.schema_revision, manifest.counts):
        raise BackupError("its database is not the one that its manifest describes")
    names = {(IN_FOLDER.vectors_dir / one).as_posix() for one in _texts(database, "library", "id")}
    for name in names | referenced_files(database):
        check_name(name)


def _damage(database: sqlite3.Connection) -> str | None:
    (message,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    return None if message == "ok" else str(message)


def _texts(database: sqlite3.Connection, table: str, column: str, chosen: str = "1") -> set[str]:
    """Return what a column holds in the chosen rows; a hostile database may hold other things than texts."""
    found = f"SELECT DISTINCT CAST({column} AS TEXT) FROM {table} WHERE {column} IS NOT NULL AND {chosen}"
    rows = database.execute(found)
    return {text for (text,) in rows}
