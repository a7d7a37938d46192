"""Describes how a sound sounds by three measured numbers: how bright it is, how it begins, and how long it lasts.

Spectral centroid, log attack time and effective duration, as of Peeters 2004 (the CUIDADO features), sections 6.1 and 3.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

N_FFT, HOP_SAMPLES = 2048, 1024
HIGHEST_HZ = 10_000.0  # above it an mp3 differs from what it was made of
ENVELOPE_SECONDS = 0.005  # for each of which there is one value of the envelope
SOUNDING = 0.1  # of the highest level, from which on something sounds (-20 dB)
GAP_STEPS = 8  # shorter pauses (40 ms) do not end a span
LOUD = 0.3  # of the highest level, that a span has to reach: else it is the end of another
RISEN = 0.5  # of the peak of an onset, at which its attack is over: what comes after depends on the note
LONGEST_ATTACK_SECONDS = 1.0


class Descriptors(NamedTuple):
    """Three measures of a sound; a difference of 1 is an octave of frequency, or twice the time."""

    brightness: float  # log2 of the spectral centroid in Hz
    attack: float  # log2 of the seconds in which an onset rises, the median of the onsets
    length: float  # log2 of the seconds that something sounds without a pause, the median of the spans


def describe(samples: Floats, sample_rate: int) -> Descriptors | None:
    """Describe `samples`, `[n]` or `[n, channels]`; None if they are silent."""
    wave = samples.mean(axis=1) if samples.ndim == 2 else samples
    if not wave.size:
        return None
    envelope = _envelope(wave, max(1, round(ENVELOPE_SECONDS * sample_rate)))
    highest = float(envelope.max(initial=0.0))
    if not np.isfinite(highest) or highest < 1e-6:
        return None
    spans = [
        (start, end)
        for start, end in _spans(envelope >= SOUNDING * highest)
        if envelope[start:end].max() >= LOUD * highest
    ]
    attacks = [_attack(envelope[start:end]) for start, end in spans]
    lengths = [end - start for start, end in spans]
    seconds = np.array([np.median(attacks), np.median(lengths)]) * ENVELOPE_SECONDS
    attack, length = np.log2(seconds).tolist()
    return Descriptors(float(np.log2(_centroid_hz(wave, sample_rate))), attack, length)


def _centroid_hz(wave: Floats, sample_rate: int) -> float:
    """The mean frequency of the whole sound, weighted by magnitude."""
    padded = np.pad(wave, (0, max(0, N_FFT - len(wave))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP_SAMPLES]
    magnitude = np.abs(np.fft.rfft(frames * np.hanning(N_FFT))).sum(axis=0)  # [bins]
    hertz = np.fft.rfftfreq(N_FFT, 1 / sample_rate)
    magnitude[hertz > HIGHEST_HZ] = 0
    return max(1.0, float(magnitude @ hertz / max(float(magnitude.sum()), 1e-12)))


def _envelope(wave: Floats, step: int) -> Floats:
    """The level of each step, as RMS over it and its neighbours `[steps]`."""
    padded = np.pad(wave, (0, -len(wave) % step)).reshape(-1, step)
    power = np.square(padded, dtype=np.float64).mean(axis=1)
    smooth: Floats = np.sqrt(np.convolve(power, np.ones(3) / 3, mode="same")).astype(np.float32)
    return smooth


def _spans(sounds: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The steps at which each run of true values of `sounds [steps]` begins and ends; short gaps are closed."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], sounds, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    is_pause = starts[1:] - ends[:-1] >= GAP_STEPS
    first, last = starts[np.concatenate([[True], is_pause])], ends[np.concatenate([is_pause, [True]])]
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _attack(envelope: Floats) -> int:
    """The steps, at least one, in which the envelope of one span rises to half of its peak."""
    start = envelope[: round(LONGEST_ATTACK_SECONDS / ENVELOPE_SECONDS)]
    return int(np.argmax(start >= RISEN * start.max())) + 1
