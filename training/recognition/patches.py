"""The clips that extractors of features are pre-trained on: random seconds of single instruments, where they sound.

Taenzer et al. 2021, section 4.1, take NSynth's notes. Ours are phrases of the banks of single instruments; the last clip of
every instrument validates, since instruments that train are what must be told apart.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.errors import TrainingError
from models.recognition.vggish import PATCH_SAMPLES, SAMPLE_RATE
from training.bank import Bank
from training.recognition.solo_pieces import FamilyClips

CELL_SAMPLES = 1_600  # a tenth of a second, on whose grid patches begin
PATCH_CELLS = -(-PATCH_SAMPLES // CELL_SAMPLES)
GATE_DB = 40.0  # below the loudest second of the clip, which is silence
FULL_SCALE = 32_768.0
HELD_SEED = 0  # of the places of validation patches


class PatchSampler:
    """Draws seconds of the clips of several banks, every clip alike."""

    def __init__(self, banks: Sequence[Bank], clips_each: int) -> None:
        """Raises TrainingError for banks of another rate or shorter clips, and for instruments with one clip."""
        self._clips = FamilyClips(banks, clips_each)
        self.instruments = self._clips.instruments
        rate, samples = self._clips.sample_rate, self._clips.clip_samples
        if rate != SAMPLE_RATE or samples < PATCH_CELLS * CELL_SAMPLES:
            limit = f"{PATCH_CELLS * CELL_SAMPLES} samples at {SAMPLE_RATE} Hz"
            message = f"clips of {samples} samples at {rate} Hz are too short or of another rate; {limit} are wanted"
            raise TrainingError(message, value=samples, limit=limit)
        of_clip = self._clips.instrument_of_clip
        is_last = np.append(np.diff(of_clip) > 0, True)
        self.trained, self.held = np.flatnonzero(~is_last), np.flatnonzero(is_last)
        if not len(self.trained):
            raise TrainingError(
                "instruments have one clip each: two are wanted, of which one validates", value=1, limit=2
            )

    def draw(self, number: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Waves `[number, PATCH_SAMPLES]` of training clips, and the place of each one's instrument `[number]`."""
        drawn = torch.randint(len(self.trained), (number,), generator=generator).numpy()
        return self._patches(self.trained[drawn], generator)

    def validation(self, batch_size: int) -> list[tuple[Tensor, Tensor]]:
        """The same second of every validation clip each time, in batches."""
        generator = torch.Generator().manual_seed(HELD_SEED)
        cuts = range(0, len(self.held), batch_size)
        return [self._patches(self.held[first : first + batch_size], generator) for first in cuts]

    def _patches(self, clip: NDArray[np.int64], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        wave = torch.from_numpy(self._clips.rows(clip).astype(np.float32) / np.float32(FULL_SCALE))
        start = torch.multinomial(sounding_starts(wave), 1, generator=generator) * CELL_SAMPLES
        patch = wave.gather(1, start + torch.arange(PATCH_SAMPLES))
        return patch, torch.from_numpy(self._clips.instrument_of_clip[clip])


def sounding_starts(wave: Tensor) -> Tensor:
    """1 for each cell of `wave [clips, samples]` from which a second sounds, else 0, `[clips, starts]`; silence has all."""
    whole = wave.shape[1] // CELL_SAMPLES
    energy = wave[:, : whole * CELL_SAMPLES].unflatten(1, (whole, CELL_SAMPLES)).square().mean(dim=2)
    second = energy.unfold(1, PATCH_CELLS, 1).mean(dim=2)  # [clips, starts]
    loudest = second.amax(dim=1, keepdim=True)
    return (second >= loudest * 10 ** (-GATE_DB / 10)).float()
