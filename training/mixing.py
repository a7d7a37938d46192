"""Random mixtures made on the fly on the training device, from clips kept as int16.

Kim et al. 2022, section 5.2: between two and nine instruments, one random clip of each, summed. The clip bank lies in device
memory on a GPU and in memory-mapped files on a CPU; stems are brought to one level and given random gains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.bank import BankInstrument

ABSENT = -1


class ClipSource(Protocol):
    """What training needs of a clip bank: rows of int16 clips, `clips_per_instrument` for each instrument in order."""

    @property
    def instruments(self) -> Sequence[BankInstrument]: ...

    @property
    def clips_per_instrument(self) -> int: ...

    @property
    def clip_samples(self) -> int: ...

    @property
    def num_clips(self) -> int: ...

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int16]: ...

    def to_tensor(self, device: torch.device) -> Tensor: ...


class ClipStore:
    """A clip bank next to the network: in device memory on CUDA, memory-mapped on a CPU."""

    def __init__(self, bank: ClipSource, device: torch.device) -> None:
        self.device = device
        self.clips_per_instrument = bank.clips_per_instrument
        self.num_clips = bank.num_clips
        self.num_instruments = len(bank.instruments)
        self._bank = bank
        self._resident = bank.to_tensor(device) if device.type == "cuda" else None

    def take(self, clip: Tensor) -> Tensor:
        """Clips by index `[n]` → float32 `[n, samples]` in -1…1, on the device."""
        if self._resident is not None:
            return self._resident[clip.to(self.device)].float().div_(32768.0)
        return torch.from_numpy(self._bank.rows(clip.numpy())).to(torch.float32).div_(32768.0)


@dataclass(frozen=True)
class MixtureBatch:
    """`wave [batch, samples]`, and per stem `[batch, stem]`: `clip`, `instrument` (`ABSENT` where none), `gain_db`."""

    wave: Tensor
    clip: Tensor
    instrument: Tensor
    gain_db: Tensor

    @property
    def mask(self) -> Tensor:
        """`[batch, stem]` bool, True where a stem exists."""
        return self.instrument != ABSENT


def active_rms(wave: Tensor, frame_samples: int = 800, range_db: float = 40.0) -> Tensor:
    """RMS over the frames within `range_db` of the loudest: `[n, samples]` → `[n, 1]`; a sparse clip is not boosted."""
    usable = wave.shape[1] // frame_samples * frame_samples
    power = wave[:, :usable].reshape(len(wave), -1, frame_samples).square().mean(dim=2)  # [n, frames]
    active = power >= power.amax(dim=1, keepdim=True) * 10 ** (-range_db / 10)
    return ((power * active).sum(dim=1, keepdim=True) / active.sum(dim=1, keepdim=True)).sqrt()


class Mixer:
    """Draws mixtures of `min_instruments`…`max_instruments` distinct instruments with gains of ±`gain_db`."""

    def __init__(
        self, store: ClipStore, min_instruments: int = 2, max_instruments: int = 9, gain_db: float = 6.0
    ) -> None:
        if not 1 <= min_instruments <= max_instruments <= store.num_instruments:
            raise ValueError(
                f"cannot mix {min_instruments}-{max_instruments} of {store.num_instruments} instruments"
            )
        self.store = store
        self.min_instruments, self.max_instruments, self.gain_db = min_instruments, max_instruments, gain_db

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MixtureBatch:
        """A batch of random mixtures; the (CPU) generator alone decides which. `max_instruments` may be lowered."""
        stems = self.max_instruments
        most = min(stems, max_instruments or stems)
        count = torch.randint(self.min_instruments, most + 1, (batch_size, 1), generator=generator)
        present = torch.arange(stems) < count  # [batch, stem]
        order = torch.rand(batch_size, self.store.num_instruments, generator=generator)
        instrument = order.topk(stems, dim=1).indices
        take = torch.randint(self.store.clips_per_instrument, instrument.shape, generator=generator)
        gain_db = (torch.rand(instrument.shape, generator=generator) * 2 - 1) * self.gain_db
        clip = instrument * self.store.clips_per_instrument + take
        wave = self._sum(clip, present, gain_db)
        device = self.store.device
        return MixtureBatch(
            wave,
            clip.masked_fill(~present, ABSENT).to(device),
            instrument.masked_fill(~present, ABSENT).to(device),
            gain_db.masked_fill(~present, 0.0).to(device),
        )

    def _sum(self, clip: Tensor, present: Tensor, gain_db: Tensor) -> Tensor:
        """Sum the present stems `[batch, stem]` at their gains: `[batch, samples]`."""
        stem = self.store.take(clip[present])  # [stems in all, samples]
        gain = 10 ** (gain_db[present] / 20).to(stem.device).unsqueeze(1)
        stem *= gain / active_rms(stem).clamp(min=1e-5)
        row = present.nonzero()[:, 0].to(stem.device)
        return torch.zeros(len(clip), stem.shape[1], device=stem.device).index_add_(0, row, stem)
