"""Reads zips whose entries are stored with their sizes and hashes in a manifest, and nothing else: backups, and libraries.

An archive may be damaged, cut short, or made to do harm: nothing of it is believed before its hash is compared.
"""

import hashlib
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from models.errors import BackupError

CHUNK_BYTES = 1 << 20
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(RuntimeError, NotImplementedError, ValueError, OverflowError, LookupError),
)


class StoredFile(BaseModel):
    """Size and hash of a file."""

    model_config = ConfigDict(strict=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


def add_entry(zipped: zipfile.ZipFile, name: str, path: Path) -> StoredFile:
    """Store the file at `path` under `name`, and return its size and hash."""
    digest, num_bytes = hashlib.sha256(), 0
    entry = zipfile.ZipInfo(name)
    entry.file_size = path.stat().st_size  # beyond four gigabytes its head is another
    with path.open("rb") as source, zipped.open(entry, "w") as target:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            num_bytes += target.write(chunk)
    return StoredFile(bytes=num_bytes, sha256=digest.hexdigest())


def opened_zip(file: BinaryIO, kind: str) -> zipfile.ZipFile:
    """Open an archive of a `kind`, as people call it. Raises BackupError."""
    try:
        return zipfile.ZipFile(file)
    except BROKEN as error:
        raise BackupError(f"it is no {kind} of this program, or it was cut short") from error


def read_entry(zipped: zipfile.ZipFile, name: str, max_bytes: int) -> bytes:
    """Return the content of a small entry. Raises BackupError, and one of BROKEN if it is not there, damaged or too large."""
    with zipped.open(_checked(zipped.getinfo(name))) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"more than {max_bytes} bytes")
    return content


def check_entries(zipped: zipfile.ZipFile, names: Collection[str], archive_bytes: int) -> None:
    """Raise BackupError unless the archive holds each of these files, once and stored as it is, and nothing else."""
    entries = [_checked(entry) for entry in zipped.infolist()]
    if sorted(entry.filename for entry in entries) != sorted(names):
        raise BackupError("it does not hold the files that its manifest names, each once, and no others")
    declared = sum(entry.file_size for entry in entries)
    if declared > archive_bytes:
        raise BackupError(f"it declares {declared} bytes", value=declared, limit=archive_bytes)


def _checked(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Return an entry that is a stored file. Raises BackupError for one that is compressed, encrypted or a link."""
    is_plain = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & 0x1
    if not is_plain or stat.S_ISLNK(entry.external_attr >> 16):
        raise BackupError(f"{entry.filename[:100]!r} in it is no stored file", value=entry.filename[:100])
    return entry


def unpack_entry(zipped: zipfile.ZipFile, name: str, expected: StoredFile, path: Path) -> None:
    """Write an entry to `path`, and compare it with the manifest."""
    digest, num_bytes = hashlib.sha256(), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except (FileExistsError, NotADirectoryError) as error:
        raise BackupError(f"{name!r} in it takes the place of another file", value=name) from error
    with file:
        for chunk in _chunks(zipped, name):
            digest.update(chunk)
            num_bytes += file.write(chunk)
    if (num_bytes, digest.hexdigest()) != (expected.bytes, expected.sha256):
        raise BackupError(f"{name!r} in it is damaged", value=name)


def _chunks(zipped: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        with zipped.open(name) as source:
            while chunk := source.read(CHUNK_BYTES):
                yield chunk
    except BROKEN as error:
        raise BackupError(f"{name!r} in it is damaged", value=name) from error
