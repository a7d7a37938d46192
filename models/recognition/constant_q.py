"""The constant-Q transform of frame-level recognition: 88 semitones from A0, the magnitude every 11.6 ms.

Hung & Yang 2018, section 4.1, compute it by librosa at 44.1 kHz with a hop of 512. The highest bin lies at 4,186 Hz, so
librosa halves such a rate before it begins; here the audio comes at 22.05 kHz with a hop of 256, which is the same grid in
time. Filters and scale are those of librosa 0.11 at 44.1 kHz. One octave of filters serves all octaves: from each octave to the
one below, the audio and the hop are halved (Schörkhuber & Klapuri 2010).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 22_050
HOP_SAMPLES = 256
PUBLISHED_RATE = 44_100  # of the paper, by whose filter lengths magnitudes are scaled
LOWEST_HZ, LOWEST_PITCH = 27.5, 21  # A0, as MIDI counts
NUM_BINS, BINS_PER_OCTAVE = 88, 12
NUM_OCTAVES = -(-NUM_BINS // BINS_PER_OCTAVE)
FRAME_SECONDS = HOP_SAMPLES / SAMPLE_RATE
HALVING_TAPS, HALVING_BETA = 63, 9.0  # of the low-pass before each halving: a Kaiser window of 90 dB
FRAMES_AT_ONCE = 4_096  # that are copied for a product: half an hour at once would take 160 MB
HALVED_AT_ONCE = 32  # samples that one product of a frame with the low-pass gives

_SEMITONE = 2 ** (1 / BINS_PER_OCTAVE)
BANDWIDTH = (_SEMITONE**2 - 1) / (_SEMITONE**2 + 1)  # of a bin, relative to its frequency


def bin_frequencies() -> NDArray[np.float64]:
    """The centre of each bin in Hz, `[NUM_BINS]`."""
    return LOWEST_HZ * _SEMITONE ** np.arange(NUM_BINS, dtype=np.float64)


def filter_lengths(sample_rate: int) -> NDArray[np.float64]:
    """The length of each bin's filter in samples, `[NUM_BINS]`; not whole numbers."""
    return sample_rate / (BANDWIDTH * bin_frequencies())


def octave_filters() -> NDArray[np.complex64]:
    """The filters of the highest octave at `SAMPLE_RATE`, centred, `[BINS_PER_OCTAVE, taps]`; absolute values sum to 1."""
    lengths = filter_lengths(SAMPLE_RATE)[-BINS_PER_OCTAVE:]
    taps = 2 ** math.ceil(math.log2(lengths.max()))
    filters = np.zeros((BINS_PER_OCTAVE, taps), np.complex128)
    for row, length, hertz in zip(filters, lengths, bin_frequencies()[-BINS_PER_OCTAVE:], strict=True):
        place = np.arange(-length // 2, length // 2)
        whole = len(place)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(whole) / whole)
        wavelet = window * np.exp(2j * np.pi * hertz / SAMPLE_RATE * place)
        first = (taps - whole) // 2
        row[first : first + whole] = wavelet / np.abs(wavelet).sum()
    return filters.astype(np.complex64)


def halving_filter() -> NDArray[np.float32]:
    """The low-pass before the rate is halved, `[HALVING_TAPS]`: 1 up to 0.19 of the rate, 0 beyond its 0.31."""
    place = np.arange(HALVING_TAPS) - HALVING_TAPS // 2
    taps = np.sinc(place / 2) * np.kaiser(HALVING_TAPS, HALVING_BETA)
    return (taps / taps.sum()).astype(np.float32)


class ConstantQ(nn.Module):
    """Waveforms at 22.05 kHz → magnitudes of the constant-Q transform.

    Filters are products of frames and matrices, which are faster than torch's convolutions of one channel.
    """

    filters: Tensor
    halving: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        filters = octave_filters()
        both = np.concatenate([filters.real, filters.imag]).T.copy()  # [taps, 2 · BINS_PER_OCTAVE]
        scale = np.sqrt(filter_lengths(PUBLISHED_RATE)).astype(np.float32)
        self.register_buffer("filters", torch.from_numpy(both), persistent=False)
        self.register_buffer("halving", torch.from_numpy(halving_filter()), persistent=False)
        self.register_buffer("scale", torch.from_numpy(scale), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` → `[batch, NUM_BINS, frames]`, a frame for each hop begun, centred at its first sample."""
        frames = -(-wave.shape[-1] // HOP_SAMPLES)
        octaves = []  # the highest first, [batch, frames, BINS_PER_OCTAVE]
        for octave in range(NUM_OCTAVES):
            wave = halved(wave, self.halving, HALVING_TAPS // 2) if octave else wave
            cut = _frames(wave, frames, HOP_SAMPLES >> octave, len(self.filters), len(self.filters) // 2)
            octaves.append(torch.hypot(*_product(cut, self.filters).chunk(2, dim=-1)))
        magnitude = torch.cat(octaves[::-1], dim=-1)[..., -NUM_BINS:] * self.scale
        return magnitude.transpose(1, 2)


def _frames(wave: Tensor, number: int, hop: int, size: int, ahead: int) -> Tensor:
    """Frames `[batch, number, size]` of `wave [batch, samples]`; the first begins `ahead` samples before it, in silence."""
    behind = (number - 1) * hop + size - ahead - wave.shape[-1]
    return functional.pad(wave, (ahead, max(0, behind))).unfold(1, size, hop)[:, :number]


def halved(wave: Tensor, low_pass: Tensor, ahead: int) -> Tensor:
    """`wave [batch, samples]` at half its rate: every other sample of it low-passed by `low_pass [taps]`.

    The filter's first tap lies `ahead` samples before the sample that it gives.
    """
    taps, samples = len(low_pass), -(-wave.shape[-1] // 2)
    matrix = wave.new_zeros(2 * (HALVED_AT_ONCE - 1) + taps, HALVED_AT_ONCE)
    for place in range(HALVED_AT_ONCE):
        matrix[2 * place : 2 * place + taps, place] = low_pass
    cut = _frames(wave, -(-samples // HALVED_AT_ONCE), 2 * HALVED_AT_ONCE, len(matrix), ahead)
    return _product(cut, matrix).flatten(1)[:, :samples]


def _product(cut: Tensor, matrix: Tensor) -> Tensor:
    """`cut [batch, frames, size]`, a view of overlapping frames, times `matrix [size, outputs]`."""
    return torch.cat([part @ matrix for part in cut.split(FRAMES_AT_ONCE, dim=1)], dim=1)
