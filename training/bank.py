"""The clip bank: rendered clips of many instruments as int16 shards on disk, read by memory map.

Section 4 of Kim et al. 2022 calls this Nlakh-single; the form is ours: `bank.json` beside `shard_00000.npy`
and following, clip c of instrument i being row `i * clips_per_instrument + c` of the shards' concatenation.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from models.errors import TrainingError

BANK_FILE = "bank.json"


@dataclass(frozen=True)
class BankInstrument:
    """One instrument of a bank; `group` is its split group, `probe` marks a side's retrieval library."""

    id: str
    name: str
    family: str | None
    source: str
    split: str
    group: int | None = None
    probe: bool = False


@dataclass(frozen=True)
class BankHeader:
    """All that `bank.json` says."""

    sample_rate: int
    clip_samples: int
    clips_per_instrument: int
    seed: int
    instruments: tuple[BankInstrument, ...]
    shards: tuple[str, ...]


def write_atomically(path: Path, data: bytes) -> None:
    """The whole file or none of it."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_shard(path: Path, clips: np.ndarray) -> None:
    """Write int16 clips [rows, clip_samples], atomically."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(clips, dtype=np.int16), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_header(folder: Path, header: BankHeader) -> None:
    """Write `bank.json`, which makes the folder a bank: the last act of rendering."""
    write_atomically(folder / BANK_FILE, json.dumps(asdict(header), indent=1).encode())


def _read_header(folder: Path) -> BankHeader:
    path = folder / BANK_FILE
    try:
        raw = json.loads(path.read_text())
        raw["instruments"] = tuple(BankInstrument(**row) for row in raw["instruments"])
        raw["shards"] = tuple(raw["shards"])
        return BankHeader(**raw)
    except FileNotFoundError as error:
        raise TrainingError(f"{folder} holds no {BANK_FILE}: render it to its end first") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is no clip bank's header: {error}") from error


class Bank:
    """An open clip bank. `instruments[i]` owns clips `i * clips_per_instrument` and following."""

    def __init__(self, header: BankHeader, shards: Sequence[np.ndarray]) -> None:
        self.header = header
        self.instruments = header.instruments
        self.sample_rate = header.sample_rate
        self.clip_samples = header.clip_samples
        self.clips_per_instrument = header.clips_per_instrument
        self._shards = shards
        self._ends = np.cumsum([len(shard) for shard in shards])

    @classmethod
    def open(cls, folder: Path) -> "Bank":
        """Map a bank's shards. Raises TrainingError when it is missing, unfinished or damaged."""
        header = _read_header(folder)
        shards = []
        for name in header.shards:
            try:
                shards.append(np.load(folder / name, mmap_mode="r", allow_pickle=False))
            except (OSError, ValueError, EOFError) as error:
                raise TrainingError(f"{folder / name} cannot be read: {error}") from error
        wanted = len(header.instruments) * header.clips_per_instrument
        found = sum(len(shard) for shard in shards)
        fits = all(shard.dtype == np.int16 and shard.shape[1:] == (header.clip_samples,) for shard in shards)
        if found != wanted or not fits:
            message = f"{folder}: {found} clips in the shards, {wanted} in the header"
            raise TrainingError(message, value=found, limit=wanted)
        return cls(header, shards)

    @property
    def num_clips(self) -> int:
        """Clips of all instruments together."""
        return len(self.instruments) * self.clips_per_instrument

    def clip(self, row: int) -> np.ndarray:
        """Clip `row`, int16 [clip_samples]."""
        clip: np.ndarray = self.rows([row])[0]
        return clip

    def rows(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """Clips by row number, int16 [n, clip_samples]. Raises IndexError outside 0…num_clips - 1."""
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self.num_clips):
            raise IndexError(f"clips {wanted.min()}..{wanted.max()} of a bank of {self.num_clips}")
        out = np.empty((len(wanted), self.clip_samples), np.int16)
        shard_of_row = np.searchsorted(self._ends, wanted, side="right")
        for shard in np.unique(shard_of_row):
            place = np.flatnonzero(shard_of_row == shard)
            begin = self._ends[shard] - len(self._shards[shard])
            out[place] = self._shards[shard][wanted[place] - begin]
        return out

    def to_tensor(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """All clips, int16 [num_clips, clip_samples], on the device; copied a shard at a time."""
        whole = torch.empty((self.num_clips, self.clip_samples), dtype=torch.int16, device=device)
        begin = 0
        for shard in self._shards:
            whole[begin : begin + len(shard)] = torch.from_numpy(np.array(shard))
            begin += len(shard)
        return whole
