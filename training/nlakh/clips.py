"""Rows of int16 clips on disk, read by number: shards by memory map, or one WAV file each.

The two layouts of a data set (`docs/DATA.md`) behind one interface; nothing is opened before it is asked for.
"""

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.dataset import Unit
from training.nlakh.layouts import HEADER_BYTES, shard_header
from training.nlakh.published import read_wav

MAX_OPEN = 768  # shards; each keeps a file open, of which systems allow a process 1,024

Clips = NDArray[np.int16]
Indices = Sequence[int] | NDArray[np.int64]


class ClipFiles(Protocol):
    """Clips `[num_clips, clip_samples]` somewhere on disk."""

    @property
    def num_clips(self) -> int: ...

    def read(self, rows: NDArray[np.int64]) -> Clips:
        """Clips by row number, which the caller has checked: int16 [n, clip_samples]."""
        ...


class Shards:
    """The shards of one split, mapped one by one as they are needed."""

    def __init__(self, folder: Path, units: Sequence[Unit], clip_samples: int) -> None:
        """Raises TrainingError when a shard is missing or has another size than its unit says."""
        self._paths = [folder / unit.name for unit in units]
        self._rows = [unit.items for unit in units]
        self._ends = np.cumsum(self._rows)
        self._clip_samples = clip_samples
        self._opened: dict[int, _Shard] = {}
        for path, unit in zip(self._paths, units, strict=True):
            wanted = HEADER_BYTES + unit.items * clip_samples * 2
            try:
                found = path.stat().st_size
            except OSError as error:
                raise TrainingError(f"{path} cannot be read: {error.strerror}", value=str(path)) from error
            if found != wanted:
                raise TrainingError(f"{path} has {found} bytes, not {wanted}", value=found, limit=wanted)

    @property
    def num_clips(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, rows: NDArray[np.int64]) -> Clips:
        out = np.empty((len(rows), self._clip_samples), np.int16)
        shard_of_row = np.searchsorted(self._ends, rows, side="right")
        for shard in np.unique(shard_of_row).tolist():
            places = np.flatnonzero(shard_of_row == shard)
            first = self._ends[shard] - self._rows[shard]
            self._open(shard).read((rows[places] - first).tolist(), out, places.tolist())
        return out

    def _open(self, shard: int) -> "_Shard":
        if shard not in self._opened:
            while len(self._opened) >= MAX_OPEN:
                del self._opened[next(iter(self._opened))]
            self._opened[shard] = _Shard(self._paths[shard], self._rows[shard], self._clip_samples)
        return self._opened[shard]


class _Shard:
    """One shard by memory map.

    Left to itself the system fetches a row in many small pieces, and counts all that was ever read to the process. So rows
    are asked for before they are copied and given back afterwards: a quarter of the time from disk, and no growth.
    """

    def __init__(self, path: Path, rows: int, clip_samples: int) -> None:
        """Raises TrainingError when its header is not that of so many rows."""
        try:
            with path.open("rb") as file:
                header = file.read(HEADER_BYTES)
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            samples = np.frombuffer(self._map, "<i2", rows * clip_samples, HEADER_BYTES)
        except (OSError, ValueError) as error:
            raise TrainingError(f"{path} cannot be read: {error}", value=str(path)) from error
        if header != shard_header(rows, clip_samples):
            raise TrainingError(f"{path} does not say that it holds {rows} rows", value=str(path))
        self._clips = samples.reshape(rows, clip_samples)

    def read(self, rows: Sequence[int], out: Clips, places: Sequence[int]) -> None:
        """Copy `rows` to the rows `places` of `out` [n, clip_samples]."""
        spans = [self._pages(row) for row in rows]
        for span in spans:
            self._map.madvise(mmap.MADV_WILLNEED, *span)
        for row, place in zip(rows, places, strict=True):
            out[place] = self._clips[row]
        for span in spans:
            self._map.madvise(mmap.MADV_DONTNEED, *span)

    def _pages(self, row: int) -> tuple[int, int]:
        """Where the whole pages of a row begin, and how many bytes they are."""
        begin = HEADER_BYTES + row * self._clips.strides[0]
        start = begin - begin % mmap.PAGESIZE
        return start, begin + self._clips.strides[0] - start


class WavFiles:
    """One WAV file a clip: file `names[row]` of `folders[folder_of_row[row]]`."""

    def __init__(
        self,
        folders: Sequence[Path],
        folder_of_row: NDArray[np.int64],
        names: Sequence[str],
        clip_samples: int,
    ) -> None:
        self._folders, self._folder_of_row, self._names = folders, folder_of_row, names
        self._clip_samples = clip_samples

    @property
    def num_clips(self) -> int:
        return len(self._names)

    def read(self, rows: NDArray[np.int64]) -> Clips:
        out = np.empty((len(rows), self._clip_samples), np.int16)
        for place, row in enumerate(rows.tolist()):
            path = self._folders[self._folder_of_row[row]] / self._names[row]
            out[place], _ = read_wav(path, self._clip_samples)
        return out


def take_rows(files: ClipFiles, indices: Indices) -> Clips:
    """Clips by row number, int16 [n, clip_samples]. Raises IndexError outside 0…num_clips - 1."""
    rows = np.asarray(indices, dtype=np.int64)
    if rows.size and (rows.min() < 0 or rows.max() >= files.num_clips):
        raise IndexError(f"clips {rows.min()}..{rows.max()} of {files.num_clips}")
    return files.read(rows)


def to_tensor(files: ClipFiles, clip_samples: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """All clips, int16 [num_clips, clip_samples], on the device; copied a thousand at a time."""
    whole = torch.empty((files.num_clips, clip_samples), dtype=torch.int16, device=device)
    for begin in range(0, files.num_clips, 1_024):
        rows = np.arange(begin, min(begin + 1_024, files.num_clips))
        whole[begin : begin + len(rows)] = torch.from_numpy(files.read(rows))
    return whole
