"""Effect chains: the generator alone decides, only chosen items change, and a loop over items and effects agrees."""

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from tests.training.effects.signals import RATE, noise
from training.effects.chain import CPU_ROWS, PEDALS, Chain, Effects
from training.effects.config import ChainConfig, EffectsConfig, Equaliser, Reverb
from training.effects.dynamics import compress, saturate
from training.effects.filters import band_limit, equalise, low_pass
from training.effects.modulation import echo
from training.effects.noise import ROOM, NoiseStore, add_codec_noise, add_noise, rms
from training.effects.reverb import reverb
from training.effects.shifts import delay, shift_pitch

NAMES = [field.name for field in fields(ChainConfig)]
STORE = NoiseStore(RATE)
ITEMS = CPU_ROWS + 5
CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chain(probability: float, *names: str) -> Chain:
    config = ChainConfig.from_dict({name: {"probability": probability} for name in names or NAMES})
    return Chain(config, RATE, STORE)


def test_the_generator_decides() -> None:
    wave, each = noise(ITEMS), chain(0.5)
    assert torch.equal(each(wave, generator(1)), each(wave, generator(1)))
    assert not torch.equal(each(wave, generator(1)), each(wave, generator(2)))


def test_without_effects_nothing_is_drawn_and_nothing_changes() -> None:
    effects, wave, source = Effects(EffectsConfig(), RATE), noise(3), generator()
    assert effects.stems(wave, source) is wave
    assert effects.mixture(wave, source) is wave
    assert torch.equal(source.get_state(), generator().get_state())


def test_the_input_is_left_alone() -> None:
    wave = noise(ITEMS)
    before = wave.clone()
    assert not torch.equal(chain(1.0)(wave, generator()), wave)
    assert torch.equal(wave, before)


@pytest.mark.parametrize("name", NAMES)
def test_only_chosen_items_change(name: str) -> None:
    wave, each = noise(ITEMS), chain(0.5, name)
    drawn = each.draw(ITEMS, generator())
    changed = (each.apply_(wave.clone(), drawn) != wave).any(dim=1)
    assert torch.equal(changed, drawn.chosen[name])
    assert 0 < int(changed.sum()) < ITEMS


def test_effects_occur_as_often_as_asked() -> None:
    drawn = chain(0.3).draw(4_000, generator())
    for chosen in drawn.chosen.values():
        assert float(chosen.float().mean()) == pytest.approx(0.3, abs=0.03)
    either = drawn.chosen["noise"] | drawn.chosen["codec"]
    assert torch.equal(drawn.has_any("noise", "codec"), either)
    assert not drawn.select(torch.arange(5), ["noise"]).has_any("codec").any()


def one_after_the_other(wave: Tensor, row: int, each: Chain) -> Tensor:
    """Reference: apply the effects to one item, one after the other, each by its own function."""
    drawn = each.draw(ITEMS, generator(4)).select(torch.tensor([row]))
    samples = wave.shape[1]
    for name, p in drawn.parameters.items():
        if not drawn.chosen[name]:
            continue
        if name == "pitch":
            wave = shift_pitch(wave, p["cents"])
        elif name == "delay":
            wave = delay(wave, (p["seconds"] * RATE).round().long())
        elif name in PEDALS:
            wave = PEDALS[name](wave, **p, sample_rate=RATE)
        elif name == "echo":
            wave = echo(wave, **p, sample_rate=RATE)
        elif name == "equaliser":
            wave = equalise(wave, **p, sample_rate=RATE)
        elif name == "low_pass":
            wave = low_pass(wave, **p, sample_rate=RATE)
        elif name == "reverb":
            room = STORE.take(torch.tensor([ROOM]), p.pop("place"), 3 * RATE, CPU)
            wave = reverb(wave, room, **p, sample_rate=RATE)
        elif name == "compressor":
            relative = {"threshold_db": p["threshold_db"] + 20 * rms(wave)[0].log10()}
            wave = compress(wave, **p | relative, sample_rate=RATE)
        elif name == "saturation":
            wave = saturate(wave, **p)
        elif name == "noise":
            wave = add_noise(wave, STORE.take(p["colour"], p["place"], samples, CPU), p["snr_db"])
        else:
            white = STORE.take(torch.tensor([0]), p["place"], samples, CPU)
            wave = add_codec_noise(band_limit(wave, p["low_hz"], p["high_hz"], RATE), white, p["snr_db"])
    return wave


@pytest.mark.parametrize("probability", [0.4, 1.0])
def test_a_chain_equals_its_effects_one_after_the_other(probability: float) -> None:
    wave, each = noise(ITEMS), chain(probability)
    fast = each(wave, generator(4))
    for row in range(ITEMS):
        slow = one_after_the_other(wave[row : row + 1], row, each)
        assert (fast[row] - slow[0]).abs().max() < 1e-3 * slow.abs().max()


def test_a_small_room_does_not_cut_the_filters_short() -> None:
    config = ChainConfig(
        equaliser=Equaliser(1.0, gain_db=(12, 12)),
        reverb=Reverb(1.0, rt60_seconds=(0.02, 0.02), wet_db=(-120, -120)),
    )
    wave, plain = noise(2), ChainConfig(equaliser=config.equaliser)
    drawn = Chain(config, RATE, STORE).draw(2, generator())
    small, none = (
        Chain(each, RATE, STORE).apply_(wave.clone(), drawn.select(torch.arange(2), names))
        for each, names in ((config, ("equaliser", "reverb")), (plain, ("equaliser",)))
    )
    assert torch.allclose(small, none, atol=1e-5)


def test_items_do_not_depend_on_their_neighbours() -> None:
    wave, each = noise(ITEMS), chain(0.6)
    drawn = each.draw(ITEMS, generator())
    whole = each.apply_(wave.clone(), drawn)
    part = torch.tensor([3, ITEMS - 1])
    assert torch.allclose(each.apply_(wave[part], drawn.select(part)), whole[part], atol=1e-5)


def test_odd_items_stay_finite() -> None:
    wave = torch.cat([torch.zeros(1, RATE), torch.ones(1, RATE), 1e3 * noise(1).sign(), noise(1)])
    out = chain(1.0)(wave, generator())
    assert out.isfinite().all()
    assert not out[0].any()


def test_lower_precision_around_it_changes_nothing() -> None:
    wave, each = noise(4), chain(1.0)
    exact = each(wave, generator())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(each(wave, generator()), exact)


def test_drawn_effects_are_described_in_plain_numbers() -> None:
    config = ChainConfig(reverb=Reverb(1.0, rt60_seconds=(0.5, 0.5), wet_db=(-9, -9)))
    told = Chain(config, RATE, STORE).draw(2, generator()).describe(1)
    assert set(told) == {"reverb"}
    assert told["reverb"]["rt60_seconds"] == pytest.approx(0.5)
    assert told["reverb"]["wet_db"] == -9


def test_the_wave_never_waits_for_its_device() -> None:
    """On `meta`, a device without memory, code that reads a value back or mixes devices fails."""
    wave = torch.empty(ITEMS, RATE, device="meta")
    each = chain(0.6)
    assert each.apply_(wave, each.draw(ITEMS, generator())).device.type == "meta"
