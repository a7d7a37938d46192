"""The clips of a data set for training: int16 rows, in device memory on a GPU, memory-mapped on a CPU.

Both kinds of Nlakh are read this way; the networks see random clips and their mixtures (Kim et al. 2022, section 5.2).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.nlakh.dataset import DatasetInstrument

UNKNOWN = -1  # family


class ClipSource(Protocol):
    """A data set as training reads it: int16 clips by row, and the instrument of each clip."""

    @property
    def instruments(self) -> Sequence[DatasetInstrument]: ...

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        """Index into `instruments` of each clip, `[num_clips]`."""
        ...

    @property
    def clip_samples(self) -> int: ...

    @property
    def num_clips(self) -> int: ...

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int16]: ...

    def to_tensor(self, device: torch.device) -> Tensor: ...


def family_numbers(instruments: Sequence[DatasetInstrument]) -> tuple[Tensor, int]:
    """The number of each instrument's family, `[instruments]`, `UNKNOWN` where it has none, and how many families there are."""
    names = sorted({row.family for row in instruments if row.family is not None})
    numbers = [names.index(row.family) if row.family is not None else UNKNOWN for row in instruments]
    return torch.tensor(numbers), len(names)


class ClipStore:
    """The clips of a data set on the training device; on a CPU they stay on disk until they are drawn."""

    def __init__(self, bank: ClipSource, device: torch.device) -> None:
        self.device = device
        self.instrument_of_clip = torch.from_numpy(np.array(bank.instrument_of_clip))  # [clips], on the CPU
        self.num_clips = bank.num_clips
        self.num_instruments = len(bank.instruments)
        self.family, self.num_families = family_numbers(bank.instruments)  # [instruments], on the CPU
        self._bank = bank
        self._resident = bank.to_tensor(device) if device.type == "cuda" else None

    def take(self, clip: Tensor) -> Tensor:
        """Return clips by index `[n]` as float32 `[n, samples]` in -1…1, on the device."""
        if self._resident is not None:
            return self._resident[clip.to(self.device)].float().div_(32768.0)
        return torch.from_numpy(self._bank.rows(clip.numpy())).to(torch.float32).div_(32768.0)

    def in_order(self, at_once: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield all clips as (index `[n]`, samples `[n, samples]`), `at_once` at a time; the next are read meanwhile."""
        parts = torch.arange(self.num_clips).split(at_once)
        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead = reader.submit(self.take, parts[0])
            for clip, following in zip(parts, [*parts[1:], None], strict=True):
                samples = ahead.result()
                if following is not None:
                    ahead = reader.submit(self.take, following)
                yield clip, samples
