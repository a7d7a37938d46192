"""`showme backup` and `showme restore`: the data folder of the settings as a zip, and back. No encoder is loaded."""

from pathlib import Path

from app.cli.context import read_settings
from app.cli.terminal import out
from index.backup import back_up
from index.backup_manifest import BackupManifest
from index.restoring import restore as restore_backup
from models.errors import BackupError


def backup(file: Path, *, with_uploads: bool) -> None:
    """Back the data folder up into `file`."""
    settings = read_settings()
    if settings.database_url is not None:
        message = (
            "the catalogue is in PostgreSQL: back it up with pg_dump, and copy previews/, queries/ and uploads/ of "
            f"{settings.data_dir} before and after it (vectors/ are made again)"
        )
        raise BackupError(message, value="SHOWME_DATABASE_URL")
    manifest = back_up(settings.data_dir, file, with_uploads=with_uploads)
    out.print(f"backed up to {file}: {_contents(manifest)}", markup=False, soft_wrap=True)


def restore(file: Path) -> None:
    """Restore `file` as the data folder."""
    settings = read_settings()
    data_dir = settings.data_dir
    if settings.database_url is not None:
        message = (
            "a backup holds an SQLite database: unset SHOWME_DATABASE_URL to restore it, or use pg_restore"
        )
        raise BackupError(message, value="SHOWME_DATABASE_URL")
    manifest = restore_backup(file, data_dir)
    made = f"{manifest.created_at:%Y-%m-%d %H:%M} UTC"
    out.print(f"restored to {data_dir}, as of {made}: {_contents(manifest)}", markup=False, soft_wrap=True)


def _contents(manifest: BackupManifest) -> str:
    rows = {"libraries": "library", "instruments": "instrument", "queries": "query"}
    counts = ", ".join(f"{name} {manifest.counts[table]}" for name, table in rows.items())
    mebibytes = sum(file.bytes for file in manifest.files.values()) / (1024 * 1024)
    return f"{counts}, files {len(manifest.files)} ({mebibytes:.1f} MiB)"
