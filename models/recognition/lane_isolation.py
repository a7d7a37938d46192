"""Isolates a lane of a mixture by a mask: the lane's share of each cell of the short-time spectrum. A preview, not a stem.

A cell is shared as its notes are (`models/recognition/lane_notes.py`): a note weighs at its harmonics, for each lane by the
lane's share of the note. Where no note explains a cell, lanes share it by their presence and the registers of their families; a
lane without pitches has a flat weight. What is left is the rest. Masks of all lanes and of the rest sum to one in each cell, as
the ratio masks of Wiener filtering do.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.recognition.constant_q import LOWEST_PITCH, NUM_BINS
from models.recognition.lane_notes import SoundingLane, presence_at, register_density, shares_of_notes
from models.recognition.notes import HeardNote

Floats = NDArray[np.float32]

ISOLATED_SAMPLE_RATE = 44_100  # hz
N_FFT, HOP_SAMPLES = 4096, 1024
AHEAD_SAMPLES = (
    N_FFT - HOP_SAMPLES
)  # of silence before the first one, which so lies in as many frames as any other
WINDOWS_SQUARED = 1.5  # sum of the squares of Hann windows that overlap by three quarters
BINS = N_FFT // 2 + 1
FRAMES_AT_ONCE = 256  # six seconds: the masks of a whole track would take gigabytes

PITCHES = LOWEST_PITCH + np.arange(NUM_BINS)
NUM_HARMONICS = 30
WIDTH_CENTS, LEAST_WIDTH_HZ = 30.0, 12.0  # standard deviation of a harmonic's weight around its frequency
ATTACK_SECONDS = 0.05  # by which a note weighs before its onset
RELEASE_SECONDS = 0.2  # time constant of its fade after its end

# Weights beside that of a note, which is 1 at most. Chosen on validation instruments (docs/EXPERIMENTS.md, "Isolated lanes").
UNEXPLAINED = 0.1  # of a lane's presence, where no note is
UNPITCHED = 0.05  # of the presence of a lane without pitches
REST = 0.01  # of what is in no lane


class LaneMasks:
    """The masks of the lanes of a mixture and of its rest, computed for a few frames at a time."""

    def __init__(
        self,
        notes: Sequence[HeardNote],
        lanes: Sequence[SoundingLane],
        num_samples: int,
        start_seconds: float = 0.0,
    ) -> None:
        """Prepare the masks of `num_samples` from `start_seconds` on; `notes` and `lanes`, at least one, count in that time."""
        self.num_lanes = len(lanes)
        seconds = start_seconds + frame_seconds(num_samples)
        density = [register_density(lane.families, PITCHES.astype(np.float64)) for lane in lanes]
        shares = shares_of_notes(notes, lanes)
        self._rolls = [_roll(notes, row, seconds) for row in shares]  # [frames, pitches] each
        self._presence = [presence_at(lane, seconds).astype(np.float32) for lane in lanes]  # [frames]
        self._spectra = [_unexplained(one.astype(np.float32)) for one in density]  # [bins]

    def shares(self, first: int, last: int) -> Floats:
        """Return the shares of the lanes, then of the rest, in frames `first`…`last`: `[lanes + 1, frames, bins]`; sum 1."""
        weight = np.full((self.num_lanes + 1, last - first, BINS), REST, np.float32)
        parts = zip(self._rolls, self._presence, self._spectra, strict=True)
        for lane, (roll, presence, spectrum) in enumerate(parts):
            weight[lane] = roll[first:last] @ harmonics() + presence[first:last, None] * spectrum
        weight /= weight.sum(axis=0)
        return weight


def isolated(samples: Floats, masks: LaneMasks, lane: int) -> Floats:
    """Return what a lane isolates of `samples [n]`, mono at `ISOLATED_SAMPLE_RATE`; lane `masks.num_lanes` is the rest."""
    return masked(samples, lambda first, last: masks.shares(first, last)[lane])


def num_frames(num_samples: int) -> int:
    """Return the number of frames that cover `num_samples`, each as often as the others."""
    return (AHEAD_SAMPLES + max(1, num_samples) - 1) // HOP_SAMPLES + 1


def frame_seconds(num_samples: int) -> NDArray[np.float64]:
    """Return the centre of each frame, in seconds from the first sample `[frames]`."""
    centre_samples = np.arange(num_frames(num_samples)) * HOP_SAMPLES + N_FFT // 2 - AHEAD_SAMPLES
    seconds: NDArray[np.float64] = centre_samples / ISOLATED_SAMPLE_RATE
    return seconds


def masked(samples: Floats, mask: Callable[[int, int], Floats]) -> Floats:
    """Multiply the spectrum of `samples [n]` by `mask(first, last) [frames, bins]`, and resynthesise it by overlap-add.

    Frames are windowed by Hann before the transform and after it; a mask of ones gives the samples back.
    """
    frames, window = framed(samples), _window()
    count = len(frames)
    out = np.zeros((count - 1) * HOP_SAMPLES + N_FFT, np.float32)
    for first in range(0, count, FRAMES_AT_ONCE):
        last = min(count, first + FRAMES_AT_ONCE)
        spectrum = np.fft.rfft(frames[first:last] * window) * mask(first, last)
        pieces = np.fft.irfft(spectrum, N_FFT) * window
        for place, piece in enumerate(pieces, first):
            out[place * HOP_SAMPLES : place * HOP_SAMPLES + N_FFT] += piece
    out /= WINDOWS_SQUARED
    return out[AHEAD_SAMPLES : AHEAD_SAMPLES + len(samples)]


def framed(samples: Floats) -> Floats:
    """Return the frames of `samples [n]` as a view, `[frames, n_fft]`, not windowed."""
    padded = np.zeros((num_frames(len(samples)) - 1) * HOP_SAMPLES + N_FFT, np.float32)
    padded[AHEAD_SAMPLES : AHEAD_SAMPLES + len(samples)] = samples
    frames: Floats = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_SAMPLES]
    return frames


def power(samples: Floats) -> Floats:
    """Return the power of each cell of `samples [n]`: `[frames, bins]`."""
    spectrum = np.fft.rfft(framed(samples) * _window())
    squared: Floats = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return squared


def _window() -> Floats:
    return np.hanning(N_FFT + 1)[:-1].astype(np.float32)


@cache
def harmonics() -> Floats:
    """Return the weight of each pitch at its harmonics, `[pitches, bins]`: harmonic h weighs 1/h."""
    bin_hz = np.arange(BINS) * (ISOLATED_SAMPLE_RATE / N_FFT)
    weight = np.zeros((NUM_BINS, BINS))
    for row, fundamental_hz in enumerate(440.0 * 2 ** ((PITCHES - 69) / 12)):
        for number in range(1, NUM_HARMONICS + 1):
            centre_hz = number * fundamental_hz
            width_hz = max(LEAST_WIDTH_HZ, centre_hz * (2 ** (WIDTH_CENTS / 1200) - 1))
            weight[row] += np.exp(-0.5 * ((bin_hz - centre_hz) / width_hz) ** 2) / number
    return weight.astype(np.float32)


def _unexplained(density: Floats) -> Floats:
    """Return the weight of a lane's presence `[bins]`, by the density of its pitches `[pitches]`; flat without any."""
    if not density.any():
        return np.full(BINS, UNPITCHED, np.float32)
    spectrum: Floats = density @ harmonics()
    return UNEXPLAINED * spectrum / spectrum.max()


def _roll(notes: Sequence[HeardNote], shares: NDArray[np.float64], seconds: NDArray[np.float64]) -> Floats:
    """Return the weight of each pitch at each of `seconds` in a lane that has `shares [notes]`: `[frames, pitches]`."""
    roll = np.zeros((len(seconds), NUM_BINS), np.float32)
    for note, share in zip(notes, shares, strict=True):
        first = np.searchsorted(seconds, note.start_seconds - ATTACK_SECONDS)
        last = np.searchsorted(seconds, note.end_seconds + 5 * RELEASE_SECONDS)
        after = np.maximum(seconds[first:last] - note.end_seconds, 0)
        own = roll[first:last, note.pitch - LOWEST_PITCH]
        np.maximum(own, share * note.strength * np.exp(-after / RELEASE_SECONDS), out=own)
    return roll
