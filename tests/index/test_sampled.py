"""The player of sampled notes: the choice of a sample, its sound, and independence of earlier phrases."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sources import sampled
from index.sources.base import Floats, Note, is_playable
from index.sources.sampled import (
    MAX_SHIFT,
    InstrumentIdentity,
    SampledInstrument,
    SampledNote,
    TranspositionLimits,
)
from models.errors import SourceError
from tests.index.tiny_banks import SAMPLE_RATE, loudest_hz, tone

RATE = 4_000  # keeps these tests quick
BANK = TranspositionLimits(range_margin=MAX_SHIFT, max_distance=np.inf, velocity_cost=0.03)
NEAREST = TranspositionLimits(range_margin=MAX_SHIFT, max_distance=MAX_SHIFT, velocity_cost=1e-4)
EXACT = TranspositionLimits(range_margin=0.0, max_distance=0.0, velocity_cost=1e-4)

SAMPLED = st.lists(st.tuples(st.integers(30, 60), st.integers(1, 127)), min_size=1, max_size=6, unique=True)
PLAYED = st.tuples(st.integers(20, 70), st.integers(1, 127))
REACHES = st.sampled_from([BANK, NEAREST, EXACT])


class Shelf:
    """Samples by place; a broken one is refused. Counts how often each is read."""

    def __init__(
        self, notes: list[tuple[int, int]], broken: set[int] | None = None, seconds: float = 0.2
    ) -> None:
        self.notes, self.seconds = notes, seconds
        self.broken = broken or set()
        self.reads: Counter[int] = Counter()

    def read(self, number: int) -> tuple[Floats, int]:
        self.reads[number] += 1
        if number in self.broken:
            raise SourceError("is broken")
        return tone(self.notes[number][0], self.seconds, sample_rate=RATE), RATE

    def instrument(self, limits: TranspositionLimits = BANK) -> SampledInstrument:
        notes = [SampledNote(pitch, velocity, f"{pitch}@{velocity}") for pitch, velocity in self.notes]
        return SampledInstrument(
            InstrumentIdentity("one", "One", None, "shelf", None), notes, self.read, limits
        )


def play(instrument: SampledInstrument, *notes: Note, seconds: float = 0.3, rate: int = RATE) -> Floats:
    return instrument.play(notes, seconds, rate)


def nearest(
    notes: list[tuple[int, int]], usable: set[int], pitch: int, velocity: int, limits: TranspositionLimits
) -> int | None:
    """Reference for the choice of a sample: the first of the cheapest."""
    costs = {}
    for number in sorted(usable):
        distance = abs(notes[number][0] - pitch)
        near = limits.velocity_cost * abs(notes[number][1] - velocity) if distance <= MAX_SHIFT else 0.0
        if distance <= limits.max_distance:
            costs[number] = distance + near
    return min(costs, key=lambda number: costs[number]) if costs else None


@settings(deadline=None)
@given(notes=SAMPLED, wanted=PLAYED, limits=REACHES, data=st.data())
def test_the_nearest_usable_note_is_played(
    notes: list[tuple[int, int]], wanted: tuple[int, int], limits: TranspositionLimits, data: st.DataObject
) -> None:
    broken = data.draw(st.sets(st.integers(0, len(notes) - 1), max_size=len(notes) - 1))
    shelf = Shelf(notes, broken)
    samples = play(shelf.instrument(limits), Note(*wanted, 0.0, 0.3))
    expected = nearest(notes, set(range(len(notes))) - broken, *wanted, limits)
    if expected is None:
        assert not samples.any()
    else:
        alone = Shelf([notes[expected]]).instrument(BANK)
        assert np.array_equal(samples, play(alone, Note(*wanted, 0.0, 0.3)))


@settings(deadline=None, max_examples=40)
@given(notes=SAMPLED, before=st.lists(PLAYED, max_size=4), wanted=PLAYED, limits=REACHES, data=st.data())
def test_what_was_played_before_changes_nothing(
    notes: list[tuple[int, int]],
    before: list[tuple[int, int]],
    wanted: tuple[int, int],
    limits: TranspositionLimits,
    data: st.DataObject,
) -> None:
    broken = data.draw(st.sets(st.integers(0, len(notes) - 1), max_size=len(notes) - 1))
    instrument = Shelf(notes, broken).instrument(limits)
    fresh = Shelf(notes, broken).instrument(limits)
    first_range = instrument.playable_range
    for number, key in enumerate(before):
        play(instrument, Note(*key, 0.0, 0.3), rate=(RATE, 8_000)[number % 2])
    assert np.array_equal(play(instrument, Note(*wanted, 0.0, 0.3)), play(fresh, Note(*wanted, 0.0, 0.3)))
    assert instrument.playable_range == first_range


def test_notes_are_read_when_first_played_and_once() -> None:
    shelf = Shelf([(40, 100), (47, 100), (54, 100)])
    instrument = shelf.instrument()
    assert is_playable(instrument)
    assert instrument.playable_range == (37, 57)
    assert not shelf.reads
    for pitch in (47, 48, 46, 40, 47):
        play(instrument, Note(pitch, 90, 0.0, 0.3))
    assert shelf.reads == {0: 1, 1: 1}


def test_notes_are_given_as_they_were_sampled_broken_ones_left_out() -> None:
    shelf = Shelf([(40, 100), (50, 60), (60, 100)], broken={1})
    found = list(shelf.instrument().sampled_notes(RATE))
    assert [loudest_hz(note, RATE) for note in found] == pytest.approx([82.4, 261.6], rel=0.02)
    assert [len(note) for note in shelf.instrument().sampled_notes(2 * RATE)] == [
        2 * len(note) for note in found
    ]


def test_the_range_is_what_the_notes_reach() -> None:
    notes = [(40, 25), (60, 127)]
    assert Shelf(notes).instrument(BANK).playable_range == (37, 63)
    assert Shelf(notes).instrument(EXACT).playable_range == (40, 60)
    assert Shelf([(0, 1), (127, 1)]).instrument(NEAREST).playable_range == (0, 127)


def test_a_gap_is_bridged_within_max_distance() -> None:
    notes = [(40, 100), (50, 100)]
    for limits, sounding in ((BANK, {41, 43, 44, 45}), (NEAREST, {41, 43}), (EXACT, set[int]())):
        instrument = Shelf(notes).instrument(limits)
        found = {pitch for pitch in (41, 43, 44, 45) if play(instrument, Note(pitch, 90, 0.0, 0.3)).any()}
        assert found == sounding


def test_an_evicted_note_sounds_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    line = [Note(pitch, 90, 0.05 * i, 0.05 * i + 0.1) for i, pitch in enumerate((37, 41, 44, 37, 39, 41))]
    plenty = play(Shelf([(40, 100)]).instrument(), *line, seconds=0.5)
    monkeypatch.setattr(sampled, "MAX_SHIFTED_BYTES", 5_000)  # one note
    instrument = Shelf([(40, 100)]).instrument()
    assert np.array_equal(play(instrument, *line, seconds=0.5), plenty)
    assert np.array_equal(play(instrument, *line, seconds=0.5), plenty)


def test_broken_notes_are_faults_and_all_broken_is_an_error() -> None:
    shelf = Shelf([(40, 100), (41, 100), (60, 100)], broken={0, 1})
    instrument = shelf.instrument(NEAREST)
    assert not play(instrument, Note(40, 100, 0.0, 0.3)).any()  # 60 is too far
    assert dict(instrument.faults) == {"40@100": "is broken", "41@100": "is broken"}
    assert play(instrument, Note(60, 100, 0.0, 0.3)).any()
    for limits in (BANK, NEAREST, EXACT):
        with pytest.raises(SourceError, match=r"no note of one .*40@100: is broken"):
            play(Shelf([(40, 100), (90, 100)], broken={0, 1}).instrument(limits), Note(40, 100, 0.0, 0.3))


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.full(100, 1e-4, np.float32), "does not sound"),
        (np.array([0.1, np.nan, 0.1], np.float32), "NaN"),
        (np.array([0.1, np.inf, 0.1], np.float32), "infinite"),
    ],
)
def test_samples_that_are_none_silent_or_not_finite_are_faults(samples: Floats, reason: str) -> None:
    identity = InstrumentIdentity("one", "One", None, "shelf", None)
    shelf = Shelf([(40, 100), (41, 100)])
    instrument = SampledInstrument(
        identity,
        [SampledNote(40, 100, "bad"), SampledNote(41, 100, "good")],
        lambda number: shelf.read(number) if number else (samples, RATE),
        BANK,
    )
    assert play(instrument, Note(40, 100, 0.0, 0.3)).any()
    assert reason in dict(instrument.faults)["bad"]


@pytest.mark.parametrize("pitch", [37, 40, 43])
@pytest.mark.parametrize("rate", [RATE, 16_000, 22_050])
def test_notes_sound_at_their_pitch_at_any_rate(pitch: int, rate: int) -> None:
    samples = play(
        Shelf([(40, 100)], seconds=1.5).instrument(), Note(pitch, 100, 0.0, 1.5), seconds=1.0, rate=rate
    )
    assert samples.shape == (rate,)
    assert samples.dtype == np.float32
    cents = 1200 * np.log2(loudest_hz(samples, rate) / (440 * 2 ** ((pitch - 69) / 12)))
    assert abs(cents) < 10


def test_a_short_note_is_released_and_a_long_one_ends_without_a_click() -> None:
    instrument = Shelf([(60, 100)]).instrument()
    short = play(instrument, Note(60, 100, 0.1, 0.15), seconds=0.6)
    assert not short[: RATE // 10].any()
    assert short[RATE // 10 : 3 * RATE // 20].any()
    assert not short[round(0.36 * RATE) :].any()  # released in 0.2 s at most
    long = play(instrument, Note(60, 100, 0.0, 9.0), seconds=0.6)
    end = round(0.2 * RATE)
    assert np.abs(long[end - 4 : end]).max() < 0.05 * np.abs(long).max()
    assert not long[end:].any()


def test_level_follows_velocity() -> None:
    instrument = Shelf([(40, 50), (40, 100)]).instrument()
    levels = [
        np.abs(play(instrument, Note(40, velocity, 0.0, 0.3))).max() for velocity in (10, 40, 80, 100, 127)
    ]
    assert levels == sorted(levels)
    assert levels[-1] > 4 * levels[0]


def test_notes_add_up() -> None:
    instrument = Shelf([(40, 100), (47, 100)]).instrument()
    low, high = Note(39, 100, 0.0, 0.2), Note(50, 80, 0.1, 0.25)
    together = play(instrument, low, high)
    np.testing.assert_allclose(together, play(instrument, low) + play(instrument, high), atol=1e-6)


def test_notes_at_the_edges_and_beyond_are_harmless() -> None:
    instrument = Shelf([(40, 100)]).instrument()
    samples = play(
        instrument,
        Note(40, 100, 0.299, 0.3),
        Note(40, 100, 0.3, 0.4),
        Note(40, 100, 9.0, 9.5),
        Note(40, 100, 0.2, 0.2),
        Note(40, 100, -0.1, 0.1),
    )
    assert samples.shape == (1200,)
    assert np.isfinite(samples).all()
    assert not play(instrument).any()


def test_resampling_upward_does_not_alias() -> None:
    high = (0.5 * np.sin(2 * np.pi * 7_400 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)).astype(np.float32)
    instrument = SampledInstrument(
        InstrumentIdentity("one", "One", None, "shelf", None),
        [SampledNote(60, 100, "high")],
        lambda number: (high.copy(), SAMPLE_RATE),
        BANK,
    )
    at_its_pitch, above = (
        play(instrument, Note(p, 100, 0.0, 0.9), seconds=0.8, rate=SAMPLE_RATE) for p in (60, 63)
    )
    assert np.sqrt(np.mean(above**2)) < 0.02 * np.sqrt(np.mean(at_its_pitch**2))
