"""The tones that SFZ regions are made of: a sample with its loop at another speed, generators, and resting filters.

Pure functions after sfzformat.com; filters are the biquads of Bristow-Johnson's "Audio EQ Cookbook".
"""

import math

import numpy as np
import soxr
from scipy.signal import lfilter

from index.sources.base import Floats

NOISE_SEED = 0

_MARGIN = 128  # samples beyond its output that the resampling filter looks at
_PERIOD_SAMPLES = 4096
_HIGHEST_HARMONIC = 0.45  # of the sample rate
_HIGHEST_CUTOFF = 0.45


def resampled(samples: Floats, loop: tuple[int, int] | None, step: float, length: int) -> Floats:
    """`samples [n]`, read `step` of them for one of the output, as mono `[≤ length]`.

    From the end of `loop` (start, end) it goes on at its start for ever; without a loop the sample ends.
    """
    wanted = math.ceil(length * step + _MARGIN * max(step, 1.0))
    source = samples[:wanted]
    if loop is not None and wanted > loop[1]:
        turn = samples[loop[0] : loop[1]]
        rest = wanted - loop[1]
        source = np.concatenate([samples[: loop[1]], np.tile(turn, -(-rest // len(turn)))[:rest]])
    if step != 1.0:
        source = soxr.resample(source, step, 1.0, "MQ")
    return source[:length]


def repeated(samples: Floats, count: int, length: int) -> Floats:
    """`samples` `count` times one after the other, no further than `length`."""
    times = min(count, -(-length // max(1, len(samples))))
    return np.tile(samples, times)[:length]


def generated(kind: str, hz: float, length: int, sample_rate: int) -> Floats:
    """`[length]` of what a generator (`*sine`, `*saw`, `*square`, `*triangle`, `*noise`, `*silence`) makes, within ±1.

    Waves have the harmonics that the sample rate leaves room for, and none when they lie above it; noise is the same
    each time.
    """
    if kind == "*noise":
        return np.random.default_rng(NOISE_SEED).uniform(-1.0, 1.0, length).astype(np.float32)
    num_harmonics = min(_PERIOD_SAMPLES // 8, int(_HIGHEST_HARMONIC * sample_rate / hz))
    if kind == "*silence" or num_harmonics < 1:
        return np.zeros(length, np.float32)
    phase = (np.arange(length) * (hz / sample_rate)) % 1.0 * _PERIOD_SAMPLES
    period = _period(kind, num_harmonics)  # [_PERIOD_SAMPLES + 1], closed
    return np.interp(phase, np.arange(len(period)), period).astype(np.float32)


def _period(kind: str, num_harmonics: int) -> Floats:
    """One period and its first sample again, from the harmonics of the wave's Fourier series."""
    n = np.arange(1, num_harmonics + 1)
    if kind == "*sine":
        amplitudes = (n == 1) * 1.0
    elif kind == "*saw":
        amplitudes = (2.0 / math.pi) * (-1.0) ** (n + 1) / n
    elif kind == "*square":
        amplitudes = (4.0 / math.pi) * (n % 2) / n
    else:
        amplitudes = (8.0 / math.pi**2) * (n % 2) * (-1.0) ** ((n - 1) // 2) / n**2
    spectrum = np.zeros(_PERIOD_SAMPLES // 2 + 1, np.complex128)
    spectrum[1 : num_harmonics + 1] = -0.5j * _PERIOD_SAMPLES * amplitudes
    period = np.fft.irfft(spectrum, _PERIOD_SAMPLES)
    return np.append(period, period[0]).astype(np.float32)


def filtered(samples: Floats, kind: str, cutoff_hz: float, resonance_db: float, sample_rate: int) -> Floats:
    """`samples [n]` behind a filter of one pole (`lpf_1p`, `hpf_1p`) or two (`lpf_2p`, `hpf_2p`) that stands still."""
    lowpass = kind.startswith("lpf")
    if cutoff_hz > _HIGHEST_CUTOFF * sample_rate:
        if lowpass:
            return samples
        cutoff_hz = _HIGHEST_CUTOFF * sample_rate
    omega = 2.0 * math.pi * max(cutoff_hz, 1.0) / sample_rate
    if kind.endswith("1p"):
        k = math.tan(omega / 2.0)
        b = [k, k] if lowpass else [1.0, -1.0]
        a = [1.0 + k, k - 1.0]
    else:
        cosine = math.cos(omega)
        alpha = math.sin(omega) / (math.sqrt(2.0) * 10.0 ** (resonance_db / 20.0))
        middle = 1.0 - cosine if lowpass else -(1.0 + cosine)
        b = [abs(middle) / 2.0, middle, abs(middle) / 2.0]
        a = [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]
    return np.asarray(lfilter(b, a, samples), np.float32)
