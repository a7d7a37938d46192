"""Reverb: energy decays by 60 dB in the requested time, the wet level is in dB, and the direct sound comes first."""

import math

import pytest
import torch
from torch import Tensor

from tests.training.effects.signals import RATE, click, each
from training.effects.noise import ROOM, NoiseStore
from training.effects.reverb import reverb, room_impulse, room_taps

ROOMS = 8
STORE = NoiseStore(RATE)


def rooms(rt60_seconds: float, wet_db: float = 0.0, predelay_seconds: float = 0.0) -> Tensor:
    """Responses of several rooms with the same parameters, `[ROOMS, taps]`."""
    rt60, predelay = each(rt60_seconds, ROOMS), each(predelay_seconds, ROOMS)
    place = torch.linspace(0, 0.99, ROOMS)
    colour = torch.full((ROOMS,), ROOM)
    noise = STORE.take(colour, place, room_taps(rt60, predelay, RATE), torch.device("cpu"))
    return room_impulse(noise, rt60, each(wet_db, ROOMS), predelay, RATE)


def decay_seconds(response: Tensor) -> float:
    """RT60 from the slope of the remaining energy between -5 and -35 dB (ISO 3382)."""
    left = response.double().square().flip(0).cumsum(0).flip(0)
    level = 10 * (left / left[0]).clamp(min=1e-12).log10()
    part = ((level < -5) & (level > -35)).nonzero()[:, 0].double()
    y = level[part.long()]
    slope = ((part - part.mean()) * (y - y.mean())).sum() / (part - part.mean()).square().sum()
    return float(-60 / slope / RATE)


@pytest.mark.parametrize("rt60_seconds", [0.2, 0.5, 1.0, 1.5])
def test_energy_decays_as_asked(rt60_seconds: float) -> None:
    for response in rooms(rt60_seconds):
        wet = response.clone()
        wet[0] -= 1
        assert decay_seconds(wet) == pytest.approx(rt60_seconds, rel=0.15)


@pytest.mark.parametrize("wet_db", [-20.0, 0.0, 6.0])
def test_the_wet_level_is_in_decibels(wet_db: float) -> None:
    for response in rooms(0.6, wet_db):
        assert float(response[0]) == pytest.approx(1)
        assert float(10 * response[1:].double().square().sum().log10()) == pytest.approx(wet_db, abs=0.1)


def test_reflections_begin_after_the_predelay() -> None:
    for response in rooms(0.5, predelay_seconds=0.02):
        silent = round(0.02 * RATE) - 1
        assert not response[1:silent].any()
        assert response[silent : silent + 800].any()


def test_early_reflections_are_few_and_the_tail_is_dense() -> None:
    for response in rooms(0.8):
        early, late = response[1:800], response[801:1600]
        assert 0 < int((early != 0).sum()) < 80
        assert int((late != 0).sum()) == len(late)


def test_the_wave_is_heard_in_the_room() -> None:
    noise = STORE.take(torch.tensor([ROOM]), torch.tensor([0.5]), 8_002, torch.device("cpu"))
    parameters = (noise, each(0.5), each(-6.0), each(0.01))
    heard = reverb(click(12_000, at=100), *parameters, RATE)
    assert torch.allclose(heard[0, 100:8_102], room_impulse(*parameters, RATE)[0], atol=1e-6)
    assert heard[0, :100].abs().max() < 1e-6


def test_no_wet_level_leaves_the_direct_sound() -> None:
    for response in rooms(0.5, -math.inf):
        assert torch.equal(response, click(len(response))[0])
