"""Embeddings of a data set's clips, computed on first use and cached by encoder hash.

Libraries of ten thousand instruments (`training/evaluation/distractors.py`) would take minutes to embed for every table.
Enrollment is the normalised mean of an instrument's clips (Kim et al. 2022, section 5.1).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.encoder_pair import EncoderPair
from training.bank import Bank
from training.evaluation.held_out import to_float
from training.evaluation.metrics import Floats
from training.nlakh.dataset import DATASET_FILE, DatasetInstrument, read_dataset

CHUNK = 256  # clips in memory at a time

Rows = NDArray[np.int64]


def unit(vectors: Floats) -> Floats:
    """Scale `[…, dim]` to unit norm."""
    out: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return out


def _kept_in(path: Path, shape: tuple[int, int]) -> Floats:
    """Open the file as a memory-mapped array; replace a missing or damaged file by zeros."""
    try:
        kept: Floats = np.lib.format.open_memmap(path, mode="r+")
        if kept.shape == shape and kept.dtype == np.float32:
            return kept
    except (OSError, ValueError):
        pass
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)


class ClipEmbeddings:
    """The single encoder's view of one split: `split`, its `bank`, and an embedding for each of its clips.

    A row of `kept [clips, dim]` has unit norm once its clip is embedded; rows that were never or only partly written do not.
    """

    def __init__(self, pair: EncoderPair, bank: Bank, kept: Floats | None = None) -> None:
        self.bank = bank
        self.split = bank.instruments[0].split
        self._pair = pair
        self._kept = np.zeros((bank.num_clips, pair.embedding_dim), np.float32) if kept is None else kept

    @classmethod
    def open(cls, pair: EncoderPair, folder: Path, split: str, cache: Path) -> "ClipEmbeddings":
        """Open a split of a data set, with embeddings cached in `cache`. Published copies have no checksums and no cache.

        Raises TrainingError if there is no such split.
        """
        bank = Bank.open(folder, split)
        if not (folder / DATASET_FILE).exists():
            return cls(pair, bank)
        units = [asdict(unit) for unit in read_dataset(folder).splits[split].units]
        digest = hashlib.sha256(json.dumps([pair.encoder_hash, units]).encode()).hexdigest()
        path = cache / f"embeddings-{split}-{digest[:16]}.npy"
        cache.mkdir(parents=True, exist_ok=True)
        return cls(pair, bank, _kept_in(path, (bank.num_clips, pair.embedding_dim)))

    @property
    def instruments(self) -> tuple[DatasetInstrument, ...]:
        return self.bank.instruments

    def of_rows(self, rows: Rows) -> Floats:
        """Return embeddings of clips by row number: `[n]` → `[n, dim]`."""
        norm = np.linalg.norm(self._kept[rows], axis=1)
        missing = np.unique(rows[~(np.abs(norm - 1) < 1e-3)])
        for start in range(0, len(missing), CHUNK):
            part = missing[start : start + CHUNK]
            self._kept[part] = self._pair.embed(to_float(self.bank.rows(part)))
        return np.array(self._kept[rows])

    def of_instruments(self, places: Sequence[int], first: int, last: int) -> Floats:
        """Return embeddings of clips `first … last - 1` of some instruments: `[instruments, clips, dim]`."""
        rows = np.asarray(places)[:, None] * self.bank.clips_per_instrument + np.arange(first, last)
        return self.of_rows(rows.ravel()).reshape(*rows.shape, -1)

    def enrolled(self, places: Sequence[int], num_clips: int) -> Floats:
        """Return a library of some instruments, each enrolled from its first `num_clips` clips: `[instruments, dim]`."""
        return unit(self.of_instruments(places, 0, num_clips).mean(axis=1))
