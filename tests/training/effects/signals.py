"""Test signals for the effects, and measurements of level and gain."""

import math

import torch
from torch import Tensor

RATE = 16_000


def sine(hz: float, seconds: float = 1.0, peak: float = 0.5) -> Tensor:
    """A sine `[1, samples]`; its phase is computed in double precision."""
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
    """Gain of an impulse response `[1, RATE]` at a frequency in whole hertz."""
    spectrum = torch.fft.rfft(response[0].double(), RATE)
    return float(20 * spectrum[round(hz)].abs().clamp(min=1e-12).log10())


def rms_db(wave: Tensor) -> Tensor:
    """Level of each row, `[batch]`."""
    return 20 * wave.double().square().mean(dim=1).sqrt().clamp(min=1e-12).log10()


def each(value: float, batch: int = 1) -> Tensor:
    """The same parameter for every item, `[batch]`."""
    return torch.full((batch,), value)
