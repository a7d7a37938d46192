"""Filters: pass band and stop band, gains in dB, and agreement with a sample-by-sample filter."""

import pytest
import torch
from scipy.signal import sosfilt

from tests.training.effects.signals import RATE, click, each, gain_db, noise
from training.effects.config import Equaliser
from training.effects.filters import (
    BANDS,
    band_limit,
    band_limit_sections,
    equalise,
    equaliser_sections,
    low_pass,
    low_pass_sections,
)

HZ = torch.tensor([[100.0, 400.0, 1000.0, 2500.0, 5000.0]])
Q = torch.ones(1, BANDS - 2)


def one_band(band: int, gain: float) -> torch.Tensor:
    gains = torch.zeros(1, BANDS)
    gains[0, band] = gain
    return equalise(click(), gains, HZ, Q, RATE)


@pytest.mark.parametrize("cutoff_hz", [300, 1000, 2000, 3500])
def test_a_low_pass_passes_lows_and_stops_highs(cutoff_hz: int) -> None:
    response = low_pass(click(), each(cutoff_hz), RATE)
    for hz in (10, cutoff_hz // 4, cutoff_hz // 2):
        assert abs(gain_db(response, hz)) < 0.5
    assert gain_db(response, cutoff_hz) == pytest.approx(-3, abs=0.1)
    assert gain_db(response, 2 * cutoff_hz) < -20
    assert cutoff_hz > 2000 or gain_db(response, 4 * cutoff_hz) < -40


@pytest.mark.parametrize("gain", [-12.0, -3.0, 6.0])
@pytest.mark.parametrize("band", [1, 2, 3])
def test_a_bands_gain_is_its_decibels_at_its_centre(band: int, gain: float) -> None:
    response = one_band(band, gain)
    assert gain_db(response, float(HZ[0, band])) == pytest.approx(gain, abs=0.1)
    assert abs(gain_db(response, 8)) < 0.3
    assert abs(gain_db(response, 7990)) < 0.3


@pytest.mark.parametrize("gain", [-9.0, 6.0])
def test_shelves_lift_what_lies_beyond_them(gain: float) -> None:
    low, high = one_band(0, gain), one_band(BANDS - 1, gain)
    assert [gain_db(low, 8), gain_db(low, 100)] == pytest.approx([gain, gain / 2], abs=0.15)
    assert [gain_db(high, 7990), gain_db(high, 5000)] == pytest.approx([gain, gain / 2], abs=0.15)
    assert abs(gain_db(low, 4000)) < 0.1 > abs(gain_db(high, 300))


@pytest.mark.parametrize(("low_hz", "high_hz"), [(300, 3400), (100, 5000), (50, 4000)])
def test_a_band_limit_keeps_the_band_alone(low_hz: int, high_hz: int) -> None:
    response = band_limit(click(), each(low_hz), each(high_hz), RATE)
    for hz in (2 * low_hz, 1000, round(0.8 * high_hz)):
        assert abs(gain_db(response, hz)) < 0.5
    assert gain_db(response, low_hz // 2) < -20
    assert gain_db(response, round(1.5 * high_hz)) < -30


def test_a_band_beyond_the_sample_rate_stays_within_it() -> None:
    response = equalise(click(), torch.full((1, BANDS), 6.0), HZ * 10, Q, RATE)
    assert response.isfinite().all()
    assert gain_db(response, 8) == pytest.approx(6, abs=0.5)


def test_the_impulse_responses_equal_a_filter_that_runs_over_the_samples() -> None:
    """Reference: scipy's second-order sections, one sample after the other."""
    wave = noise(4)
    drawn = Equaliser(gain_db=(-12, 12)).draw(4, torch.Generator().manual_seed(1))
    cutoff = torch.tensor([500.0, 1500.0, 4000.0, 7000.0])
    low = torch.tensor([40.0, 100.0, 300.0, 60.0])
    cases = (
        (equaliser_sections(**drawn, sample_rate=RATE), equalise(wave, **drawn, sample_rate=RATE)),
        (low_pass_sections(cutoff, RATE), low_pass(wave, cutoff, RATE)),
        (band_limit_sections(low, cutoff, RATE), band_limit(wave, low, cutoff, RATE)),
    )
    for sections, fast in cases:
        for row in range(4):
            second_order = (sections[row] / sections[row, :, 1:, :1]).flatten(1).double().numpy()
            slow = torch.from_numpy(sosfilt(second_order, wave[row].double().numpy()))
            assert (fast[row] - slow).abs().max() < 2e-3 * slow.abs().max()
