"""A clip bank of noise in memory: input for mixing that needs no rendering."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.nlakh.dataset import DatasetInstrument

INSTRUMENTS, CLIPS_EACH = 60, 8


@dataclass(frozen=True)
class NoiseBank:
    """Clips `[clips, samples]` of noise at -20 dBFS; the content does not affect the time."""

    clips: NDArray[np.int16]

    @classmethod
    def make(cls, clip_samples: int) -> "NoiseBank":
        rng = np.random.default_rng(0)
        clips = rng.normal(0, 3277, (INSTRUMENTS * CLIPS_EACH, clip_samples))
        return cls(clips.clip(-32768, 32767).astype(np.int16))

    @property
    def instruments(self) -> tuple[DatasetInstrument, ...]:
        names = (f"noise_{number}" for number in range(INSTRUMENTS))
        return tuple(
            DatasetInstrument(i + 1, name, name, None, "noise", "train") for i, name in enumerate(names)
        )

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(INSTRUMENTS), CLIPS_EACH)

    @property
    def num_clips(self) -> int:
        return len(self.clips)

    @property
    def clip_samples(self) -> int:
        return self.clips.shape[1]

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int16]:
        return self.clips[indices]

    def to_tensor(self, device: torch.device) -> torch.Tensor:
        return torch.from_numpy(self.clips).to(device)
