"""In-memory data sets for the training tests: a few instruments, each a tone with its own overtones, alone and mixed."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.bank import Bank, MixtureTable
from training.nlakh.dataset import DatasetInstrument

PLAYED = [(0, 2), (1, 2, 4), (0, 1, 3), (3, 5), (0, 4), (1, 5)]


@dataclass(frozen=True)
class SmallBank:
    """`num_instruments` instruments of `clips_per_instrument` quarter-second clips at 16 kHz."""

    num_instruments: int = 6
    clips_per_instrument: int = 4
    clip_samples: int = 4_000
    split: str = "train"
    families: tuple[str | None, ...] = ("organ",)  # in turn
    prefixes: tuple[str, ...] = ("",)  # of the ids, in turn

    @property
    def instruments(self) -> tuple[DatasetInstrument, ...]:
        return tuple(self._instrument(index) for index in range(self.num_instruments))

    def _instrument(self, index: int) -> DatasetInstrument:
        family = self.families[index % len(self.families)]
        name = f"{self.prefixes[index % len(self.prefixes)]}tone_{index}"
        return DatasetInstrument(index + 1, name, f"Tone {index}", family, "test", self.split)

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.num_instruments), self.clips_per_instrument)

    @property
    def num_clips(self) -> int:
        return self.num_instruments * self.clips_per_instrument

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int16]:
        seconds = np.arange(self.clip_samples) / 16_000
        instrument, clip = np.divmod(np.asarray(indices), self.clips_per_instrument)
        hz = 110 * 2 ** (clip / 4)
        first = np.sin(2 * np.pi * hz[:, None] * seconds)
        other = np.sin(2 * np.pi * (hz * (2 + 2 * instrument))[:, None] * seconds)
        return ((first + other) * 8_000).astype(np.int16)

    def to_tensor(self, device: torch.device) -> torch.Tensor:
        return torch.from_numpy(self.rows(np.arange(self.num_clips))).to(device)


@dataclass(frozen=True)
class _Stems:
    """Clips in memory that read like files."""

    clips: NDArray[np.int16]

    @property
    def num_clips(self) -> int:
        return len(self.clips)

    @property
    def clip_samples(self) -> int:
        return self.clips.shape[1]

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.int16]:
        return self.clips[rows]


def in_memory(bank: SmallBank, clips: NDArray[np.int16] | None = None) -> Bank:
    """Return the bank as one that is read from files, with its own clips or other ones."""
    held = bank.rows(np.arange(bank.num_clips)) if clips is None else clips
    return Bank(bank.instruments, _Stems(held), 16_000, clips_per_instrument=bank.clips_per_instrument)


def small_mixtures(bank: SmallBank | None = None) -> Bank:
    """Return the mixtures `PLAYED` of the bank's instruments, with stems 10 dB apart."""
    bank = bank or SmallBank()
    instrument = np.concatenate(PLAYED)
    clips = bank.rows(instrument * bank.clips_per_instrument + np.arange(len(instrument)) % 3)
    level = 10 ** (-0.5 * (np.arange(len(instrument)) % 3))
    stems = _Stems((clips * level[:, None]).astype(np.int16))
    offsets = np.cumsum([0, *map(len, PLAYED)])
    return Bank(bank.instruments, stems, 16_000, table=MixtureTable(offsets, instrument))
