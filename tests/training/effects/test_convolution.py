"""Convolution: equal to the direct sum, in blocks and whole, and nothing wraps around."""

import numpy as np
import pytest
import torch

from tests.training.effects.signals import click, noise
from training.effects.convolution import convolve, fast_size


@pytest.mark.parametrize("samples", [50, 1_000, 16_000])
@pytest.mark.parametrize("taps", [1, 64, 3_000])
def test_it_is_the_sum_it_stands_for(samples: int, taps: int) -> None:
    wave, impulse = noise(2, samples / 16_000), noise(2, taps / 16_000, seed=1)
    fast = convolve(wave, impulse)
    for row in range(2):
        slow = np.convolve(wave[row].double().numpy(), impulse[row].double().numpy())[:samples]
        assert np.abs(fast[row].numpy() - slow).max() < 1e-5


@pytest.mark.parametrize("taps", [64, 3_000])
def test_what_rings_beyond_the_end_does_not_come_back(taps: int) -> None:
    out = convolve(click(4_000, at=3_990), torch.ones(1, taps))
    assert out[0, :3_990].abs().max() < 1e-6
    assert torch.allclose(out[0, 3_990:], torch.ones(10), atol=1e-6)


def test_fast_sizes_are_long_enough_and_round() -> None:
    for least in (1, 17, 8_192, 80_001, 105_000):
        size = fast_size(least)
        assert least <= size < 1.2 * least + 16
        for factor in (2, 3, 5):
            while size % factor == 0:
                size //= factor
        assert size == 1
