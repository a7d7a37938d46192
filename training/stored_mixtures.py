"""Rendered mixtures (Nlakh-multi) as training data; `training/mixing.py` draws random ones instead.

Kim et al. 2022, section 5.2, trains on both. The multi encoder hears the sum of a mixture's stems; each stem is a target.
"""

import numpy as np
import torch
from torch import Tensor

from models.errors import TrainingError
from training.bank import Bank
from training.clip_store import ClipStore
from training.mixing import ABSENT, MixtureBatch, MixtureSpec


class StoredMixtureSampler:
    """Draws the mixtures of a stem bank that have at most `max_instruments` stems."""

    rendered = True

    def __init__(self, store: ClipStore, bank: Bank, max_instruments: int = 9) -> None:
        """Raises TrainingError when every mixture is larger."""
        self.max_instruments = max_instruments
        self._instrument_of_clip = store.instrument_of_clip
        self._first = torch.from_numpy(np.array(bank.offsets[:-1]))  # [mixtures]
        self._count = torch.from_numpy(np.diff(bank.offsets))
        self._by_size = self._count.argsort(stable=True)
        self._sizes = self._count[self._by_size].contiguous()
        if not self._num_within(max_instruments):
            smallest = int(self._sizes[0])
            message = f"every mixture has at least {smallest} instruments, {max_instruments} are allowed"
            raise TrainingError(message, value=smallest, limit=max_instruments)

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MixtureSpec:
        """The stems of a batch of mixtures, on the CPU; the generator alone decides.

        `max_instruments` lowers the limit; the smallest mixtures are drawn where it excludes all.
        """
        stems = self.max_instruments
        within = self._num_within(min(stems, max_instruments or stems)) or self._num_within(
            int(self._sizes[0])
        )
        mixture = self._by_size[torch.randint(within, (batch_size,), generator=generator)]
        place = torch.arange(stems)
        present = place < self._count[mixture].unsqueeze(1)  # [batch, stem]
        clip = (self._first[mixture].unsqueeze(1) + place).masked_fill(~present, ABSENT)
        instrument = self._instrument_of_clip[clip.clamp(min=0)].masked_fill(~present, ABSENT)
        return MixtureSpec(clip, instrument, torch.zeros(clip.shape))

    def _num_within(self, size: int) -> int:
        """The number of mixtures of at most `size` stems."""
        return int(torch.searchsorted(self._sizes, size, right=True))


class StoredMixer:
    """Draws batches of rendered mixtures as audio, at the levels they were rendered with."""

    def __init__(self, store: ClipStore, bank: Bank, max_instruments: int = 9) -> None:
        """Raises TrainingError when no mixture is that small."""
        self.sampler, self.store = StoredMixtureSampler(store, bank, max_instruments), store

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MixtureBatch:
        """A batch of mixtures; the (CPU) generator alone decides which. `max_instruments` may be lowered."""
        spec = self.sampler.draw(batch_size, generator, max_instruments)
        device = self.store.device
        return MixtureBatch(
            spec.clip.to(device),
            spec.instrument.to(device),
            spec.gain_db.to(device),
            wave=self._sum(spec.clip, spec.mask),
        )

    def _sum(self, clip: Tensor, present: Tensor) -> Tensor:
        """The sum of each mixture's stems: `[batch, samples]`."""
        stem = self.store.take(clip[present])  # [stems in all, samples]
        row = present.nonzero()[:, 0].to(stem.device)
        return torch.zeros(len(clip), stem.shape[1], device=stem.device).index_add_(0, row, stem)
