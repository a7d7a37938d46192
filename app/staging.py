"""The uploads that are on disk, or on their way to it, and wait for their enrollment: which folders, and how many bytes in all.

A zip may unpack to twenty times its size, and every waiting job may hold one: without a limit on their sum they fill the disk.
"""

import threading
from collections import Counter
from pathlib import Path

from models.errors import Busy


class StagedUploads:
    """Counts the bytes of each upload's folder, and refuses more than `max_bytes` of all. Thread-safe."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._bytes_of: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def names(self) -> set[str]:
        """The names of the folders."""
        with self._lock:
            return set(self._bytes_of)

    @property
    def num_bytes(self) -> int:
        """The bytes of all folders."""
        with self._lock:
            return self._bytes_of.total()

    def take(self, folder: Path, num_bytes: int) -> None:
        """Count bytes that are about to be written into `folder`. Raises Busy if they would be too many."""
        with self._lock:
            total = self._bytes_of.total() + num_bytes
            if total > self.max_bytes:
                raise Busy(
                    f"uploads that wait for their enrollment would use {total} bytes; try again when some are done",
                    value=total,
                    limit=self.max_bytes,
                )
            self._bytes_of[folder.name] += num_bytes

    def keep(self, folder: Path, num_bytes: int | None = None) -> None:
        """Count an upload that was admitted before, however many bytes there are; None: the bytes of its files."""
        if num_bytes is None:
            num_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        with self._lock:
            self._bytes_of[folder.name] = num_bytes

    def release(self, folder: Path) -> None:
        """Forget a folder, whose enrollment has ended, or whose upload was given up."""
        with self._lock:
            self._bytes_of.pop(folder.name, None)
