"""The disk of a data folder: how much of it is free, and a reserve that lets deletions through when it is full.

SQLite writes a change beside the database before it takes it over, so that even a deletion needs room.
"""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from models.errors import StorageFull

RESERVE_BYTES = 2 * 1024 * 1024
_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full(error: BaseException | None) -> bool:
    """Whether an error says that the disk, or the user's part of it, is full."""
    return isinstance(error, OSError) and error.errno in _FULL


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free for us on the disk of `folder`."""
    return shutil.disk_usage(folder).free


def storage_full(error: object) -> StorageFull:
    """Return the error of a full disk, with what can be done; `error` is what the system or the database says."""
    message = "the disk of the data folder is full: delete queries or libraries, or make room on it"
    return StorageFull(message, value=str(getattr(error, "strerror", None) or error), limit="free space")


def nearly_full(min_free_bytes: int, free_bytes: int) -> StorageFull:
    """Return the error of a disk that has room for deletions and small changes, but not for uploads."""
    message = (
        f"the disk of the data folder would have {free_bytes} bytes left; uploads are refused below {min_free_bytes} "
        "(SHOWME_MIN_FREE_BYTES): delete queries or libraries, or make room on it"
    )
    return StorageFull(message, value=free_bytes, limit=min_free_bytes)


class DiskReserve:
    """A file that takes `RESERVE_BYTES` of the disk; it is removed when a deletion needs them.

    Without a path there is none: the database, which needs it, is on another machine's disk.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def hold(self) -> None:
        """Take the reserve if it is not held and the disk has room for it."""
        if self._path is None or self._path.exists() or free_bytes(self._path.parent) < 2 * RESERVE_BYTES:
            return
        try:
            self._path.write_bytes(os.urandom(RESERVE_BYTES))  # what a file system cannot compress
        except OSError:
            self._path.unlink(missing_ok=True)

    def release_if_needed(self) -> None:
        """Give the reserve back to the disk if that is nearly full."""
        if self._path is None:
            return
        with suppress(OSError):
            if free_bytes(self._path.parent) < RESERVE_BYTES:
                self._path.unlink(missing_ok=True)
