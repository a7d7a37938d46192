"""Solo recognition as the service uses it: recordings of one instrument, of any length, → the probability of each family.

Segal 2016 recognises snippets of three seconds; recordings of any length were left to later work. Here a recording is cut
into windows of three seconds, shorter audio is repeated, silent windows are left out, and the probabilities are averaged.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.audio import split_windows
from models.checkpoint import load_solo
from models.device import choose_device
from models.errors import SilentAudio
from models.recognition.solo import SoloConfig, SoloNetwork

Floats = NDArray[np.float32]


class SoloRecogniser:
    """A solo network on one device; thread-safe, numpy in, plain numbers out."""

    batch_size = 32

    def __init__(self, network: SoloNetwork, device: torch.device) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._device = device
        self._lock = threading.Lock()
        self.config = network.config
        self.families = network.config.families
        self.sample_rate = network.config.front_end.sample_rate

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> "SoloRecogniser":
        """Load a checkpoint. Raises CheckpointError for a file that holds no solo network."""
        return cls(load_solo(path)[0], choose_device(device))

    def recognise(self, recordings: Sequence[Floats]) -> dict[str, float]:
        """The probability of each family, the most probable first, from all `recordings [samples]` of one instrument.

        Samples are mono at `sample_rate`. Raises SilentAudio if no window of three seconds sounds.
        """
        mean = self.probability(sounding_windows(recordings, self.config)).mean(axis=0)
        order = np.argsort(-mean, kind="stable")
        return {self.families[place]: float(mean[place]) for place in order}

    def probability(self, windows: Floats) -> Floats:
        """`windows [w, clip_samples]` → `[w, families]`; rows sum to 1."""
        parts = []
        with self._lock, torch.inference_mode():
            for start in range(0, len(windows), self.batch_size):
                wave = torch.from_numpy(np.ascontiguousarray(windows[start : start + self.batch_size]))
                parts.append(self._network(wave.to(self._device)).float().softmax(dim=1).cpu())
        share: Floats = torch.cat(parts).numpy()
        return share


def sounding_windows(recordings: Sequence[Floats], config: SoloConfig) -> Floats:
    """The windows `[w, clip_samples]` of all recordings that pass the gate. Raises SilentAudio if none does."""
    size = config.front_end.clip_samples
    cut = [
        split_windows(samples, clip_samples=size, hop_samples=size)[0]
        for samples in recordings
        if len(samples)
    ]
    windows = np.concatenate([np.zeros((0, size), np.float32), *cut])
    level_db = 10 * np.log10(np.square(windows, dtype=np.float64).mean(axis=1) + 1e-30)
    loudest_db = float(level_db.max(initial=-300.0))
    if loudest_db < config.silence_dbfs:
        raise SilentAudio(
            f"the audio is silent: no window reaches {config.silence_dbfs:g} dBFS",
            value="silent",
            limit=f"{config.silence_dbfs:g} dBFS",
        )
    sounding: Floats = windows[level_db >= max(config.silence_dbfs, loudest_db - config.gate_db)]
    return sounding
