"""Properties of every effect: no depth changes nothing, odd input stays finite, items do not mix, input is unchanged."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.training.effects.signals import RATE, each, noise, sine
from training.effects.config import BANDS, Codec, Compressor, Equaliser, Reverb
from training.effects.dynamics import compress, saturate
from training.effects.filters import band_limit, equalise, low_pass
from training.effects.modulation import amplify, chorus, echo, vibrate
from training.effects.noise import ROOM, NoiseStore, add_codec_noise, add_noise
from training.effects.reverb import reverb
from training.effects.shifts import delay, shift_pitch

Effect = Callable[[Tensor, Tensor], Tensor]  # wave and depth 0…1 of each item
STORE = NoiseStore(RATE)
NYQUIST = RATE / 2


def drawn(config: Equaliser | Reverb | Compressor | Codec, batch: int) -> dict[str, Tensor]:
    """Return the first items of one draw, so that an item has the same parameters in every batch."""
    return {key: value[:batch] for key, value in config.draw(8, torch.Generator().manual_seed(3)).items()}


def cut(wave: Tensor, colour: int, place: Tensor | None = None) -> Tensor:
    place = torch.linspace(0, 0.9, 8)[: len(wave)] if place is None else place
    return STORE.take(torch.full((len(wave),), colour), place, wave.shape[1], torch.device("cpu"))


def in_decibels(depth: Tensor, deepest_db: float) -> Tensor:
    """`deepest_db` at depth 1, no signal at all at 0."""
    return torch.where(depth > 0, deepest_db * depth, -math.inf)


def equaliser(wave: Tensor, depth: Tensor) -> Tensor:
    parameters = drawn(Equaliser(), len(wave))
    return equalise(
        wave, **parameters | {"gain_db": parameters["gain_db"] * depth[:, None]}, sample_rate=RATE
    )


def low_passed(wave: Tensor, depth: Tensor) -> Tensor:
    return low_pass(wave, NYQUIST - 6_000 * depth, RATE)


def band_limited(wave: Tensor, depth: Tensor) -> Tensor:
    return band_limit(wave, 300 * depth, NYQUIST - 4_600 * depth, RATE)


def reverberant(wave: Tensor, depth: Tensor) -> Tensor:
    parameters = drawn(Reverb(rt60_seconds=(0.2, 0.9)), len(wave))
    room = cut(wave, ROOM, parameters.pop("place"))
    return reverb(wave, room, **parameters | {"wet_db": in_decibels(depth, -3.0)}, sample_rate=RATE)


def compressed(wave: Tensor, depth: Tensor) -> Tensor:
    changed = {"threshold_db": each(-30.0, len(wave)), "ratio": 1 + 7 * depth, "makeup_db": 6 * depth}
    return compress(wave, **drawn(Compressor(), len(wave)) | changed, sample_rate=RATE)


def saturated(wave: Tensor, depth: Tensor) -> Tensor:
    return saturate(wave, 20 * depth)


def pitched(wave: Tensor, depth: Tensor) -> Tensor:
    return shift_pitch(wave, 50 * depth)


def delayed(wave: Tensor, depth: Tensor) -> Tensor:
    return delay(wave, (1_000 * depth).long())


def vibrating(wave: Tensor, depth: Tensor) -> Tensor:
    return vibrate(wave, 40 * depth, each(5.0, len(wave)), each(0.2, len(wave)), RATE)


def chorused(wave: Tensor, depth: Tensor) -> Tensor:
    moving = each(0.004, len(wave)), each(1.0, len(wave)), each(0.2, len(wave))
    return chorus(wave, in_decibels(depth, -3.0), *moving, RATE)


def echoing(wave: Tensor, depth: Tensor) -> Tensor:
    return echo(wave, each(0.01, len(wave)), in_decibels(depth, -3.0), each(0.5, len(wave)), RATE)


def amplified(wave: Tensor, depth: Tensor) -> Tensor:
    return amplify(wave, 30 * depth, NYQUIST - 4_000 * depth, RATE)


def noisy(wave: Tensor, depth: Tensor) -> Tensor:
    return add_noise(wave, cut(wave, 1), -in_decibels(depth, -20.0))


def coded(wave: Tensor, depth: Tensor) -> Tensor:
    return add_codec_noise(wave, cut(wave, 0), -in_decibels(depth, -20.0))


EFFECTS: list[Effect] = [
    equaliser,
    low_passed,
    band_limited,
    reverberant,
    compressed,
    saturated,
    pitched,
    delayed,
    vibrating,
    chorused,
    echoing,
    amplified,
    noisy,
    coded,
]
every_effect = pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: effect.__name__)


@every_effect
def test_no_depth_is_the_identity(effect: Effect) -> None:
    wave = torch.cat([noise(2), sine(440, peak=1.0), torch.zeros(1, RATE), torch.ones(1, RATE)])
    assert (effect(wave, each(0.0, 5)) - wave).abs().max() <= 1e-6


@every_effect
def test_depth_does_something(effect: Effect) -> None:
    wave = noise(2)
    assert (effect(wave, each(1.0, 2)) - wave).square().mean() > 1e-3 * wave.square().mean()


@every_effect
@pytest.mark.parametrize("level", [0.0, 1e-30, 1.0, -1.0, 1e4])
def test_odd_input_stays_finite(effect: Effect, level: float) -> None:
    flat = torch.full((2, RATE), level)
    square = level * sine(100).sign().expand(2, -1)
    for wave in (flat, square):
        assert effect(wave, each(1.0, 2)).isfinite().all()


@every_effect
def test_silence_stays_silent(effect: Effect) -> None:
    assert not effect(torch.zeros(2, RATE), each(1.0, 2)).any()


@every_effect
def test_a_batch_of_one_equals_a_batch_of_many(effect: Effect) -> None:
    wave = torch.cat([noise(1), sine(300), noise(1, seed=1)])
    depth = torch.tensor([0.4, 1.0, 0.0])
    whole = effect(wave, depth)
    for last in range(3):
        part = effect(wave[: last + 1], depth[: last + 1])
        assert torch.allclose(part, whole[: last + 1], atol=1e-6)


@every_effect
def test_the_input_is_left_alone(effect: Effect) -> None:
    wave = noise(2)
    before = wave.clone()
    effect(wave, each(1.0, 2))
    assert torch.equal(wave, before)


@every_effect
def test_the_length_stays(effect: Effect) -> None:
    for samples in (333, 4_000, 16_001):
        assert effect(noise(2)[:, :1].expand(2, samples).contiguous(), each(1.0, 2)).shape == (2, samples)


def test_equaliser_bands_are_as_many_as_drawn() -> None:
    assert drawn(Equaliser(), 3)["hz"].shape == (3, BANDS)
