"""The stem bank: one split of Nlakh-multi open for training, in either layout, the published one included.

Section 4 of Kim et al. 2022. A mixture is the sum of its stems, which lie beside each other: mixture m has the rows
`offsets[m] … offsets[m + 1] - 1`.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import TrainingError
from training.bank import numbered_instrument
from training.nlakh.clips import ClipFiles, Clips, Indices, Shards, WavFiles, take_rows, to_tensor
from training.nlakh.dataset import TRAIN, Dataset, DatasetInstrument, open_dataset
from training.nlakh.published import Folder, read_wav, scan
from training.nlakh.tables import read_tables


class StemBank:
    """Open mixtures: stem r is of instrument `instruments[instrument_of_clip[r]]`."""

    def __init__(
        self,
        instruments: tuple[DatasetInstrument, ...],
        files: ClipFiles,
        offsets: NDArray[np.int64],
        instrument_of_clip: NDArray[np.int64],
        clip_samples: int,
    ) -> None:
        if len(offsets) < 2 or not offsets[-1] == len(instrument_of_clip) == files.num_clips:
            message = f"{files.num_clips} stems, {len(instrument_of_clip)} in their table"
            raise TrainingError(message, value=files.num_clips, limit=len(instrument_of_clip))
        self.instruments, self.clip_samples = instruments, clip_samples
        self.offsets, self.instrument_of_clip = offsets, instrument_of_clip
        self._files = files

    @classmethod
    def open(cls, folder: Path, split: str = TRAIN) -> "StemBank":
        """Open a split. Raises TrainingError when it is missing, unfinished, damaged or no Nlakh-multi."""
        dataset = open_dataset(folder, split, "multi")
        if dataset is not None and dataset.layout == "compact":
            return cls._open_shards(folder, dataset, split)
        return cls._open_folders(folder, dataset, split)

    @classmethod
    def _open_shards(cls, folder: Path, dataset: Dataset, split: str) -> "StemBank":
        numbers, offsets = read_tables(folder / split, dataset.splits[split].clips)
        files = Shards(folder, dataset.splits[split].units, dataset.clip_samples)
        instruments = dataset.of_split(split)
        return cls(instruments, files, offsets, _places(instruments, numbers), dataset.clip_samples)

    @classmethod
    def _open_folders(cls, folder: Path, dataset: Dataset | None, split: str) -> "StemBank":
        """Published folders; without `dataset.json` the instruments are known by their numbers."""
        folders = [found for found in scan(folder / split) if found.files]
        if not folders:
            raise TrainingError(f"{folder / split} holds no mixtures", value=str(folder / split))
        numbers = np.array([number for found in folders for number, _ in found.files])
        instruments = (
            dataset.of_split(split)
            if dataset
            else tuple(numbered_instrument(int(number), split) for number in np.unique(numbers))
        )
        first, _ = read_wav(folders[0].path / folders[0].files[0][1])
        offsets = np.cumsum([0, *(len(found.files) for found in folders)])
        files = _wav_files(folders, offsets, len(first))
        return cls(instruments, files, offsets, _places(instruments, numbers), len(first))

    @property
    def num_mixtures(self) -> int:
        return len(self.offsets) - 1

    @property
    def num_clips(self) -> int:
        """Stems of all mixtures together."""
        return self._files.num_clips

    def rows(self, indices: Indices) -> Clips:
        """Stems by row number, int16 [n, clip_samples]. Raises IndexError outside 0…num_clips - 1."""
        return take_rows(self._files, indices)

    def to_tensor(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """All stems, int16 [num_clips, clip_samples], on the device."""
        return to_tensor(self._files, self.clip_samples, device)


def _wav_files(folders: list[Folder], offsets: NDArray[np.int64], clip_samples: int) -> WavFiles:
    names = [name for found in folders for _, name in found.files]
    folder_of_row = np.repeat(np.arange(len(folders)), np.diff(offsets))
    return WavFiles([found.path for found in folders], folder_of_row, names, clip_samples)


def _places(instruments: tuple[DatasetInstrument, ...], numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """The place in `instruments` of each number. Raises TrainingError for a number that is none of theirs."""
    known = np.array([row.number for row in instruments])
    places = np.searchsorted(known, numbers)
    strange = (places == len(known)) | (known[np.minimum(places, len(known) - 1)] != numbers)
    if strange.any():
        number = int(np.asarray(numbers)[strange][0])
        raise TrainingError(f"a stem is of instrument {number}, which is not of this split", value=number)
    return places.astype(np.int64)
