"""Moving delays: vibrato and tape flutter, chorus, echo; and the amplifier that a guitar plays through.

All are what a player or a pedal adds before the desk. Zölzer (ed.) 2011, "DAFX", chapter 2, describes the delays.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.effects.dynamics import saturate
from training.effects.filters import low_pass

CHORUS_SECONDS = 0.012  # the middle of a chorus's moving delay
MAX_ECHOES = 6
BEFORE = 4  # zeros before the wave


def read_at(wave: Tensor, late: Tensor) -> Tensor:
    """Read `wave [batch, samples]` later by `late [batch, samples]` samples, between samples by a cubic; zeros before it.

    `late` is not negative. The cubic is Catmull and Rom's (1974): exact at whole samples.
    """
    padded = functional.pad(wave, (BEFORE, 2))
    whole = late.floor()
    x = whole.sub(late).add_(1)  # of the way from one sample to the next
    tap = torch.arange(BEFORE - 1, BEFORE - 1 + wave.shape[1], device=wave.device) - whole.long()
    tap = tap.clamp_(min=1)  # all four samples around a place before the wave are zeros
    before, left, right, after = (padded.gather(1, tap + step) for step in (-1, 0, 1, 2))
    slope_left, slope_right = right.sub(before).mul_(0.5), after.sub_(left).mul_(0.5)
    rise = right.sub_(left)
    square = rise.mul(3).sub_(slope_left, alpha=2).sub_(slope_right)
    cubic = slope_right.add_(slope_left).sub_(rise, alpha=2)
    return cubic.mul_(x).add_(square).mul_(x).add_(slope_left).mul_(x).add_(left)


def sway(hz: Tensor, phase: Tensor, samples: int, sample_rate: int) -> Tensor:
    """A sine of 0…1 of frequency `hz [batch]` from `phase [batch]` (0…1 of a turn): `[batch, samples]`."""
    turns = torch.arange(samples, device=hz.device) / sample_rate * hz[:, None] + phase[:, None]
    return 0.5 - 0.5 * torch.cos(2 * math.pi * turns)


def vibrate(wave: Tensor, cents: Tensor, hz: Tensor, phase: Tensor, sample_rate: int) -> Tensor:
    """Vary the pitch of `wave [batch, samples]` by ±`cents`, `hz` times a second (each `[batch]`); 0 cents change nothing."""
    depth = (
        (2 ** (cents / 1200) - 1) / (math.pi * hz) * sample_rate
    )  # samples; the pitch follows the delay's slope
    return read_at(wave, depth[:, None] * sway(hz, phase, wave.shape[1], sample_rate))


def chorus(
    wave: Tensor, wet_db: Tensor, depth_seconds: Tensor, hz: Tensor, phase: Tensor, sample_rate: int
) -> Tensor:
    """Add a second voice: `wave [batch, samples]` later by 12 ms ± `depth_seconds`, moving `hz` times a second.

    `wet_db` is its level relative to the first voice. All parameters are `[batch]`.
    """
    moving = CHORUS_SECONDS + depth_seconds[:, None] * (2 * sway(hz, phase, wave.shape[1], sample_rate) - 1)
    return wave + 10 ** (wet_db[:, None] / 20) * read_at(wave, moving * sample_rate)


def echo(wave: Tensor, seconds: Tensor, wet_db: Tensor, feedback: Tensor, sample_rate: int) -> Tensor:
    """Repeat `wave [batch, samples]` every `seconds`: first at `wet_db`, then each time by `feedback` (0…1) softer.

    At most six repeats are heard. All parameters are `[batch]`, on the CPU.
    """
    out, samples = wave.clone(), wave.shape[1]
    steps = (seconds * sample_rate).round().long().clamp(min=1).tolist()
    levels = (10 ** (wet_db[:, None] / 20) * feedback[:, None] ** torch.arange(MAX_ECHOES)).tolist()
    for row, (step, heard) in enumerate(zip(steps, levels, strict=True)):
        for repeat, level in enumerate(heard[: (samples - 1) // step], 1):
            out[row, repeat * step :] += level * wave[row, : samples - repeat * step]
    return out


def amplify(wave: Tensor, drive_db: Tensor, cabinet_hz: Tensor, sample_rate: int) -> Tensor:
    """Distort `wave [batch, samples]` by `drive_db`, as a valve does, then pass a loudspeaker that ends at `cabinet_hz`.

    Both are `[batch]`. The RMS before the loudspeaker stays.
    """
    return low_pass(saturate(wave, drive_db), cabinet_hz, sample_rate)
