"""Beats: composed for drum kits, the same for every kit at enrollment."""

import numpy as np

from index.sources.beats import compose_beat, enrollment_beats
from training.real.drum_kit import FIRST_KEY, LAST_KEY


def test_beats_keep_time_and_to_the_keys_of_a_kit() -> None:
    for seed in range(30):
        notes = compose_beat(np.random.default_rng(seed), 15.0)
        assert notes == compose_beat(np.random.default_rng(seed), 15.0)
        starts = np.array([note.start_seconds for note in notes])
        assert all(FIRST_KEY <= note.pitch <= LAST_KEY and 0 < note.velocity < 128 for note in notes)
        assert all(note.start_seconds < note.end_seconds <= 15.0 for note in notes)
        assert np.histogram(starts, bins=5, range=(0, 15))[0].min() >= 4
        assert {note.pitch for note in notes} & {35, 36}


def test_the_beats_of_enrollment_strike_all_that_a_kit_is_known_by() -> None:
    beats = enrollment_beats(5.0)
    assert len(set(beats)) == 8
    struck = {note.pitch for beat in beats for note in beat}
    assert struck & {35, 36}  # a kick
    assert struck & {38, 40}  # a snare
    assert struck & {42, 46}  # a hi-hat
    assert struck & {49, 51}  # a cymbal
