"""Who plays in which mixture of a compact data set: two tables of numbers, opened by memory map.

The compact form of section 4's Nlakh-multi (Kim et al. 2022); the published form says the same by its file names.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.atomic import atomic_file
from models.errors import TrainingError

STEMS_FILE = "stems.npy"  # int32 [stems]: the instrument number of each row of a split's shards
MIXTURES_FILE = "mixtures.npy"  # int64 [mixtures + 1]: mixture m has the rows from its entry to the next


def write_tables(folder: Path, mixtures: list[tuple[int, ...]]) -> None:
    """Who plays in which mixture of a split, for the compact layout; `mixtures` are instrument numbers, in order."""
    tables = {
        STEMS_FILE: np.concatenate([np.array(row, np.int32) for row in mixtures]),
        MIXTURES_FILE: np.cumsum([0, *(len(row) for row in mixtures)], dtype=np.int64),
    }
    for name, table in tables.items():
        with atomic_file(folder / name) as file:
            np.save(file, table, allow_pickle=False)


def read_tables(folder: Path, stems: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Instrument numbers of the stems, and where each mixture begins.

    Raises TrainingError when they cannot be read, or are not of so many stems.
    """
    try:
        numbers = np.load(folder / STEMS_FILE, mmap_mode="r", allow_pickle=False)
        offsets = np.load(folder / MIXTURES_FILE, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(f"the tables of {folder} cannot be read: {error}", value=str(folder)) from error
    if numbers.ndim != 1 or offsets.ndim != 1 or not _divide(offsets, len(numbers)) or len(numbers) != stems:
        message = f"{folder} has {stems} stems, {numbers.size} in their tables"
        raise TrainingError(message, value=numbers.size, limit=stems)
    return numbers, offsets


def _divide(offsets: NDArray[np.int64], stems: int) -> bool:
    """Whether they divide so many stems into mixtures, none of them empty."""
    return bool(
        len(offsets) > 1 and offsets[0] == 0 and offsets[-1] == stems and (np.diff(offsets) > 0).all()
    )
