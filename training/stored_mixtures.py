"""Rendered mixtures (Nlakh-multi, productions) as training data; `training/mixing.py` draws random ones instead.

Kim et al. 2022, section 5.2, trains on both. The multi encoder hears the sum of a mixture's stems; each stem is a target.
Productions are longer than a clip: each of their windows is a mixture of the stems that sound in it.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import TrainingError
from training.bank import Bank, MixtureTable
from training.clip_store import ClipStore
from training.mixing import ABSENT, MixtureBatch, MixtureSpec
from training.nlakh.dataset import open_dataset
from training.nlakh.rendered import Samples
from training.nlakh.spec import MIN_STEMS
from training.productions.truth import Spans, read_truth

HEARD_SECONDS = 0.5  # a stem that sounds for less in a window is no target there


class WindowedClips:
    """Windows of a stem bank's rows as clips `[num_clips, clip_samples]`: clip c is window `window[c]` of row `row[c]`."""

    def __init__(
        self, bank: Bank, row: NDArray[np.int64], window: NDArray[np.int64], clip_samples: int
    ) -> None:
        self._bank, self._row, self._window = bank, row, window
        self.clip_samples = clip_samples

    @property
    def num_clips(self) -> int:
        return len(self._row)

    def read(self, rows: NDArray[np.int64]) -> Samples:
        whole = self._bank.rows(self._row[rows])
        first = self._window[rows, None] * self.clip_samples
        out: Samples = np.take_along_axis(whole, first + np.arange(self.clip_samples), axis=1)
        return out


def open_mixtures(folder: Path, split: str, clip_samples: int) -> Bank:
    """Open rendered mixtures to train on clips of `clip_samples`; of productions, the windows in which two stems sound.

    Raises TrainingError when they are missing, damaged, or no window sounds.
    """
    bank = Bank.open(folder, split, "multi")
    dataset = open_dataset(folder, split, "multi")
    if dataset is None or not dataset.is_production:
        return bank
    truth = read_truth(folder / split)
    if [len(parts) for parts in truth] != np.diff(bank.offsets).tolist():
        message = f"the truth of {folder / split} is not of its {bank.num_mixtures} productions"
        raise TrainingError(message, value=len(truth), limit=bank.num_mixtures)
    row, window, offsets = list[int](), list[int](), [0]
    seconds = clip_samples / bank.sample_rate
    for first, parts in zip(bank.offsets[:-1].tolist(), truth, strict=True):
        for place in range(bank.clip_samples // clip_samples):
            span = place * seconds, (place + 1) * seconds
            heard = [first + stem for stem, part in enumerate(parts) if _overlap(part.spans, *span)]
            if len(heard) >= MIN_STEMS:
                row += heard
                window += [place] * len(heard)
                offsets.append(len(row))
    if not row:
        raise TrainingError(f"no window of {folder} has two stems that sound", value=str(folder))
    rows = np.array(row)
    table = MixtureTable(np.array(offsets), bank.instrument_of_clip[rows])
    clips = WindowedClips(bank, rows, np.array(window), clip_samples)
    return Bank(bank.instruments, clips, bank.sample_rate, table=table)


def _overlap(spans: Spans, start: float, end: float) -> bool:
    """Whether spans cover at least `HEARD_SECONDS` between `start` and `end`."""
    return sum(max(0.0, min(end, until) - max(start, since)) for since, until in spans) >= HEARD_SECONDS


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
