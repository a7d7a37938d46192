"""Convolution by FFT (overlap-save): block by block for short responses, in one transform for long ones.

Every transform is long enough that nothing wraps around into the samples that are kept.
"""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

BLOCK_TAPS = 4  # block length in units of the response's length: small transforms stay in the cache


@cache
def fast_size(least: int) -> int:
    """Return the smallest FFT length ≥ `least` that is a multiple of 16 and has no prime factor above 5."""
    size = -(-least // 16) * 16
    while largest_prime_factor(size) > 5:
        size += 16
    return size


@cache
def largest_prime_factor(number: int) -> int:
    largest, factor = 1, 2
    while factor * factor <= number:
        if number % factor:
            factor += 1
        else:
            number //= factor
            largest = factor
    return max(largest, number)


def convolve(wave: Tensor, impulse: Tensor) -> Tensor:
    """Convolve each `wave [batch, samples]` with its own response `impulse [batch, taps]`; the length stays."""
    samples, taps = wave.shape[1], impulse.shape[1]
    size = fast_size(min(samples + taps, BLOCK_TAPS * taps))
    step = size - taps
    if 2 * step > samples:  # blocks would not pay
        size = fast_size(samples + taps)
        step = size - taps
    blocks = functional.pad(wave, (taps, -samples % step)).unfold(1, size, step)  # [batch, block, size]
    spectrum = torch.fft.rfft(blocks)
    spectrum *= torch.fft.rfft(impulse, size)[:, None]
    return torch.fft.irfft(spectrum, size)[..., taps:].flatten(1)[:, :samples]
