"""The cache of a MIDI collection: a folder of .npy files, opened by memory map, and a JSON file that names them.

The JSON file is written last and atomically, so a killed run never leaves a cache that looks complete. Processes that open
the same cache share its memory.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.atomic import atomic_file, write_atomically

FORMAT = 1  # raised when reading a file gives other results
FACTS = "collection.json"
NOTES = "notes"
COLUMNS = 4

Arrays = dict[str, NDArray[Any]]


@contextmanager
def growing_notes(cache: Path, stamp: str) -> Iterator[Callable[[NDArray[np.float32]], None]]:
    """Yield a function that appends tables `[n, 4]` to the cache's notes; the file appears when the block ends."""
    rows = 0
    with atomic_file(_path(cache, NOTES, stamp)) as file:
        # numpy pads headers so that the number of rows can grow in place.
        begin = _write_header(file, rows)

        def append(table: NDArray[np.float32]) -> None:
            nonlocal rows
            file.write(np.ascontiguousarray(table, dtype="<f4").data)
            rows += len(table)

        yield append
        file.seek(0)
        assert _write_header(file, rows) == begin


def _write_header(file: Any, rows: int) -> int:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, COLUMNS)}
    np.lib.format.write_array_header_1_0(file, header)
    return int(file.tell())


def store(cache: Path, stamp: str, arrays: Arrays, facts: dict[str, Any]) -> None:
    """Write the other arrays and the facts beside the notes, and remove files of an older cache."""
    for name, array in arrays.items():
        with atomic_file(_path(cache, name, stamp)) as file:
            np.save(file, array)
    names = [NOTES, *arrays]
    record = {"format": FORMAT, "stamp": stamp, "arrays": names} | facts
    write_atomically(cache / FACTS, json.dumps(record).encode())
    kept = {_path(cache, name, stamp) for name in names}
    for name in names:
        for path in set(cache.glob(f"{name}-*.npy")) - kept:
            path.unlink(missing_ok=True)


def load(cache: Path, stamp: str) -> tuple[Arrays, dict[str, Any]] | None:
    """The arrays, by memory map, and the facts; None when the cache is of other files or another format, or damaged."""
    try:
        record = json.loads((cache / FACTS).read_bytes())
        if (record["format"], record["stamp"]) != (FORMAT, stamp):
            return None
        arrays = {name: np.load(_path(cache, name, stamp), mmap_mode="r") for name in record["arrays"]}
    except (OSError, ValueError, LookupError, TypeError):
        return None
    # Views of numpy's own class: slices of a memmap cost several times as much.
    return {name: array.view(np.ndarray) for name, array in arrays.items()}, record


def _path(cache: Path, name: str, stamp: str) -> Path:
    return cache / f"{name}-{stamp[:16]}.npy"
