"""Frame-level recognition as the service uses it: a recording of any length → the probability of each family over time.

Hung & Yang 2018, with estimated pitches where the network wants them. Every tenth of a second has its own probabilities.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from models.checkpoint import load_frame_level
from models.device import autocast, choose_device, native_bfloat16
from models.errors import CheckpointError
from models.recognition.constant_q import NUM_BINS, SAMPLE_RATE, ConstantQ
from models.recognition.frame_level import OUTPUT_SECONDS, POOLED_FRAMES, FrameLevelNetwork, scaled_levels
from models.recognition.pitch_estimator import PITCH_WEIGHTS, PitchEstimator
from models.tracks import Span

Floats = NDArray[np.float32]

CHUNK_FRAMES, MARGIN_FRAMES = 576, 8  # of the output: computed at once, and the context on either side
CLOSED_SECONDS, SHORTEST_SECONDS = 0.5, 0.2  # gaps between spans that are closed, spans that are dropped


@dataclass(frozen=True)
class FamilyTimeline:
    """Probabilities of families, `probability [frames, families]`; frame i covers the `frame_seconds` from `time(i)` on.

    `thresholds` tell from which probability on each family is taken to sound.
    """

    families: tuple[str, ...]
    thresholds: tuple[float, ...]
    probability: Floats
    start_seconds: float = 0.0
    frame_seconds: float = OUTPUT_SECONDS

    def time(self, frame: int) -> float:
        """Where a frame begins, in seconds of the file."""
        return self.start_seconds + frame * self.frame_seconds

    def spans(self, family: str) -> tuple[Span, ...]:
        """When a family sounds: seconds from … to, short gaps closed and short spans dropped. Raises ValueError if unknown."""
        place = self.families.index(family)
        sounds = self.probability[:, place] >= self.thresholds[place]
        edges = np.flatnonzero(np.diff(np.pad(sounds, 1).astype(np.int8))).reshape(-1, 2)
        merged: list[list[int]] = []
        for first, last in edges.tolist():
            if merged and (first - merged[-1][1]) * self.frame_seconds < CLOSED_SECONDS:
                merged[-1][1] = last
            else:
                merged.append([first, last])
        long = [
            (first, last) for first, last in merged if (last - first) * self.frame_seconds >= SHORTEST_SECONDS
        ]
        return tuple((self.time(first), self.time(last)) for first, last in long)

    def refined(self, family: str | None, active: Sequence[Span]) -> tuple[Span, ...]:
        """The parts of the spans `active` in which the family sounds.

        They stay as they are if the network does not know the family, or hears it nowhere in them.
        """
        if family not in self.families:
            return tuple(active)
        both = [
            (max(start, first), min(end, last))
            for start, end in active
            for first, last in self.spans(family)
            if max(start, first) < min(end, last)
        ]
        return tuple(both) or tuple(active)


class FrameLevelRecogniser:
    """A frame-level network on one device, with the estimator of the pitches that it wants; thread-safe, numpy in and out."""

    def __init__(
        self, network: FrameLevelNetwork, device: torch.device, pitches: PitchEstimator | None
    ) -> None:
        """Raises CheckpointError for a network that learnt from true pitches, or whose thresholds were not chosen."""
        config = network.config
        if config.source == "true":
            raise CheckpointError(
                "this frame-level network wants true pitches, which nobody knows", value="true"
            )
        if not config.thresholds:
            raise CheckpointError("this frame-level network has no thresholds: it was not trained to its end")
        if (config.source == "estimated") != (pitches is not None):
            raise ValueError(f"a network of pitches {config.source!r} and pitches {pitches!r} do not fit")
        self._network = network.to(device).eval()
        self._device, self._pitches = device, pitches
        self._use_bfloat16 = native_bfloat16(device)
        self._lock = threading.Lock()
        self.config = config

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> "FrameLevelRecogniser":
        """Load a checkpoint. Raises CheckpointError for a file that holds no frame-level network for recordings."""
        network, _ = load_frame_level(path)
        wants = network.config.source == "estimated"
        return cls(
            network, choose_device(device), PitchEstimator.load(PITCH_WEIGHTS, device) if wants else None
        )

    def timeline(self, samples: Floats, sample_rate: int, start_seconds: float = 0.0) -> FamilyTimeline:
        """The families of `samples [n]` (mono) over time; `start_seconds` is where they begin in their file."""
        wave = resampled(samples, sample_rate)
        level = heard_levels(wave, self._device)
        pitch = None if self._pitches is None else self._pitches.notes(wave)
        probability = self._probability(level, pitch)
        return FamilyTimeline(self.config.families, self.config.thresholds, probability, start_seconds)

    def _probability(self, level: Floats, pitch: Floats | None) -> Floats:
        """`level [88, frames]` and pitches like it → `[frames // 9, families]`, in chunks, so that memory stays small."""
        outputs = level.shape[1] // POOLED_FRAMES
        parts = [np.zeros((0, len(self.config.families)), np.float32)]
        with self._lock, torch.inference_mode(), autocast(self._device, self._use_bfloat16):
            for first in range(0, outputs, CHUNK_FRAMES):
                begin, count = max(0, first - MARGIN_FRAMES), min(CHUNK_FRAMES, outputs - first)
                span = slice(begin * POOLED_FRAMES, (first + count + MARGIN_FRAMES) * POOLED_FRAMES)
                inputs = [torch.from_numpy(one[None, :, span]) for one in (level, pitch) if one is not None]
                logits = self._network(*(one.to(self._device) for one in inputs))[0].float()
                parts.append(logits[:, first - begin : first - begin + count].sigmoid().T.cpu().numpy())
        return np.concatenate(parts)


def resampled(samples: Floats, sample_rate: int) -> Floats:
    """`samples [n]` at the rate of the constant-Q transform."""
    wave: Floats = soxr.resample(samples, sample_rate, SAMPLE_RATE).astype(np.float32, copy=False)
    return wave


def heard_levels(wave: Floats, device: torch.device) -> Floats:
    """The levels `[88, frames]` of a recording `wave [n]` at 22.05 kHz, from 1 for its loudest to 0 for 80 dB below."""
    if not len(wave):
        return np.zeros((NUM_BINS, 0), np.float32)
    with torch.inference_mode():
        magnitude = ConstantQ().to(device)(torch.from_numpy(wave).to(device)[None])[0]
        level: Floats = scaled_levels(magnitude).cpu().numpy()
    return np.ascontiguousarray(level)
