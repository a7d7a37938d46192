"""The uploads that are on disk and wait for their enrollment: which folders they use, and how many bytes in all.

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

    def keep(self, folder: Path) -> None:
        """Count an upload of before a restart, whose enrollment goes on, however many bytes there are."""
        files = (path for path in folder.rglob("*") if path.is_file())
        with self._lock:
            self._bytes_of[folder.name] = sum(path.stat().st_size for path in files)

    def release(self, folder: Path) -> None:
        """Forget a folder, whose enrollment has ended."""
        with self._lock:
            self._bytes_of.pop(folder.name, None)
