"""Equaliser, low-pass and band limit: second-order sections after R. Bristow-Johnson's Audio EQ Cookbook.

A cascade of sections becomes one short impulse response, so it costs one FFT at any length.
"""

import math

import torch
from torch import Tensor

from training.effects.convolution import convolve

TAPS = 2048  # 128 ms at 16 kHz: by then the response of a filter from 40 Hz upwards is below -60 dB
SHELF_Q = math.sqrt(0.5)
BANDS = 5  # low shelf, three peaks, high shelf
HIGHEST = 0.45  # highest band frequency, as a fraction of the sample rate
LOW_PASS_ORDER = 4  # 24 dB an octave
BAND_LIMIT_ORDERS = (4, 8)  # below and above the band


def _section(numerator: list[Tensor], denominator: list[Tensor]) -> Tensor:
    """Stack coefficients to `[batch, section, 2, 3]`: numerator and denominator in powers of a one-sample delay."""
    return torch.stack([*numerator, *denominator], dim=-1).unflatten(-1, (2, 3))


def peak_sections(gain_db: Tensor, hz: Tensor, q: Tensor, sample_rate: int) -> Tensor:
    """Peaking filters of `gain_db` at `hz` with quality `q`, all `[batch, section]`."""
    angle, a = 2 * math.pi / sample_rate * hz, 10 ** (gain_db / 40)
    alpha, middle = angle.sin() / (2 * q), -2 * angle.cos()
    up, down = alpha * a, alpha / a
    return _section([1 + up, middle, 1 - up], [1 + down, middle, 1 - down])


def shelf_sections(gain_db: Tensor, hz: Tensor, side: Tensor, sample_rate: int) -> Tensor:
    """Shelves: `gain_db` below `hz` (side 1) or above it (side -1), half of that in dB at `hz`; all `[batch, section]`."""
    angle, a = 2 * math.pi / sample_rate * hz, 10 ** (gain_db / 40)
    cosine = side * angle.cos()
    slope = a.sqrt() * angle.sin() / SHELF_Q
    less, more = a + 1 - (a - 1) * cosine, a + 1 + (a - 1) * cosine
    rise, fall = a - 1 - (a + 1) * cosine, a - 1 + (a + 1) * cosine
    return _section(
        [a * (less + slope), 2 * side * a * rise, a * (less - slope)],
        [more + slope, -2 * side * fall, more - slope],
    )


def pass_sections(hz: Tensor, order: int, side: int, sample_rate: int) -> Tensor:
    """Butterworth low-pass (side 1) or high-pass (side -1), -3 dB at `hz [batch]`: `[batch, order / 2, 2, 3]`.

    A low-pass at half the sample rate or above and a high-pass at 0 Hz pass everything.
    """
    nyquist = sample_rate / 2
    is_open = (hz >= nyquist) if side == 1 else (hz <= 0)
    angle = 2 * math.pi / sample_rate * torch.where(is_open, nyquist / 2, hz)[:, None]
    damping = (math.pi / (2 * order) * torch.arange(1, order, 2, device=hz.device)).cos()  # [section]
    middle = (-2 * angle.cos()).expand(-1, len(damping))
    alpha, edge = angle.sin() * damping, 1 + side * middle / 2
    section = _section([edge / 2, side * edge, edge / 2], [1 + alpha, middle, 1 - alpha])
    through = hz.new_tensor([1.0, 0.0, 0.0])
    return torch.where(is_open[:, None, None, None], through, section)


def equaliser_sections(gain_db: Tensor, hz: Tensor, q: Tensor, sample_rate: int) -> Tensor:
    """Low shelf, peaks and high shelf of `gain_db`, `hz [batch, bands]`, and `q [batch, bands - 2]` for the peaks."""
    hz = hz.clamp(max=HIGHEST * sample_rate)
    side = hz.new_tensor([1.0, -1.0])
    shelves = shelf_sections(gain_db[:, [0, -1]], hz[:, [0, -1]], side, sample_rate)
    return torch.cat([shelves, peak_sections(gain_db[:, 1:-1], hz[:, 1:-1], q, sample_rate)], dim=1)


def low_pass_sections(cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    return pass_sections(cutoff_hz, LOW_PASS_ORDER, 1, sample_rate)


def band_limit_sections(low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    below, above = BAND_LIMIT_ORDERS
    low, high = pass_sections(low_hz, below, -1, sample_rate), pass_sections(high_hz, above, 1, sample_rate)
    return torch.cat([low, high], dim=1)


def impulse_of(sections: Tensor) -> Tensor:
    """Return the impulse response `[batch, TAPS]` of a cascade of `sections [batch, section, 2, 3]`."""
    delay = torch.arange(3, device=sections.device)[:, None]
    bins = torch.arange(TAPS // 2 + 1, device=sections.device)
    powers = torch.polar(torch.ones(3, len(bins), device=bins.device), -2 * math.pi / TAPS * delay * bins)
    response = torch.matmul(sections.to(powers.dtype), powers).prod(dim=1)  # [batch, 2, bins]
    return torch.fft.irfft(response[:, 0] / response[:, 1], TAPS)


def equalise(wave: Tensor, gain_db: Tensor, hz: Tensor, q: Tensor, sample_rate: int) -> Tensor:
    """Apply a five-band equaliser: `gain_db`, `hz [batch, 5]`, `q [batch, 3]`. A gain of 0 dB leaves its band unchanged."""
    return convolve(wave, impulse_of(equaliser_sections(gain_db, hz, q, sample_rate)))


def low_pass(wave: Tensor, cutoff_hz: Tensor, sample_rate: int) -> Tensor:
    """Low-pass: -3 dB at `cutoff_hz [batch]`, 24 dB per octave; half the sample rate or more passes everything."""
    return convolve(wave, impulse_of(low_pass_sections(cutoff_hz, sample_rate)))


def band_limit(wave: Tensor, low_hz: Tensor, high_hz: Tensor, sample_rate: int) -> Tensor:
    """Keep the band `low_hz`…`high_hz` (`[batch]` each); 0 to half the sample rate passes everything."""
    return convolve(wave, impulse_of(band_limit_sections(low_hz, high_hz, sample_rate)))
