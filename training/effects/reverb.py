"""Reverb from noise: a direct sound, early reflections, and a tail that dies away exponentially (Moorer 1979).

The noise comes from outside, so that the same piece of it gives the same room on every device.
"""

import math

import torch
from torch import Tensor

from training.effects.convolution import convolve

EARLY_SECONDS = 0.05
OUTLIER = 2.5  # standard deviations: the noise's few samples beyond it are the early reflections
OUTLIER_GAIN = 3.16  # they hold a tenth of the noise's power, and the early part is to have all of it
SILENCE_DB = 60.0


def room_impulse(
    noise: Tensor, rt60_seconds: Tensor, wet_db: Tensor, predelay_seconds: Tensor, sample_rate: int
) -> Tensor:
    """The response `[batch, taps]` of rooms made of `noise [batch, taps]` (unit variance); the rest `[batch]` each.

    The direct sound is 1 at tap 0; all else falls by 60 dB in `rt60_seconds`, then ends, and holds `wet_db` more
    energy than the direct sound (-inf: none). Reflections begin `predelay_seconds` after it.
    """
    seconds = torch.arange(noise.shape[1], device=noise.device) / sample_rate  # [taps]
    begins = predelay_seconds[:, None].clamp(min=1 / sample_rate)
    rate = -math.log(10) * SILENCE_DB / 20 / rt60_seconds  # nepers a second
    since = seconds - begins  # [batch, taps]
    early = OUTLIER_GAIN * noise * (noise.abs() > OUTLIER)
    wet = torch.where(since < EARLY_SECONDS, early, noise) * torch.exp(rate[:, None] * since)
    wet *= (since >= 0) & (since <= rt60_seconds[:, None])
    energy = wet.square().sum(dim=1).clamp(min=1e-12)
    wet *= (10 ** (wet_db / 20) / energy.sqrt())[:, None]
    wet[:, 0] += 1
    return wet


def room_taps(rt60_seconds: Tensor, predelay_seconds: Tensor, sample_rate: int) -> int:
    """How many taps the longest of these rooms needs."""
    return int((rt60_seconds + predelay_seconds).max() * sample_rate) + 2


def reverb(
    wave: Tensor,
    noise: Tensor,
    rt60_seconds: Tensor,
    wet_db: Tensor,
    predelay_seconds: Tensor,
    sample_rate: int,
) -> Tensor:
    """`wave [batch, samples]` in the room that `room_impulse` makes of the same parameters."""
    return convolve(wave, room_impulse(noise, rt60_seconds, wet_db, predelay_seconds, sample_rate))
