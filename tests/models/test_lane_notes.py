"""The notes of lanes: who gets a note, how surely, and that neither the order of notes nor that of lanes matters."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.recognition.constant_q import FRAME_SECONDS
from models.recognition.lane_notes import LEAST_ONSET, LaneNotes, SoundingLane, notes_of_lanes
from models.recognition.notes import HeardNote, read_notes
from models.recognition.pitch_estimator import PitchActivity

ALWAYS = ((0.0, 0.9), (10.0, 0.9))
BASS = SoundingLane(ALWAYS, families={"bass": 0.9, "string": 0.1})
FLUTE = SoundingLane(ALWAYS, families={"flute": 1.0})
KIT = SoundingLane(ALWAYS, families={"drum": 0.8, "bass": 0.2})
SILENT = SoundingLane(((0.0, 0.0), (10.0, 0.0)), families={"bass": 1.0})
NAMELESS = SoundingLane((), active=((0.0, 5.0),))
LANES = (BASS, FLUTE, KIT, SILENT, NAMELESS)


def note(pitch: int, start: float = 1.0, onset: float = 0.9) -> HeardNote:
    return HeardNote(pitch, start, start + 0.5, onset, 0.8)


NOTES = st.lists(
    st.builds(
        note,
        st.integers(21, 108),
        st.floats(0, 9.99, allow_nan=False),
        st.floats(0, 1, allow_nan=False),
    ),
    max_size=12,
    unique_by=lambda one: (one.start_seconds, one.pitch),
)


def found(notes: list[HeardNote], *lanes: SoundingLane) -> tuple[LaneNotes, ...]:
    return notes_of_lanes(notes, lanes)


@given(NOTES)
def test_a_lone_lane_gets_every_sure_note(notes: list[HeardNote]) -> None:
    (alone,) = found(notes, FLUTE)
    sure = [one for one in notes if one.onset >= LEAST_ONSET]
    assert set(alone.notes) == set(sure)
    expected = float(np.mean([one.onset for one in sure])) if sure else 0.0
    assert abs(alone.confidence - expected) < 1e-6


@given(NOTES)
def test_silent_lanes_and_drums_get_none_and_others_lose_nothing_to_them(notes: list[HeardNote]) -> None:
    flute, silent, kit = found(notes, FLUTE, SILENT, KIT)
    assert silent == kit == LaneNotes()
    assert (flute,) == found(notes, FLUTE)


@given(NOTES, st.permutations(range(len(LANES))), st.randoms(use_true_random=False))
def test_the_order_does_not_matter(notes: list[HeardNote], order: list[int], shuffle: random.Random) -> None:
    plain = found(notes, *LANES)
    mixed = notes[:]
    shuffle.shuffle(mixed)
    moved = found(mixed, *(LANES[place] for place in order))
    for at, place in enumerate(order):
        assert moved[at].notes == plain[place].notes
        assert abs(moved[at].confidence - plain[place].confidence) < 1e-9


@given(NOTES)
def test_every_sure_note_has_a_lane_and_confidence_is_a_share(notes: list[HeardNote]) -> None:
    lanes = found(notes, *LANES)
    sure = {one for one in notes if one.onset >= LEAST_ONSET}
    assert set().union(*(lane.notes for lane in lanes)) == sure
    assert all(0 <= lane.confidence <= 1 for lane in lanes)
    assert all(list(lane.notes) == sorted(lane.notes, key=lambda one: one.start_seconds) for lane in lanes)


def test_registers_divide_notes_and_both_get_what_both_claim() -> None:
    low, high = note(33), note(86)
    bass, flute = found([low, high], BASS, FLUTE)
    assert (bass.notes, flute.notes) == ((low,), (high,))
    twins = found([low, high], BASS, BASS)
    assert [lane.notes for lane in twins] == [(low, high)] * 2
    assert all(abs(lane.confidence - 0.9 * 0.5) < 1e-6 for lane in twins)  # half of each note
    assert [lane.is_confident for lane in found([low, high], BASS, BASS, BASS)] == [False] * 3
    assert found([low, high], BASS)[0].is_confident


def test_a_lane_gets_notes_when_it_sounds() -> None:
    early = SoundingLane(((2.5, 0.9), (5.0, 0.0), (7.5, 0.0)), families={"guitar": 1.0})
    late = SoundingLane(((2.5, 0.0), (5.0, 0.0), (7.5, 0.9)), families={"guitar": 1.0})
    first, second = note(60, 1.0), note(60, 8.0)
    assert [lane.notes for lane in found([first, second], early, late)] == [(first,), (second,)]
    assert found([first, second], NAMELESS)[0].notes == (first,)  # by its spans
    assert found([], early, late) == (LaneNotes(), LaneNotes())
    assert found([first]) == ()


def test_notes_know_how_surely_they_begin_and_sound() -> None:
    note_, onset = np.zeros((88, 120), np.float32), np.zeros((88, 120), np.float32)
    note_[30, 20:60], onset[30, 20] = 0.6, 0.8
    (only,) = read_notes(PitchActivity(note_, onset))
    assert (only.pitch, round(only.start_seconds / FRAME_SECONDS)) == (51, 20)
    assert abs(only.onset - 0.8) < 1e-6
    assert abs(only.strength - 0.6) < 1e-6
