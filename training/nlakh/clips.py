"""Reads the clips of a data set from disk: shards by memory map, or one WAV file each, published copies included.

`docs/DATA.md` describes the two layouts. Names of published folders are read as numbers however wide they are
(section 4 of Kim et al. 2022: `train/001/0001.wav`, `train/000001/124.wav … mix.wav`).
"""

import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.dataset import Unit
from training.nlakh.layouts import HEADER_BYTES, MIX_FILE, MIXTURES_FILE, STEMS_FILE, shard_header
from training.nlakh.rendered import Samples

MAX_OPEN = 768  # shards; each keeps a file open, and systems allow a process 1,024


class ClipFiles(Protocol):
    """Clips `[num_clips, clip_samples]` on disk."""

    @property
    def num_clips(self) -> int: ...

    @property
    def clip_samples(self) -> int: ...

    def read(self, rows: NDArray[np.int64]) -> Samples:
        """Clips by row number, which the caller has checked: int16 [n, clip_samples]."""
        ...


class Shards:
    """The shards of one split, each mapped when it is first read."""

    def __init__(self, folder: Path, units: Sequence[Unit], clip_samples: int) -> None:
        """Raises TrainingError when a shard is missing or has another size than its unit says."""
        self._paths = [folder / unit.name for unit in units]
        self._rows = [unit.items for unit in units]
        self._ends = np.cumsum(self._rows)
        self.clip_samples = clip_samples
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

    def read(self, rows: NDArray[np.int64]) -> Samples:
        out = np.empty((len(rows), self.clip_samples), np.int16)
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
            self._opened[shard] = _Shard(self._paths[shard], self._rows[shard], self.clip_samples)
        return self._opened[shard]


class _Shard:
    """One shard by memory map.

    By default the system fetches a row in many small pieces, and counts everything ever read as the process's memory. So
    rows are requested before they are copied and released afterwards: a quarter of the time from disk, and no growth.
    """

    def __init__(self, path: Path, rows: int, clip_samples: int) -> None:
        """Raises TrainingError when its header is not that of a shard of `rows`."""
        try:
            with path.open("rb") as file:
                header = file.read(HEADER_BYTES)
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            samples = np.frombuffer(self._map, "<i2", rows * clip_samples, HEADER_BYTES)
        except (OSError, ValueError) as error:
            raise TrainingError(f"{path} cannot be read: {error}", value=str(path)) from error
        if header != shard_header(rows, clip_samples):
            raise TrainingError(f"{path} has no header of a shard of {rows} rows", value=str(path))
        self._clips = samples.reshape(rows, clip_samples)

    def read(self, rows: Sequence[int], out: Samples, places: Sequence[int]) -> None:
        """Copy `rows` to the rows `places` of `out` [n, clip_samples]."""
        spans = [self._pages(row) for row in rows]
        for span in spans:
            self._map.madvise(mmap.MADV_WILLNEED, *span)
        for row, place in zip(rows, places, strict=True):
            out[place] = self._clips[row]
        for span in spans:
            self._map.madvise(mmap.MADV_DONTNEED, *span)

    def _pages(self, row: int) -> tuple[int, int]:
        """The offset and the length in bytes of the whole pages that hold a row."""
        begin = HEADER_BYTES + row * self._clips.strides[0]
        start = begin - begin % mmap.PAGESIZE
        return start, begin + self._clips.strides[0] - start


@dataclass(frozen=True)
class NumberedFolder:
    """A numbered folder of a published layout, and its numbered WAV files."""

    number: int
    path: Path
    files: tuple[tuple[int, str], ...]  # (number, file name), by number
    has_mix: bool
    others: tuple[str, ...] = ()  # names of the other files


class WavFiles:
    """One WAV file a clip: the files of numbered folders, by folder and number. `sample_rate` is the first file's."""

    def __init__(self, folders: Sequence[NumberedFolder]) -> None:
        """Raises TrainingError when the first file cannot be read; its length is that of every clip."""
        self._paths = [found.path for found in folders]
        self._names = [name for found in folders for _, name in found.files]
        self._folder_of_row = np.repeat(np.arange(len(folders)), [len(found.files) for found in folders])
        first, self.sample_rate = read_wav(self._path(0))
        self.clip_samples = len(first)

    @property
    def num_clips(self) -> int:
        return len(self._names)

    def read(self, rows: NDArray[np.int64]) -> Samples:
        out = np.empty((len(rows), self.clip_samples), np.int16)
        for place, row in enumerate(rows.tolist()):
            out[place], _ = read_wav(self._path(row), self.clip_samples)
        return out

    def _path(self, row: int) -> Path:
        return self._paths[self._folder_of_row[row]] / self._names[row]


def numbered_folders(folder: Path) -> Iterator[NumberedFolder]:
    """The numbered folders below `folder`, by number; other names are skipped.

    Raises TrainingError when one of them cannot be listed.
    """
    for number, name in sorted((int(name), name) for name in list_folder(folder) if name.isdecimal()):
        yield read_folder(folder / name, number)


def read_folder(folder: Path, number: int) -> NumberedFolder:
    """One numbered folder. Raises TrainingError when it cannot be listed."""
    names = set(list_folder(folder))
    files = {name: int(name[:-4]) for name in names if name.endswith(".wav") and name[:-4].isdecimal()}
    by_number = tuple(sorted((number, name) for name, number in files.items()))
    others = tuple(sorted(names - files.keys() - {MIX_FILE}))
    return NumberedFolder(number, folder, by_number, MIX_FILE in names, others)


def list_folder(folder: Path) -> list[str]:
    """The names in a folder, sorted. Raises TrainingError when it cannot be listed."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names, a million of them
    except OSError as error:
        raise TrainingError(f"{folder} cannot be listed: {error.strerror}", value=str(folder)) from error


def read_wav(path: Path, clip_samples: int | None = None) -> tuple[Samples, int]:
    """int16 samples `[clip_samples]` and their rate. Raises TrainingError, naming the file, if it is anything else."""
    try:
        with soundfile.SoundFile(path) as file:
            if file.channels != 1 or (clip_samples is not None and file.frames != clip_samples):
                found = f"{file.frames} samples, {file.channels} channels"
                wanted = f"{clip_samples} samples, 1 channel"
                raise TrainingError(f"{path} holds {found}, not {wanted}", value=found, limit=wanted)
            samples: Samples = file.read(dtype="int16")
            if len(samples) != file.frames:
                raise TrainingError(f"{path} is cut short", value=len(samples), limit=file.frames)
            return samples, file.samplerate
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingError(f"{path} cannot be read: {error}", value=str(path)) from error


def read_tables(folder: Path, stems: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The tables of a compact split: instrument numbers [stems] and first rows [mixtures + 1], by memory map.

    Raises TrainingError when they cannot be read, or do not divide `stems` rows into mixtures, none of them empty.
    """
    try:
        numbers = np.load(folder / STEMS_FILE, mmap_mode="r", allow_pickle=False)
        offsets = np.load(folder / MIXTURES_FILE, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise TrainingError(f"the tables of {folder} cannot be read: {error}", value=str(folder)) from error
    is_sound = numbers.shape == (stems,) and offsets.ndim == 1 and len(offsets) > 1
    if not (is_sound and offsets[0] == 0 and offsets[-1] == stems and (np.diff(offsets) > 0).all()):
        message = f"{folder} has {stems} stems, {numbers.size} in their tables"
        raise TrainingError(message, value=numbers.size, limit=stems)
    return numbers, offsets
