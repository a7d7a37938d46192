"""Shifts: a sine moves by the requested cents, a click by the requested samples, and no artefacts are added."""

import math

import pytest
import torch

from tests.training.effects.signals import RATE, click, each, noise, rms_db, sine
from training.effects.shifts import delay, shift_pitch, tape_blocks


def frequency(wave: torch.Tensor) -> float:
    """Frequency of the strongest partial, from a parabola through the spectrum's peak."""
    size = 1 << 20
    spectrum = torch.fft.rfft(wave[0].double() * torch.hann_window(wave.shape[1], dtype=torch.float64), size)
    power = spectrum.abs().log()
    place = int(power.argmax())
    left, middle, right = power[place - 1 : place + 2].tolist()
    return (place + 0.5 * (left - right) / (left - 2 * middle + right)) * RATE / size


@pytest.mark.parametrize("cents", [-50.0, -7.0, 12.5, 50.0])
@pytest.mark.parametrize("hz", [220.0, 3000.0])
def test_a_sine_moves_by_the_asked_cents(hz: float, cents: float) -> None:
    wave = sine(hz, 5.0)
    moved = shift_pitch(wave, each(cents))[:, RATE : 4 * RATE]
    assert 1200 * math.log2(frequency(moved) / hz) == pytest.approx(cents, abs=1)
    assert float(rms_db(moved)) == pytest.approx(float(rms_db(wave)), abs=0.01)


def test_any_shift_is_met_within_a_cent() -> None:
    for tenth in range(-1000, 1001, 7):
        before, after = tape_blocks(tenth / 10)
        assert 1200 * math.log2(before / after) == pytest.approx(tenth / 10, abs=1)


@pytest.mark.parametrize("cents", [-50.0, 50.0])
def test_resampling_adds_nothing_of_its_own(cents: float) -> None:
    before, after = tape_blocks(cents)
    moved = shift_pitch(sine(1000, 5.0), each(cents))
    expected = sine(1000 * before / after, 5.0)
    middle = slice(RATE // 2, 4 * RATE)
    assert float(rms_db((moved - expected)[:, middle]) - rms_db(expected[:, middle])) < -80


def test_time_stretches_with_pitch() -> None:
    wave = click(5 * RATE, at=4 * RATE)
    for cents in (-50.0, 50.0):
        moved = shift_pitch(wave, each(cents))
        assert int(moved[0].abs().argmax()) == pytest.approx(4 * RATE / 2 ** (cents / 1200), abs=40)
    moved = shift_pitch(noise(1, 5.0), each(50.0))
    assert float(rms_db(moved[:, -2200:])) < -60  # silence follows a faster clip
    assert float(rms_db(moved[:, :-2400])) > -21


@pytest.mark.parametrize("samples", [0, 1, 999, -1, -500])
def test_a_click_moves_by_the_asked_samples(samples: int) -> None:
    moved = delay(click(4_000, at=1_000), torch.tensor([samples]))
    assert torch.equal(moved, click(4_000, at=1_000 + samples))


def test_what_leaves_does_not_come_back() -> None:
    wave = torch.ones(3, 100)
    moved = delay(wave, torch.tensor([30, -30, 1_000]))
    assert torch.equal(moved[0], torch.cat([torch.zeros(30), torch.ones(70)]))
    assert torch.equal(moved[1], moved[0].flip(0))
    assert not moved[2].any()
