"""Phrases fitted into key ranges, and the clips and previews of playable instruments."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sources.base import Floats, Note, enrollment_phrases
from index.sources.beats import enrollment_beats
from index.sources.playing import enrollment_clips, fit_range, phrase_preview
from models.errors import SourceError

RATE, CLIP = 1_000, 2_000

PITCHES = st.lists(st.integers(0, 127), max_size=8)
RANGES = st.tuples(st.integers(0, 127), st.integers(0, 127)).map(lambda ends: (min(ends), max(ends)))


class Beeper:
    """Plays every key between two pitches; keys outside are silent, and all keys if it is `broken`."""

    id, name, family, source = "beeper", "Beeper", None, "beeper.src"
    licence: str | None = None
    faults: tuple[tuple[str, str], ...] = (("half", "is missing"),)

    def __init__(self, low: int, high: int, *, is_silent: bool = False) -> None:
        self.playable_range = (low, high)
        self.is_silent = is_silent
        self.is_drum_kit = False
        self.played: list[int] = []

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        samples = np.zeros(round(seconds * sample_rate), np.float32)
        low, high = self.playable_range
        for note in notes:
            self.played.append(note.pitch)
            if low <= note.pitch <= high and not self.is_silent:
                samples[round(note.start_seconds * sample_rate) : round(note.end_seconds * sample_rate)] += (
                    0.1
                )
        return samples

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        return enrollment_clips(self, sample_rate, clip_samples)

    def preview(self) -> tuple[Floats, int]:
        return phrase_preview(self)


def notes_of(pitches: Sequence[int]) -> list[Note]:
    return [Note(pitch, 20 + i, 0.1 * i, 0.1 * i + 0.3) for i, pitch in enumerate(pitches)]


@given(pitches=PITCHES, ends=RANGES)
def test_fitted_notes_lie_in_the_range_and_only_their_pitch_changes(
    pitches: list[int], ends: tuple[int, int]
) -> None:
    notes = notes_of(pitches)
    fitted = fit_range(notes, *ends)
    assert len(fitted) == len(notes)
    for before, after in zip(notes, fitted, strict=True):
        assert ends[0] <= after.pitch <= ends[1]
        if ends[1] - ends[0] >= 11:
            assert (after.pitch - before.pitch) % 12 == 0
        assert (after.velocity, after.start_seconds, after.end_seconds) == (
            before.velocity,
            before.start_seconds,
            before.end_seconds,
        )
    assert fit_range(fitted, *ends) == fitted


@given(pitches=PITCHES.filter(len), octaves=st.integers(-4, 4), ends=RANGES)
def test_a_phrase_that_fits_moves_as_one_by_the_fewest_octaves(
    pitches: list[int], octaves: int, ends: tuple[int, int]
) -> None:
    low, high = min(pitches), max(pitches)
    shifts = [s for s in range(-120, 121, 12) if ends[0] <= low + s and high + s <= ends[1]]
    if shifts:
        best = min(abs(shift) for shift in shifts)
        moved = [
            note.pitch - pitch
            for note, pitch in zip(fit_range(notes_of(pitches), *ends), pitches, strict=True)
        ]
        assert len(set(moved)) == 1
        assert abs(moved[0]) == best


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(SourceError, match="between 61 and 60"):
        fit_range(notes_of([60]), 61, 60)


@pytest.mark.parametrize("ends", [(0, 127), (60, 60), (100, 104), (5, 17)])
def test_every_enrollment_phrase_reaches_a_narrow_instrument(ends: tuple[int, int]) -> None:
    instrument = Beeper(*ends)
    clips = instrument.clips(RATE, CLIP)
    assert clips.shape == (8, CLIP)
    assert clips.dtype == np.float32
    assert len(instrument.played) == sum(map(len, enrollment_phrases(CLIP / RATE)))
    assert all(ends[0] <= pitch <= ends[1] for pitch in instrument.played)


def test_a_drum_kit_is_enrolled_by_beats_on_the_keys_they_name() -> None:
    kit = Beeper(40, 44)  # fewer keys than the beats strike: none is moved to another drum
    kit.is_drum_kit = True
    clips = kit.clips(RATE, CLIP)
    assert kit.played == [note.pitch for beat in enrollment_beats(CLIP / RATE) for note in beat]
    assert 1 <= len(clips) <= len(enrollment_beats(CLIP / RATE))


def test_phrases_inside_the_range_are_left_alone() -> None:
    instrument = Beeper(0, 127)
    instrument.clips(RATE, CLIP)
    assert instrument.played == [note.pitch for phrase in enrollment_phrases(2.0) for note in phrase]


def test_a_preview_is_finished_and_a_silent_instrument_refused_with_its_faults() -> None:
    samples, sample_rate = Beeper(90, 95).preview()
    assert sample_rate == 44_100
    assert 3.0 < len(samples) / sample_rate <= 6.0
    assert np.abs(samples).max() == pytest.approx(10 ** (-3 / 20), rel=1e-4)
    silent = Beeper(0, 127, is_silent=True)
    for act in (silent.preview, lambda: silent.clips(RATE, CLIP)):
        with pytest.raises(SourceError, match=r"Beeper .*is silent in every register; half: is missing"):
            act()
