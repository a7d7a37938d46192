"""Compression follows its ratio, attack and release; saturation adds odd harmonics and keeps the level."""

import math

import pytest
import torch
from torch import Tensor

from tests.training.effects.signals import RATE, each, noise, rms_db, sine
from training.effects.dynamics import compress, compressor_gain, limiter_gain, saturate


def compressed(wave: Tensor, threshold_db: float, ratio: float, makeup_db: float = 0.0) -> Tensor:
    return compress(wave, each(threshold_db), each(ratio), each(0.005), each(0.05), each(makeup_db), RATE)


def peak_db(wave: Tensor) -> float:
    return float(20 * wave.abs().max().log10())


@pytest.mark.parametrize("ratio", [1.5, 4.0, 20.0])
@pytest.mark.parametrize("above_db", [3.0, 12.0, 18.0])
@pytest.mark.parametrize("hz", [110.0, 1000.0])
def test_x_decibels_above_the_threshold_come_out_divided_by_the_ratio(
    hz: float, above_db: float, ratio: float
) -> None:
    wave = sine(hz, peak=10 ** ((above_db - 20) / 20))
    steady = compressed(wave, -20, ratio)[:, RATE // 2 :]
    assert peak_db(steady) == pytest.approx(-20 + above_db / ratio, abs=0.2)


def test_below_the_threshold_nothing_happens_but_makeup() -> None:
    wave = sine(440, peak=0.09)  # just below -20 dB
    assert torch.equal(compressed(wave, -20, 8), wave)
    assert torch.allclose(compressed(wave, -20, 8, makeup_db=6), wave * 10**0.3, atol=1e-6)


def test_the_gain_follows_at_the_asked_speed() -> None:
    quiet, loud = sine(1000, peak=0.1), sine(1000, peak=1.0)
    wave = torch.cat([quiet, loud, quiet], dim=1)
    out = compress(wave, each(-20), each(math.inf), each(0.1), each(0.4), each(0.0), RATE)
    gain = (
        20
        * (out.unflatten(1, (-1, 160)).abs().amax(2) / wave.unflatten(1, (-1, 160)).abs().amax(2)).log10()[0]
    )
    # 20 dB down at 10 dB in 0.1 s, and up again at 10 dB in 0.4 s; a value each 10 ms
    assert gain[:99].abs().max() < 0.1
    assert gain[105] == pytest.approx(-5, abs=1)
    assert gain[110] == pytest.approx(-10, abs=1)
    assert gain[125:199] == pytest.approx(-20 * torch.ones(74), abs=0.2)
    assert gain[220] == pytest.approx(-15, abs=1)
    assert gain[240] == pytest.approx(-10, abs=1)


@pytest.mark.parametrize("drive_db", [3.0, 12.0, 30.0])
def test_saturation_adds_odd_harmonics_and_keeps_the_level(drive_db: float) -> None:
    wave = sine(500)
    out = saturate(wave, each(drive_db))
    assert float(rms_db(out)) == pytest.approx(float(rms_db(wave)), abs=0.01)
    before, after = (torch.fft.rfft(x[0].double()).abs() for x in (wave, out))
    assert before[1500] < 1e-3 * before[500]
    assert after[1500] > 0.01 * after[500]
    assert after[1000] < 1e-3 * after[500]


def test_more_drive_is_more_harmonics() -> None:
    out = saturate(sine(500).expand(4, -1), torch.tensor([0.0, 2.0, 6.0, 12.0]))
    third = torch.fft.rfft(out).abs()[:, 1500]
    assert third.tolist() == sorted(third.tolist())


def test_what_is_quiet_gains_the_drive_on_the_peak() -> None:
    wave = torch.cat([sine(500, peak=1.0), sine(500, peak=0.001)], dim=1)
    out = saturate(wave, each(10.0))
    loud, quiet = (
        out[:, part].abs().max() / wave[:, part].abs().max() for part in (slice(RATE), slice(RATE, None))
    )
    assert float(20 * (quiet / loud).log10()) == pytest.approx(10, abs=0.05)


def test_saturation_does_not_depend_on_the_level() -> None:
    wave = sine(500)
    assert torch.allclose(saturate(wave * 0.01, each(9.0)), saturate(wave, each(9.0)) * 0.01, atol=1e-6)


def limited(wave: Tensor, ceiling_db: float, release: float = 0.1) -> Tensor:
    number = len(wave)
    return limiter_gain(wave, each(ceiling_db, number), each(0.005, number), each(release, number), RATE)


@pytest.mark.parametrize("ceiling_db", [-1.0, -6.0, -20.0])
def test_no_sample_exceeds_the_limiters_ceiling(ceiling_db: float) -> None:
    wave = noise(4) * torch.tensor([0.05, 0.3, 1.0, 8.0])[:, None]
    wave[:, 5_000] = 4.0  # a click out of nowhere
    held = wave * limited(wave, ceiling_db)
    assert float(held.abs().max()) <= 10 ** (ceiling_db / 20) * (1 + 1e-6)
    assert peak_db(held) == pytest.approx(ceiling_db, abs=0.1)


def test_a_limiter_leaves_what_is_below_its_ceiling_alone() -> None:
    assert torch.equal(limited(sine(440, peak=0.5), -6.0), torch.ones(1, sine(440).shape[1]))


def test_a_limiter_is_down_before_the_peak_and_recovers_as_asked() -> None:
    wave = sine(1000, peak=0.1)
    wave[:, RATE // 2 : RATE // 2 + 64] = 1.0
    gain_db = 20 * limited(wave, -12.0, release=0.2)[0].log10()
    assert gain_db[RATE // 2] == pytest.approx(-12, abs=0.01)
    assert gain_db[RATE // 2 - 400] == pytest.approx(0, abs=0.01)
    assert gain_db[: RATE // 2].diff().max() <= 1e-4  # it only falls before
    assert gain_db[RATE // 2 + 64 + round(0.1 * RATE)] == pytest.approx(-7, abs=0.3)


def test_compression_multiplies_by_its_gain() -> None:
    wave = noise()
    threshold, ratio, attack, release, makeup = map(each, (-20.0, 4.0, 0.005, 0.05, 3.0))
    gain = compressor_gain(wave, threshold, ratio, attack, release, makeup, RATE)
    assert gain.min() < gain.max()
    assert torch.equal(compress(wave, threshold, ratio, attack, release, makeup, RATE), wave * gain)
