"""Descriptors: octaves of brightness, attacks and lengths follow what a sound is made of, whatever its level and rate."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.audio import decode, write_mp3
from models.descriptors import HIGHEST_HZ, Descriptors, describe

Floats = NDArray[np.float32]
RATE = 44_100


def note(hz: float = 440.0, rise: float = 0.02, seconds: float = 1.0, rate: int = RATE) -> Floats:
    """A sine that rises in a straight line, and sounds for so many seconds of two."""
    at = np.arange(2 * rate) / rate
    level = np.minimum(at / rise, 1.0) * (at < seconds)
    return (0.5 * level * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def described(samples: Floats, rate: int = RATE) -> Descriptors:
    found = describe(samples, rate)
    assert found is not None
    return found


@pytest.mark.parametrize("hz", [220.0, 880.0, 3520.0])
def test_an_octave_is_one_and_the_centroid_of_a_sine_is_its_frequency(hz: float) -> None:
    low, high = described(note(hz)), described(note(2 * hz))
    assert high.brightness - low.brightness == pytest.approx(1.0, abs=0.1)
    assert low.brightness == pytest.approx(np.log2(hz), abs=0.15)


def test_attacks_and_lengths_are_seconds_by_octaves() -> None:
    quick, slow = described(note(rise=0.05)), described(note(rise=0.4))
    assert slow.attack - quick.attack == pytest.approx(3.0, abs=0.5)
    assert quick.attack == pytest.approx(np.log2(0.4 * 0.05), abs=0.6)  # from a tenth to a half
    short, long = described(note(seconds=0.25)), described(note(seconds=1.0))
    assert long.length - short.length == pytest.approx(2.0, abs=0.15)
    assert long.length == pytest.approx(0.0, abs=0.1)


def test_several_notes_are_described_as_one_of_them() -> None:
    once = note(seconds=0.5)
    several, one = described(np.tile(once, 3)), described(once)
    assert several == pytest.approx(one, abs=0.05)


def test_level_channels_and_rate_do_not_matter() -> None:
    expected = described(note())
    assert described(0.01 * note()) == pytest.approx(expected, abs=0.02)
    assert described(np.stack([note(), note()], axis=1)) == pytest.approx(expected, abs=0.001)
    assert described(note(rate=22_050), 22_050) == pytest.approx(expected, abs=0.1)


def test_an_mp3_is_described_as_what_it_was_made_of(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    bright = (
        note()
        + 0.05 * note(1.0) * rng.standard_normal(2 * RATE).astype(np.float32)
        + 0.1 * note(HIGHEST_HZ / 2)
    )
    path = tmp_path / "preview.mp3"
    write_mp3(path, bright, RATE)
    read = decode(path, sample_rate=RATE)
    assert described(read.samples) == pytest.approx(described(bright), abs=0.15)


def test_silence_is_not_described_and_any_sound_is_finite() -> None:
    assert describe(np.zeros(RATE, np.float32), RATE) is None
    assert describe(np.zeros(0, np.float32), RATE) is None
    assert describe(np.full(RATE, np.nan, np.float32), RATE) is None
    for samples in (np.ones(1, np.float32), np.ones(100, np.float32), note()[:300]):
        assert np.isfinite(described(samples)).all()
