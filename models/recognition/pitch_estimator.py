"""Pitches of a recording of any length, of whatever instruments: the network of basic-pitch over overlapping windows.

Bittner et al. 2022: windows of two seconds of which 15 frames at either end are dropped, since they see too little around them.
The grid in time is that of the constant-Q transform (`models/recognition/constant_q.py`): a frame for each 256 samples.
"""

import threading
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import load_pitch
from models.device import autocast, choose_device, native_bfloat16
from models.recognition.pitch_network import (
    HOP_SAMPLES,
    NUM_PITCHES,
    WINDOW_FRAMES,
    WINDOW_SAMPLES,
    PitchNetwork,
)

Floats = NDArray[np.float32]

PITCH_WEIGHTS = Path(__file__).parent.parent / "weights" / "pitch.safetensors"
MARGIN_FRAMES = 15
KEPT_FRAMES = WINDOW_FRAMES - 2 * MARGIN_FRAMES


class PitchActivity(NamedTuple):
    """`note [88, frames]` and `onset [88, frames]` in 0…1: the probabilities that a pitch sounds and begins."""

    note: Floats
    onset: Floats


class PitchEstimator:
    """The pitch network on one device; thread-safe, numpy in and out.

    Where the machine multiplies bfloat16, it does: probabilities then differ by about a hundredth.
    """

    batch_size = 8

    def __init__(self, network: PitchNetwork, device: torch.device) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._device = device
        self._use_bfloat16 = native_bfloat16(device)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, path: Path = PITCH_WEIGHTS, device: str = "auto") -> "PitchEstimator":
        """Load the network. Raises CheckpointError for a file that holds no pitch network."""
        return cls(load_pitch(path), choose_device(device))

    def activity(self, samples: Floats) -> PitchActivity:
        """Notes and onsets of `samples [n]` (mono at 22.05 kHz), a frame for each 256 samples begun."""
        return PitchActivity(*self._run(samples, with_onsets=True))

    def notes(self, samples: Floats) -> Floats:
        """The probability that each pitch sounds, `[88, frames]`, as in `activity`, without the work for the onsets."""
        return self._run(samples, with_onsets=False)[0]

    def _run(self, samples: Floats, *, with_onsets: bool) -> tuple[Floats, ...]:
        frames = -(-len(samples) // HOP_SAMPLES)
        windows = _windows(samples, frames)
        parts: list[tuple[Floats, ...]] = []
        with self._lock, torch.inference_mode(), autocast(self._device, self._use_bfloat16):
            for first in range(0, len(windows), self.batch_size):
                wave = torch.from_numpy(windows[first : first + self.batch_size].copy())
                found = self._network(wave.to(self._device), with_onsets=with_onsets)
                parts.append(tuple(_kept(value) for value in found))
        return tuple(np.concatenate(column)[:frames].T for column in zip(*parts, strict=True))


def _windows(samples: Floats, frames: int) -> Floats:
    """Windows `[w, WINDOW_SAMPLES]` whose kept frames follow each other from the first frame of `samples [n]`."""
    count, ahead = max(1, -(-frames // KEPT_FRAMES)), MARGIN_FRAMES * HOP_SAMPLES
    step = KEPT_FRAMES * HOP_SAMPLES
    padded = np.zeros((count - 1) * step + WINDOW_SAMPLES, np.float32)
    kept = samples[: len(padded) - ahead]
    padded[ahead : ahead + len(kept)] = kept
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::step]


def _kept(probability: torch.Tensor) -> Floats:
    """The frames of windows `[w, WINDOW_FRAMES, 88]` between their margins, one after the other, `[frames, 88]`."""
    inner = probability[:, MARGIN_FRAMES : MARGIN_FRAMES + KEPT_FRAMES]
    rows: Floats = inner.float().cpu().numpy().reshape(-1, NUM_PITCHES)
    return rows
