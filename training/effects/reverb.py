"""Reverb from noise: a direct sound, early reflections and an exponentially decaying tail (Moorer 1979).

The caller provides the noise, so the same noise gives the same room on every device.
"""

import math

import torch
from torch import Tensor

from training.effects.convolution import convolve

EARLY_SECONDS = 0.05
OUTLIER = 2.5  # standard deviations; the few noise samples beyond it become the early reflections
OUTLIER_GAIN = 3.16  # these samples hold a tenth of the noise's power; the gain restores the full power
SILENCE_DB = 60.0


def room_impulse(
    noise: Tensor, rt60_seconds: Tensor, wet_db: Tensor, predelay_seconds: Tensor, sample_rate: int
) -> Tensor:
    """Return room responses `[batch, taps]` made of `noise [batch, taps]` (unit variance); the rest is `[batch]`.

    The direct sound is 1 at tap 0. Reflections begin `predelay_seconds` later, fall by 60 dB in `rt60_seconds` and then end;
    their energy is `wet_db` relative to the direct sound (-inf: none).
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
    """Return the number of taps that the longest of these rooms needs."""
    return int((rt60_seconds + predelay_seconds).max() * sample_rate) + 2


def reverb(
    wave: Tensor,
    noise: Tensor,
    rt60_seconds: Tensor,
    wet_db: Tensor,
    predelay_seconds: Tensor,
    sample_rate: int,
) -> Tensor:
    """Apply the room of `room_impulse` with the same parameters to `wave [batch, samples]`."""
    return convolve(wave, room_impulse(noise, rt60_seconds, wet_db, predelay_seconds, sample_rate))
