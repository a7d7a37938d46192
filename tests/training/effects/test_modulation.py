"""Vibrato, chorus, echo and amplifier do to known signals what their parameters say."""

import math

import pytest
import torch

from tests.training.effects.signals import RATE, click, each, noise, sine
from training.effects.modulation import CHORUS_SECONDS, MAX_ECHOES, amplify, chorus, echo, read_at, vibrate


@pytest.mark.parametrize("late", [0.0, 3.0, 40.0, 9_000.0])
def test_whole_samples_are_read_exactly(late: float) -> None:
    wave = noise(2)
    read = read_at(wave, torch.full_like(wave, late))
    begin = int(late)
    assert torch.allclose(read[:, begin:], wave[:, : RATE - begin], atol=1e-6)
    assert not read[:, :begin].any()


def test_between_samples_a_slow_sine_is_read_nearly_exactly() -> None:
    wave = sine(500)
    read = read_at(wave, torch.full_like(wave, 10.5))[0, 20:-20]
    turns = (torch.arange(RATE, dtype=torch.float64) - 10.5) * 500 / RATE
    assert (read - 0.5 * torch.sin(2 * math.pi * turns)[20:-20]).abs().max() < 1e-3


@pytest.mark.parametrize("cents", [10.0, 50.0])
@pytest.mark.parametrize("hz", [1.0, 6.0])
def test_vibrato_reaches_its_depth_and_no_more(cents: float, hz: float) -> None:
    """Measured by the turns between zero crossings of a sine, ten at a time."""
    wave = vibrate(sine(2_000, seconds=2.0), each(cents), each(hz), each(0.0), RATE)[0]
    up = ((wave[:-1] < 0) & (wave[1:] >= 0)).nonzero()[:, 0]
    exact = up + wave[up].abs() / (wave[up + 1] - wave[up])
    pitch = 1200 * torch.log2(10 / (exact[10:] - exact[:-10]) * RATE / 2_000)
    assert pitch.max() == pytest.approx(cents, rel=0.1)
    assert pitch.min() == pytest.approx(-cents, rel=0.1)


def test_a_chorus_adds_one_voice_within_its_reach() -> None:
    depth = 0.004
    wave = chorus(click(at=4_000), each(-6.0), each(depth), each(1.0), each(0.3), RATE)[0]
    assert wave[4_000] == 1.0
    heard = (wave.abs() > 0.05).nonzero()[1:, 0] - 4_000
    assert len(heard) > 0
    reach = torch.tensor([CHORUS_SECONDS - depth, CHORUS_SECONDS + depth]) * RATE
    assert reach[0] - 2 <= heard.min()
    assert heard.max() <= reach[1] + 2


def test_echoes_come_at_their_times_and_levels() -> None:
    wave = echo(click(), each(0.1), each(-6.0), each(0.5), RATE)[0]
    at = wave.nonzero()[:, 0]
    assert at.tolist() == [1_600 * repeat for repeat in range(MAX_ECHOES + 1)]
    levels = 20 * wave[at[1:]].log10()
    assert torch.allclose(levels, -6 - 6.0206 * torch.arange(MAX_ECHOES), atol=1e-3)


def test_an_amplifier_adds_overtones_below_its_loudspeakers_end() -> None:
    wave = amplify(sine(500), each(40.0), each(3_000.0), RATE)[0]
    spectrum = torch.fft.rfft(wave.double()).abs()
    assert spectrum[1_500] > 0.05 * spectrum[500]
    assert spectrum[6_500] < 1e-3 * spectrum[500]
