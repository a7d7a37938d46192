"""The manifest of a backup: which moment of which data folder it holds, and size and hash of each of its files.

A backup is a zip whose entries are stored, not compressed: a part of a data folder, and `manifest.json`.
"""

from pathlib import Path, PurePath
from typing import Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, field_validator

from index.libraries import DATABASE, DataFolder
from index.stored_zip import StoredFile
from models.errors import BackupError

VERSION: Final = 1
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 256 * 1024 * 1024  # of two million files
IN_FOLDER = DataFolder(Path())  # the paths of a data folder, relative to it
_FOLDERS = {
    folder.name
    for folder in (
        IN_FOLDER.previews_dir,
        IN_FOLDER.queries_dir,
        IN_FOLDER.uploads_dir,
        IN_FOLDER.vectors_dir,
    )
}


class BackupManifest(BaseModel):
    """`schema_revision` is that of the database, `encoders` are the hashes of those that embedded its instruments.

    `counts` are the rows of each table, `files` those of the backup by their paths in the data folder.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    format: Literal["showme-backup"] = "showme-backup"
    version: Literal[1] = VERSION
    created_at: AwareDatetime
    schema_revision: str
    encoders: list[str]
    counts: dict[str, int]
    with_uploads: bool
    files: dict[str, StoredFile]

    @field_validator("files")
    @classmethod
    def _check_names(cls, files: dict[str, StoredFile]) -> dict[str, StoredFile]:
        for name in files:
            check_name(name)
        if DATABASE not in files or not _FOLDERS.isdisjoint(files):
            raise ValueError("there is no database in it, or a file in the place of a folder")
        return files

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read a manifest. Raises BackupError if a newer version wrote it or a name is not safe, ValueError if it is none."""
        version = _AnyVersion.model_validate_json(text).version
        if version > VERSION:
            message = f"it has format {version}, and this version of the program reads up to {VERSION}; take a newer one"
            raise BackupError(message, value=version, limit=VERSION)
        return cls.model_validate_json(text)


class _AnyVersion(BaseModel):
    """The part of a manifest that every version has."""

    format: Literal["showme-backup"]
    version: int


def check_name(name: str) -> None:
    """Raise BackupError unless this is a path in the parts of a data folder that are backed up, and leads to no other place."""
    parts = name.split("/")
    is_plain = all(
        part not in ("", ".", "..") and "\0" not in part and PurePath(part).name == part for part in parts
    )
    if not is_plain or (name != DATABASE and parts[0] not in _FOLDERS):
        shown = name[:100]
        raise BackupError(f"it names {shown!r}, which is no part of a data folder", value=shown)
