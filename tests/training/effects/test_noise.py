"""Noise: at the requested ratio, of the named colour, and the same every time."""

from itertools import pairwise

import pytest
import torch

from models.errors import TrainingError
from tests.training.effects.signals import RATE, each, noise, rms_db, sine
from training.effects.noise import BACKGROUNDS, ROOM, NoiseStore, _all_noise, add_codec_noise, add_noise

STORE = NoiseStore(RATE)
CPU = torch.device("cpu")


def cut(colour: str, seconds: float = 5.0, place: float = 0.3) -> torch.Tensor:
    row = torch.tensor([BACKGROUNDS.index(colour)])
    return STORE.take(row, torch.tensor([place]), round(seconds * RATE), CPU)


@pytest.mark.parametrize("snr_db", [0.0, 20.0, 50.0])
@pytest.mark.parametrize("colour", BACKGROUNDS)
def test_the_ratio_is_met(colour: str, snr_db: float) -> None:
    wave = sine(440, 5.0).double()  # so that 50 dB below is not rounding
    added = add_noise(wave, cut(colour).double(), each(snr_db)) - wave
    assert float(rms_db(wave) - rms_db(added)) == pytest.approx(snr_db, abs=0.2)


def test_codec_noise_meets_its_ratio_and_follows_the_signal() -> None:
    wave = torch.cat([sine(440, 2.5), 0.01 * sine(440, 2.5)], dim=1).double()
    added = add_codec_noise(wave, cut("white").double(), each(30.0)) - wave
    assert float(rms_db(wave) - rms_db(added)) == pytest.approx(30, abs=0.2)
    loud, quiet = (float(rms_db(part)) for part in added.chunk(2, dim=1))
    assert loud - quiet == pytest.approx(40, abs=1)


@pytest.mark.parametrize(("colour", "db_per_octave"), [("white", 0.0), ("pink", -3.0), ("brown", -6.0)])
def test_colours_fall_as_they_should(colour: str, db_per_octave: float) -> None:
    power = torch.fft.rfft(STORE.on(CPU)[BACKGROUNDS.index(colour)]).abs().square()
    hz = torch.fft.rfftfreq(STORE.num_samples, 1 / RATE)
    octave = [power[(hz > low) & (hz < 2 * low)].mean().log10() * 10 for low in (50, 200, 800, 3200)]
    for low, high in pairwise(octave):
        assert float(high - low) / 2 == pytest.approx(db_per_octave, abs=0.5)


def test_hum_is_the_mains_and_its_harmonics() -> None:
    power = torch.fft.rfft(cut("hum", 4.0)[0]).abs().square()
    bins = (torch.arange(1, 8) * 50 * 4).tolist()
    assert float(power[bins].sum() / power.sum()) > 0.999


def test_noise_is_the_same_in_every_process() -> None:
    assert torch.equal(STORE.on(CPU), _all_noise.__wrapped__(RATE))
    assert torch.allclose(STORE.on(CPU).square().mean(dim=1), torch.ones(ROOM + 1), atol=1e-3)


def test_a_place_is_the_same_whatever_the_length() -> None:
    assert torch.equal(cut("pink", 1.0)[0], cut("pink", 5.0)[0, :RATE])


def test_more_noise_than_there_is_is_refused() -> None:
    with pytest.raises(TrainingError, match="320000 samples of noise") as caught:
        cut("white", 20.0)
    assert caught.value.limit == 15 * RATE


def test_items_get_different_noise() -> None:
    wave = noise(2)
    both = STORE.take(torch.tensor([0, 0]), torch.tensor([0.1, 0.9]), RATE, CPU)
    added = add_noise(wave, both, each(10.0, 2)) - wave
    assert not torch.allclose(added[0], added[1], atol=1e-3)
