"""The clip bank: one split of Nlakh-single open for training, in either layout, the published one included.

Section 4 of Kim et al. 2022. Clip c of instrument i is row `i * clips_per_instrument + c`.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.clips import ClipFiles, Clips, Indices, Shards, WavFiles, take_rows, to_tensor
from training.nlakh.dataset import TRAIN, Dataset, DatasetInstrument, open_dataset
from training.nlakh.published import read_wav, scan


class Bank:
    """An open clip bank. `instruments[i]` owns clips `i * clips_per_instrument` and following."""

    def __init__(
        self,
        instruments: tuple[DatasetInstrument, ...],
        files: ClipFiles,
        *,
        clips_per_instrument: int,
        clip_samples: int,
        sample_rate: int,
    ) -> None:
        wanted = len(instruments) * clips_per_instrument
        if not wanted or files.num_clips != wanted:
            message = f"{files.num_clips} clips of {len(instruments)} instruments, {wanted} are wanted"
            raise TrainingError(message, value=files.num_clips, limit=wanted)
        self.instruments = instruments
        self.clips_per_instrument = clips_per_instrument
        self.clip_samples, self.sample_rate = clip_samples, sample_rate
        self._files = files

    @classmethod
    def open(cls, folder: Path, split: str = TRAIN) -> "Bank":
        """Open a split. Raises TrainingError when it is missing, unfinished, damaged or no Nlakh-single."""
        dataset = open_dataset(folder, split, "single")
        if dataset is not None and dataset.layout == "compact":
            return cls._open_shards(folder, dataset, split)
        return cls._open_folders(folder, dataset, split)

    @classmethod
    def _open_shards(cls, folder: Path, dataset: Dataset, split: str) -> "Bank":
        return cls(
            dataset.of_split(split),
            Shards(folder, dataset.splits[split].units, dataset.clip_samples),
            clips_per_instrument=dataset.clips_per_instrument(split),
            clip_samples=dataset.clip_samples,
            sample_rate=dataset.sample_rate,
        )

    @classmethod
    def _open_folders(cls, folder: Path, dataset: Dataset | None, split: str) -> "Bank":
        """Published folders; without `dataset.json` the instruments are known by their numbers."""
        folders = list(scan(folder / split))
        counts = {len(found.files) for found in folders}
        if len(counts) != 1 or counts == {0}:
            message = (
                f"the instruments of {folder / split} have {sorted(counts)} clips: equally many are wanted"
            )
            raise TrainingError(message, value=sorted(counts))
        known = {row.number: row for row in dataset.instruments} if dataset else {}
        first, sample_rate = read_wav(folders[0].path / folders[0].files[0][1])
        clips = counts.pop()
        names = [name for found in folders for _, name in found.files]
        folder_of_row = np.repeat(np.arange(len(folders)), clips)
        return cls(
            tuple(known.get(found.number) or numbered_instrument(found.number, split) for found in folders),
            WavFiles([found.path for found in folders], folder_of_row, names, len(first)),
            clips_per_instrument=clips,
            clip_samples=len(first),
            sample_rate=sample_rate,
        )

    @property
    def num_clips(self) -> int:
        """Clips of all instruments together."""
        return self._files.num_clips

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        """Place in `instruments` of each clip, [num_clips]."""
        return np.repeat(np.arange(len(self.instruments)), self.clips_per_instrument)

    def rows(self, indices: Indices) -> Clips:
        """Clips by row number, int16 [n, clip_samples]. Raises IndexError outside 0…num_clips - 1."""
        return take_rows(self._files, indices)

    def to_tensor(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """All clips, int16 [num_clips, clip_samples], on the device."""
        return to_tensor(self._files, self.clip_samples, device)


def numbered_instrument(number: int, split: str) -> DatasetInstrument:
    """An instrument of a published data set, which tells no more than a number."""
    return DatasetInstrument(number, f"nlakh_{number:03d}", f"Nlakh {number:03d}", None, "Nlakh", split)
