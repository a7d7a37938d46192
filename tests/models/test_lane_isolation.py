"""Isolated lanes: masks share each cell, ones give the mixture back, and what lanes isolate sums to it with the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.recognition.lane_isolation import (
    BINS,
    HOP_SAMPLES,
    ISOLATED_SAMPLE_RATE,
    N_FFT,
    LaneMasks,
    frame_seconds,
    isolated,
    masked,
    num_frames,
)
from models.recognition.lane_notes import SoundingLane
from models.recognition.notes import HeardNote

Floats = NDArray[np.float32]
TOLERANCE = 1e-5
BASS = SoundingLane(((0.0, 0.9), (9.0, 0.9)), families={"bass": 1.0})
FLUTE = SoundingLane(((0.0, 0.8), (9.0, 0.8)), families={"flute": 1.0})
KIT = SoundingLane(((0.0, 0.7), (9.0, 0.7)), families={"drum": 1.0})
SILENT = SoundingLane(((0.0, 0.0), (9.0, 0.0)), families={"reed": 1.0})
LOW, HIGH = HeardNote(45, 0.2, 1.0), HeardNote(88, 0.3, 1.4)  # 110 and 1319 Hz


def noise(num_samples: int, seed: int = 0) -> Floats:
    return (0.2 * np.random.default_rng(seed).standard_normal(num_samples)).astype(np.float32)


def tone(hz: float, num_samples: int, start: float, end: float) -> Floats:
    at = np.arange(num_samples) / ISOLATED_SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * hz * n * at) / n for n in (1, 2, 3))
    return (0.2 * wave * ((at >= start) & (at < end))).astype(np.float32)


def power(samples: Floats) -> float:
    return float(np.square(samples, dtype=np.float64).sum())


@given(st.integers(1, 3 * N_FFT + 7))
@settings(max_examples=30, deadline=None)
def test_a_mask_of_ones_gives_the_mixture_back_at_any_length(num_samples: int) -> None:
    mixture = noise(num_samples)
    back = masked(mixture, lambda first, last: np.ones((last - first, BINS), np.float32))
    assert back.shape == mixture.shape
    assert np.abs(back - mixture).max() < TOLERANCE


def test_masks_of_all_lanes_and_of_the_rest_sum_to_the_mixture() -> None:
    lanes = (BASS, FLUTE, KIT, SILENT)
    mixture = noise(7 * ISOLATED_SAMPLE_RATE)  # more than one block of frames
    masks = LaneMasks([LOW, HIGH], lanes, len(mixture))
    parts = [isolated(mixture, masks, lane) for lane in range(len(lanes) + 1)]
    assert np.abs(np.sum(parts, axis=0) - mixture).max() < TOLERANCE
    assert all(np.isfinite(part).all() and power(part) > 0 for part in parts[:3])
    assert power(parts[3]) == 0.0  # nothing is present there


def test_shares_are_shares_and_blocks_do_not_matter() -> None:
    num_samples = 2 * ISOLATED_SAMPLE_RATE
    masks = LaneMasks([LOW, HIGH], (BASS, FLUTE, KIT), num_samples)
    whole = masks.shares(0, num_frames(num_samples))
    assert whole.shape == (4, num_frames(num_samples), BINS)
    assert whole.min() >= 0
    assert np.abs(whole.sum(axis=0) - 1).max() < TOLERANCE
    pieces = [masks.shares(first, min(first + 17, whole.shape[1])) for first in range(0, whole.shape[1], 17)]
    assert np.abs(np.concatenate(pieces, axis=1) - whole).max() < TOLERANCE


def test_each_lane_isolates_its_own_notes() -> None:
    num_samples = 2 * ISOLATED_SAMPLE_RATE
    low, high = tone(110.0, num_samples, 0.2, 1.0), tone(1319.0, num_samples, 0.3, 1.4)
    masks = LaneMasks([LOW, HIGH], (BASS, FLUTE), num_samples)
    for lane, own, other in ((0, low, high), (1, high, low)):
        found = isolated(low + high, masks, lane)
        assert power(found - own) < 0.1 * power(own)  # 10 dB; the mixture has as much of the other
        assert power(other) > 0.3 * power(own)


def test_time_counts_from_the_beginning_of_the_file() -> None:
    num_samples = ISOLATED_SAMPLE_RATE
    late = [HeardNote(one.pitch, one.start_seconds + 5, one.end_seconds + 5) for one in (LOW, HIGH)]
    here = LaneMasks([LOW, HIGH], (BASS, FLUTE), num_samples).shares(0, 40)
    there = LaneMasks(late, (BASS, FLUTE), num_samples, start_seconds=5.0).shares(0, 40)
    assert np.abs(here - there).max() < TOLERANCE
    centres = frame_seconds(num_samples)
    assert np.diff(centres) == pytest.approx(HOP_SAMPLES / ISOLATED_SAMPLE_RATE)
    assert centres[0] < 0 < centres[2]
    assert centres[-1] > (num_samples - 1) / ISOLATED_SAMPLE_RATE - N_FFT / 2 / ISOLATED_SAMPLE_RATE


def test_silence_stays_silent_and_a_lane_without_notes_is_finite() -> None:
    silence = np.zeros(ISOLATED_SAMPLE_RATE, np.float32)
    masks = LaneMasks([], (FLUTE, SILENT), len(silence))
    assert not isolated(silence, masks, 0).any()
    found = isolated(noise(len(silence)), masks, 0)
    assert np.isfinite(found).all()
    assert 0 < power(found) < power(noise(len(silence)))
