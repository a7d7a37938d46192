"""Held-out instruments, with their clips divided into enrollment clips and query clips.

Kim et al. 2022, section 5: the library holds the held-out instruments; mixtures are made of their query clips only.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from index.families import FAMILIES
from models.errors import TrainingError
from training.bank import Bank
from training.nlakh.dataset import DatasetInstrument

Floats = NDArray[np.float32]


def to_float(clips: NDArray[np.int16]) -> Floats:
    """Convert int16 samples to float32 in -1…1."""
    return clips.astype(np.float32) / np.float32(32768)


@dataclass(frozen=True)
class HeldOut:
    """Chosen instruments of a bank. Clips `0…num_enrolled-1` of each are enrolled, the rest are queries.

    As a `ClipSource` it offers only the query clips of the chosen instruments.
    """

    bank: Bank
    chosen: tuple[int, ...]  # places in bank.instruments
    num_enrolled: int

    def __post_init__(self) -> None:
        if not 1 <= self.num_enrolled < self.bank.clips_per_instrument:
            raise TrainingError(
                f"{self.num_enrolled} enrollment clips leave no query clips: instruments have {self.bank.clips_per_instrument}",
                value=self.num_enrolled,
                limit=self.bank.clips_per_instrument - 1,
            )

    @property
    def instruments(self) -> tuple[DatasetInstrument, ...]:
        return tuple(self.bank.instruments[place] for place in self.chosen)

    @property
    def family(self) -> NDArray[np.int64]:
        """Index into FAMILIES for each chosen instrument, -1 if unknown."""
        names = [instrument.family for instrument in self.instruments]
        return np.array([FAMILIES.index(name) if name in FAMILIES else -1 for name in names])

    @property
    def clips_per_instrument(self) -> int:
        return self.bank.clips_per_instrument - self.num_enrolled

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        """The index into `instruments` of each query clip."""
        return np.repeat(np.arange(len(self.chosen)), self.clips_per_instrument)

    @property
    def clip_samples(self) -> int:
        return self.bank.clip_samples

    @property
    def num_clips(self) -> int:
        return len(self.chosen) * self.clips_per_instrument

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return query clips by index: `[n]` → int16 `[n, clip_samples]`."""
        return self.bank.rows(self.bank_rows(indices))

    def bank_rows(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the bank's rows of query clips by index: `[…]` → `[…]`."""
        place, clip = np.divmod(indices, self.clips_per_instrument)
        first = np.asarray(self.chosen)[place] * self.bank.clips_per_instrument
        rows: NDArray[np.int64] = first + self.num_enrolled + clip
        return rows

    def to_tensor(self, device: torch.device) -> Tensor:
        return torch.from_numpy(self.rows(np.arange(self.num_clips))).to(device)


def choose_library(bank: Bank, size: int, seed: int) -> tuple[int, ...]:
    """Return the places of `size` instruments: the split's probes if it has exactly `size`, else a draw by `seed`."""
    probes = [place for place, instrument in enumerate(bank.instruments) if instrument.probe]
    if len(probes) == size:
        return tuple(probes)
    if size > len(bank.instruments):
        raise TrainingError(
            f"a library of {size} cannot be drawn from {len(bank.instruments)} instruments",
            value=size,
            limit=len(bank.instruments),
        )
    drawn = np.random.default_rng(seed).choice(len(bank.instruments), size, replace=False)
    return tuple(sorted(int(place) for place in drawn))
