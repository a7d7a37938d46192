"""Validation of solo recognition while it trains: the macro F1 on validation instruments.

Segal 2016 chooses by validation recordings. Clips are heard as the service hears them: windows of three seconds, averaged.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.recognition.solo import SoloNetwork
from models.recognition.solo_recogniser import SoloRecogniser, sounding_windows
from training.bank import Bank
from training.nlakh.dataset import VALID
from training.recognition.solo_pieces import FamilyClips
from training.recognition.solo_scores import confusion_of, macro_scores

FULL_SCALE = 32_768.0


@dataclass(frozen=True)
class ValidationSet:
    """Validation clips of one bank: int16 `windows [w, clip_samples]`, the clip of each, and the family of each clip."""

    name: str
    windows: NDArray[np.int16]
    clip_of_window: NDArray[np.int64]
    family_of_clip: NDArray[np.int64]

    @classmethod
    def open(cls, folder: Path, network: SoloNetwork, clips_each: int) -> "ValidationSet":
        """Cut the first clips of every validation instrument of a family that the network knows.

        Raises TrainingError if the bank has no validation instruments, or none of these families.
        """
        clips = FamilyClips([Bank.open(folder, VALID)], clips_each)
        family = clips.family_of_instrument(network.config.families)[clips.instrument_of_clip]
        chosen = np.flatnonzero(family >= 0)
        windows, clip_of_window = [], []
        for place, row in enumerate(clips.rows(chosen)):
            cut = sounding_windows([row.astype(np.float32) / np.float32(FULL_SCALE)], network.config)
            windows.append((cut * FULL_SCALE).astype(np.int16))
            clip_of_window += [place] * len(cut)
        if not windows:
            raise TrainingError(f"{folder} validates no family that trains", value=folder.name)
        return cls(folder.name, np.concatenate(windows), np.array(clip_of_window), family[chosen])

    def measure(self, network: SoloNetwork) -> dict[str, float]:
        """The macro scores of the network on the clips, each heard as the mean over its windows."""
        recogniser = SoloRecogniser(network, next(network.parameters()).device)
        wave = self.windows.astype(np.float32) / np.float32(FULL_SCALE)
        total = np.zeros((len(self.family_of_clip), len(network.config.families)))
        np.add.at(total, self.clip_of_window, recogniser.probability(wave))
        windows_of_clip = np.bincount(self.clip_of_window)
        told = (total / windows_of_clip[:, None]).argmax(axis=1)
        confusion = confusion_of(self.family_of_clip, told, len(network.config.families))
        return {name: float(value) for name, value in macro_scores(confusion).items()}
