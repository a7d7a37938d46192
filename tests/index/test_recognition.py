"""Recognition without a library: families of tones whose presence in each window is known."""

import numpy as np
import pytest

from index.recognition import PLAYS, families_of_answer, families_of_windows, recognise, sustained
from index.retrieval import SUSTAINED_WINDOWS, QuerySlots
from models.errors import CheckpointError, SilentAudio
from models.family import FamilyModel
from tests.index.tone_pair import TonePair, band_hz

LOW, HIGH = 2, 9  # bands of the two families
FAMILIES = ("bass", "flute", "reed")


@pytest.fixture
def pair() -> TonePair:
    """Tones in a low band are a bass, in a high band a flute; all others are nearly certain to be reeds."""
    weight = np.zeros((3, 16), np.float32)
    weight[0, LOW] = weight[1, HIGH] = 20.0
    pair = TonePair()
    pair.family = FamilyModel(FAMILIES, weight, np.array([0.0, 0.0, 10.0], np.float32))
    return pair


def tones(pair: TonePair, *bands: int, seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * pair.sample_rate)) / pair.sample_rate
    waves = np.stack([0.2 * np.sin(2 * np.pi * band_hz(band) * time) for band in bands])
    summed: np.ndarray = waves.sum(axis=0).astype(np.float32)
    return summed


def test_families_are_told_when_they_play(pair: TonePair) -> None:
    samples = np.concatenate(
        [tones(pair, LOW, seconds=10), tones(pair, LOW, HIGH, seconds=10), tones(pair, HIGH, seconds=10)]
    )
    first, second, last = recognise(pair, samples, range_start_seconds=100.0)
    assert {first.family, second.family} == {"bass", "flute"}
    assert min(first.probability, second.probability) > 0.99
    assert (last.family, last.active) == ("reed", ())
    assert last.probability < 0.01
    assert (first.plays, second.plays, last.plays) == (True, True, False)
    again = families_of_answer((first, second, last), {"reed", None})
    assert [one.plays for one in again] == [False, False, True]
    assert [one.family for one in again] == [first.family, second.family, "reed"]
    bass, flute = sorted((first, second), key=lambda heard: heard.family)
    ((start, end),) = bass.active
    assert (start, round(end)) == (100.0, 120)
    ((start, end),) = flute.active
    assert (round(start), end) == (110, 130.0)
    assert [second for second, _ in bass.curve] == pytest.approx(np.arange(100.5, 129.6, 0.5))
    assert all(height > PLAYS for second, height in bass.curve if second < 119)


def test_slots_of_one_family_are_one_chance_more_each() -> None:
    model = FamilyModel(("bass", "reed"), np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
    slots = QuerySlots(np.eye(4, dtype=np.float32)[None, :2], np.array([[1.0, 0.5]], np.float32))
    assert np.allclose(families_of_windows(slots, model), 1 - 0.5 * 0.75)


def test_the_whole_is_told_by_the_surest_fifteen_seconds() -> None:
    in_window = np.zeros((20, 1), np.float32)
    in_window[[3, 12, 13], 0] = 1.0
    assert sustained(in_window) == pytest.approx(2 / SUSTAINED_WINDOWS)
    assert sustained(in_window[3:5]) == pytest.approx(0.5)  # of fewer windows, the mean of all


def test_silence_and_encoders_without_a_family_model_are_refused(pair: TonePair) -> None:
    with pytest.raises(SilentAudio):
        recognise(pair, np.zeros(16_000, np.float32))
    pair.family = None
    with pytest.raises(CheckpointError, match=r"training\.family"):
        recognise(pair, tones(pair, LOW, seconds=2))
