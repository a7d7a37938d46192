"""Small shifts of pitch and time, as of a tape that runs fast and a player who enters late.

Pitch is shifted by resampling, as on a tape, so the duration changes too: 50 cents are 3 %.
"""

import math
from bisect import bisect_left
from functools import cache, lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from training.effects.convolution import largest_prime_factor

FADE = 4  # neighbouring blocks overlap by 1 / FADE of their length
BLOCKS = range(8_000, 11_001, FADE)  # half a second at 16 kHz, cheap to transform
LARGEST_FACTOR = 13  # of a transform's length
LARGEST_SPEED = 1.1


@cache
def _tapes() -> list[tuple[float, int, int]]:
    """Return every shift in cents that two fast block lengths give, ascending, with the lengths."""
    lengths = range(BLOCKS.start, round(BLOCKS.stop * LARGEST_SPEED), FADE)
    fast = [length for length in lengths if largest_prime_factor(length) <= LARGEST_FACTOR]
    pairs = ((before, after) for before in fast for after in fast if min(before, after) in BLOCKS)
    return sorted((1200 * math.log2(before / after), before, after) for before, after in pairs)


def tape_blocks(cents: float) -> tuple[int, int]:
    """Return a block's length before and after playing it faster by `cents`: fast to transform, exact within a cent."""
    tapes = _tapes()
    place = bisect_left(tapes, (cents, 0, 0))
    nearest = min(tapes[max(place - 1, 0) : place + 1], key=lambda tape: abs(tape[0] - cents))
    return nearest[1:]


@lru_cache(maxsize=256)
def _window(samples: int, device: torch.device) -> Tensor:
    """Return a window `[samples]` whose overlapping fades add up to one."""
    fade = torch.hann_window(2 * samples // FADE, device=device)
    window = torch.ones(samples, device=device)
    window[: samples // FADE], window[-samples // FADE :] = fade.chunk(2)
    return window


def _resample(wave: Tensor, before: int, after: int) -> Tensor:
    """Resample `wave [samples]` to `after` samples for every `before`; some silence follows at the end.

    The spectrum of each windowed block is transformed back to the other length, which is exact up to the band edge; the
    blocks are then overlapped and added.
    """
    overlap, step = before // FADE, before - before // FADE
    padded = functional.pad(wave, (overlap, overlap + -(len(wave) + overlap) % step))
    blocks = padded.unfold(0, before, step) * _window(before, wave.device)  # [block, before]
    resampled = torch.fft.irfft(torch.fft.rfft(blocks), after)  # [block, after]
    overlap, step = after // FADE, after - after // FADE
    bodies, tails = resampled.split([step, overlap], dim=1)
    bodies[1:, :overlap] += tails[:-1]
    return bodies.flatten()[overlap:].mul_(after / before)


def shift_pitch(wave: Tensor, cents: Tensor) -> Tensor:
    """Play each `wave [batch, samples]` faster by `cents [batch]` (slower if negative; at most 150), exact within a cent.

    The length stays: a slower clip is cut, a faster one is followed by silence.
    """
    shifted = torch.zeros_like(wave)
    for row, shift in enumerate(cents.tolist()):
        resampled = _resample(wave[row], *tape_blocks(shift))[: wave.shape[1]]
        shifted[row, : len(resampled)] = resampled
    return shifted


def delay(wave: Tensor, by_samples: Tensor) -> Tensor:
    """Move each `wave [batch, samples]` later by `by_samples [batch]` (earlier if negative); zeros fill the gap."""
    samples = wave.shape[1]
    delayed = torch.zeros_like(wave)
    for row, by in enumerate(by_samples.tolist()):
        begin, end = max(by, 0), samples + min(by, 0)
        if begin < end:
            delayed[row, begin:end] = wave[row, begin - by : end - by]
    return delayed
