"""The bank: one split of a rendered or published data set, open for reading.

Section 4 of Kim et al. 2022. Both kinds of data set are int16 clips by row. In Nlakh-single, clip c of instrument i is row
`i * clips_per_instrument + c`. In Nlakh-multi, mixture m is the sum of the rows `offsets[m] … offsets[m + 1] - 1`, its stems.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.errors import TrainingError
from training.nlakh.clips import ClipFiles, NumberedFolder, Shards, WavFiles, numbered_folders, read_tables
from training.nlakh.dataset import TRAIN, Dataset, DatasetInstrument, Kind, open_dataset
from training.nlakh.rendered import Samples

COPIED_AT_ONCE = 1_024  # clips


@dataclass(frozen=True)
class MixtureTable:
    """Where each mixture begins, `offsets [mixtures + 1]`, and the place in `Bank.instruments` of each stem."""

    offsets: NDArray[np.int64]
    instrument_of_stem: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.offsets) < 2 or self.offsets[-1] != len(self.instrument_of_stem):
            raise ValueError(f"{len(self.instrument_of_stem)} stems, the mixtures end at {self.offsets[-1:]}")


class Bank:
    """The clips of one split: of equally many clips an instrument, or with a `table` the stems of mixtures.

    `clips_per_instrument` is 0 where the clips are stems of mixtures.
    """

    def __init__(
        self,
        instruments: tuple[DatasetInstrument, ...],
        files: ClipFiles,
        sample_rate: int,
        *,
        clips_per_instrument: int = 0,
        table: MixtureTable | None = None,
    ) -> None:
        """Raises TrainingError when the files are not as many as the instruments or the table need."""
        wanted = len(table.instrument_of_stem) if table else len(instruments) * clips_per_instrument
        if not wanted or files.num_clips != wanted:
            message = f"{files.num_clips} clips of {len(instruments)} instruments, {wanted} are wanted"
            raise TrainingError(message, value=files.num_clips, limit=wanted)
        self.instruments, self.sample_rate = instruments, sample_rate
        self.clips_per_instrument = clips_per_instrument
        self._files, self._table = files, table

    @classmethod
    def open(cls, folder: Path, split: str = TRAIN, kind: Kind = "single") -> "Bank":
        """Open a split of either layout; a published copy has no `dataset.json` and is known by its numbers.

        Raises TrainingError when it is missing, unfinished, damaged or of the other kind.
        """
        dataset = open_dataset(folder, split, kind)
        if dataset is not None and dataset.layout == "compact":
            return cls._open_shards(folder, dataset, split)
        folders = [found for found in numbered_folders(folder / split) if found.files or kind == "single"]
        if kind == "multi":
            return cls._open_mixture_folders(folder / split, folders, dataset)
        return cls._open_clip_folders(folder / split, folders, dataset)

    @classmethod
    def _open_shards(cls, folder: Path, dataset: Dataset, split: str) -> "Bank":
        instruments, info = dataset.of_split(split), dataset.splits[split]
        files = Shards(folder, info.units, dataset.clip_samples)
        if dataset.kind == "single":
            clips = dataset.clips_per_instrument(split)
            return cls(instruments, files, dataset.sample_rate, clips_per_instrument=clips)
        numbers, offsets = read_tables(folder / split, info.clips)
        table = MixtureTable(offsets, _places(instruments, numbers))
        return cls(instruments, files, dataset.sample_rate, table=table)

    @classmethod
    def _open_clip_folders(
        cls, place: Path, folders: list[NumberedFolder], dataset: Dataset | None
    ) -> "Bank":
        counts = {len(found.files) for found in folders}
        if len(counts) != 1 or counts == {0}:
            message = f"the instruments of {place} have {sorted(counts)} clips: equally many are wanted"
            raise TrainingError(message, value=sorted(counts))
        known = {row.number: row for row in dataset.instruments} if dataset else {}
        files = WavFiles(folders)
        return cls(
            tuple(
                known.get(found.number) or numbered_instrument(found.number, place.name) for found in folders
            ),
            files,
            files.sample_rate,
            clips_per_instrument=counts.pop(),
        )

    @classmethod
    def _open_mixture_folders(
        cls, place: Path, folders: list[NumberedFolder], dataset: Dataset | None
    ) -> "Bank":
        if not folders:
            raise TrainingError(f"{place} holds no mixtures", value=str(place))
        numbers = np.array([number for found in folders for number, _ in found.files])
        instruments = (
            dataset.of_split(place.name)
            if dataset
            else tuple(numbered_instrument(int(number), place.name) for number in np.unique(numbers))
        )
        files = WavFiles(folders)
        offsets = np.cumsum([0, *(len(found.files) for found in folders)])
        table = MixtureTable(offsets, _places(instruments, numbers))
        return cls(instruments, files, files.sample_rate, table=table)

    @property
    def kind(self) -> Kind:
        """Single: each clip stands alone; multi: the clips are stems of mixtures."""
        return "single" if self._table is None else "multi"

    @property
    def num_clips(self) -> int:
        """Clips of all instruments, or stems of all mixtures."""
        return self._files.num_clips

    @property
    def clip_samples(self) -> int:
        return self._files.clip_samples

    @property
    def num_mixtures(self) -> int:
        return len(self.offsets) - 1

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """The first row of each mixture, and the number of rows: [num_mixtures + 1]; a lone clip is a mixture of one."""
        return np.arange(self.num_clips + 1) if self._table is None else self._table.offsets

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        """Place in `instruments` of each clip, [num_clips]."""
        if self._table is not None:
            return self._table.instrument_of_stem
        return np.repeat(np.arange(len(self.instruments)), self.clips_per_instrument)

    def rows(self, indices: Sequence[int] | NDArray[np.int64]) -> Samples:
        """Clips by row number, int16 [n, clip_samples]. Raises IndexError outside 0…num_clips - 1."""
        rows = np.asarray(indices, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= self.num_clips):
            raise IndexError(f"clips {rows.min()}..{rows.max()} of {self.num_clips}")
        return self._files.read(rows)

    def to_tensor(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """All clips, int16 [num_clips, clip_samples], on the device."""
        whole = torch.empty((self.num_clips, self.clip_samples), dtype=torch.int16, device=device)
        for begin in range(0, self.num_clips, COPIED_AT_ONCE):
            rows = np.arange(begin, min(begin + COPIED_AT_ONCE, self.num_clips))
            whole[begin : begin + len(rows)] = torch.from_numpy(self._files.read(rows))
        return whole


class CombinedBank:
    """Several banks of single clips as one, their instruments side by side; each holds as many clips an instrument."""

    def __init__(self, banks: Sequence[Bank]) -> None:
        """Raises TrainingError for banks of mixtures, and for banks whose clips differ in number, length or rate."""
        for name in ("kind", "clips_per_instrument", "clip_samples", "sample_rate"):
            found = [getattr(bank, name) for bank in banks]
            if len(set(found)) > 1 or (name == "kind" and found[0] != "single"):
                message = f"banks of {name} {', '.join(map(str, found))} cannot be combined"
                raise TrainingError(message, value=found[-1], limit=found[0])
        self._banks = tuple(banks)
        self.instruments = tuple(instrument for bank in banks for instrument in bank.instruments)
        self._ends = np.cumsum([bank.num_clips for bank in banks])

    @property
    def clip_samples(self) -> int:
        return self._banks[0].clip_samples

    @property
    def num_clips(self) -> int:
        return int(self._ends[-1])

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        """Place in `instruments` of each clip, [num_clips]."""
        return np.repeat(np.arange(len(self.instruments)), self._banks[0].clips_per_instrument)

    def rows(self, indices: Sequence[int] | NDArray[np.int64]) -> Samples:
        """Clips by row number, int16 [n, clip_samples]. Raises IndexError outside 0…num_clips - 1."""
        rows = np.asarray(indices, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= self.num_clips):
            raise IndexError(f"clips {rows.min()}..{rows.max()} of {self.num_clips}")
        out = np.empty((len(rows), self.clip_samples), np.int16)
        bank_of_row = np.searchsorted(self._ends, rows, side="right")
        for place, bank in enumerate(self._banks):
            chosen = bank_of_row == place
            out[chosen] = bank.rows(rows[chosen] - (self._ends[place] - bank.num_clips))
        return out

    def to_tensor(self, device: torch.device | str = "cpu") -> torch.Tensor:
        """All clips, int16 [num_clips, clip_samples], on the device."""
        return torch.cat([bank.to_tensor(device) for bank in self._banks])


def numbered_instrument(number: int, split: str) -> DatasetInstrument:
    """An instrument of a published copy, of which no more than the number is known."""
    return DatasetInstrument(number, f"nlakh_{number:03d}", f"Nlakh {number:03d}", None, "Nlakh", split)


def _places(instruments: tuple[DatasetInstrument, ...], numbers: NDArray[np.integer]) -> NDArray[np.int64]:
    """The place in `instruments` of each number. Raises TrainingError for a number that none of them has."""
    known = np.array([row.number for row in instruments])
    places = np.searchsorted(known, numbers)
    strange = (places == len(known)) | (known[np.minimum(places, len(known) - 1)] != numbers)
    if strange.any():
        number = int(np.asarray(numbers)[strange][0])
        raise TrainingError(f"a stem is of instrument {number}, which is not of this split", value=number)
    return places.astype(np.int64)
