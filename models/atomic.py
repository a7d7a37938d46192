"""Atomic files: written beside their place, flushed to disk, then renamed.

A kill at any moment leaves the old file or the new one, never half of one.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"  # suffix of a file that is being written


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it becomes `path` when the block ends, and is deleted when the block fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{PARTIAL}")
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file; it becomes `path` when the block ends, and is deleted when the block fails."""
    with atomic_path(path) as partial, partial.open("wb") as file:
        yield file


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` as a whole, or leave the old file."""
    with atomic_file(path) as file:
        file.write(data)


def _flush(path: Path) -> None:
    """Wait until the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
