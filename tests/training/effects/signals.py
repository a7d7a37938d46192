"""Sounds that the effects are tested on, and how much of a frequency is in a sound."""

import math

import torch
from torch import Tensor

RATE = 16_000


def sine(hz: float, seconds: float = 1.0, peak: float = 0.5) -> Tensor:
    """`[1, samples]`; the phase is computed in double precision."""
    turns = torch.arange(round(seconds * RATE), dtype=torch.float64) * hz / RATE
    return (peak * torch.sin(2 * math.pi * turns)).float()[None]


def noise(batch: int = 1, seconds: float = 1.0, seed: int = 0) -> Tensor:
    """White noise, RMS 0.1."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(batch, round(seconds * RATE), generator=generator)


def click(samples: int = RATE, at: int = 0) -> Tensor:
    wave = torch.zeros(1, samples)
    wave[0, at] = 1.0
    return wave


def gain_db(response: Tensor, hz: float) -> float:
    """What an impulse response `[1, RATE]` does at a whole frequency."""
    spectrum = torch.fft.rfft(response[0].double(), RATE)
    return float(20 * spectrum[round(hz)].abs().clamp(min=1e-12).log10())


def rms_db(wave: Tensor) -> Tensor:
    """Of each row, `[batch]`."""
    return 20 * wave.double().square().mean(dim=1).sqrt().clamp(min=1e-12).log10()


def each(value: float, batch: int = 1) -> Tensor:
    """One parameter for every item, `[batch]`."""
    return torch.full((batch,), value)
