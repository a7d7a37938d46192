"""Phrases: MIDI excerpts keep the paper's rule of three notes (section 4) and are cut at the edges; composed ones fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sources.base import Note
from models.errors import TrainingError
from tests.training.tiny_notes import write_midi
from training.compose import compose, single_notes
from training.midi import MidiCollection
from training.phrases import (
    MIN_NOTE_SECONDS,
    MIN_NOTES,
    ONSET_SECONDS,
    PHRASE_SECONDS,
    Phrase,
    PhraseBook,
    cut,
)

DRAWS = 300


def scale(count: int, step: float = 0.5) -> list[tuple[int, float, float]]:
    return [(60 + i % 12, step * i, step * (i + 1)) for i in range(count)]


def at_pitch(pitch: int, count: int = 20) -> list[tuple[int, float, float]]:
    return [(pitch, start, end) for _, start, end in scale(count)]


def table(*notes: Note) -> np.ndarray:
    rows = [(note.pitch, note.velocity, note.start_seconds, note.end_seconds) for note in notes]
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def slow_cut(notes: list[Note], start_seconds: float) -> Phrase:
    """Reference for `cut`: note by note."""
    kept = []
    for note in notes:
        start = max(0.0, note.start_seconds - start_seconds)
        end = min(PHRASE_SECONDS, note.end_seconds - start_seconds)
        if end - start >= MIN_NOTE_SECONDS:
            kept.append(replace(note, start_seconds=start, end_seconds=end))
    return tuple(kept)


def test_notes_crossing_an_edge_are_kept_and_cut() -> None:
    notes = table(
        Note(60, 90, 0.0, 3.0), Note(62, 80, 6.0, 9.0), Note(64, 70, 0.0, 1.9), Note(65, 70, 3.0, 4.0)
    )
    assert cut(notes, 2.0) == (Note(60, 90, 0.0, 1.0), Note(62, 80, 4.0, 5.0), Note(65, 70, 1.0, 2.0))


def test_a_sliver_left_by_the_edge_is_dropped() -> None:
    assert cut(table(Note(60, 90, 0.0, 2.0 + MIN_NOTE_SECONDS / 2)), 2.0) == ()


@given(
    notes=st.lists(
        st.tuples(st.integers(0, 127), st.integers(1, 127), st.integers(0, 900), st.integers(4, 400)),
        max_size=9,
    ),
    start=st.integers(0, 64),
)
def test_cutting_is_that_of_the_slow_twin(notes: list[tuple[int, int, int, int]], start: int) -> None:
    exact = [
        Note(pitch, velocity, begin / 64, (begin + length) / 64) for pitch, velocity, begin, length in notes
    ]
    assert cut(table(*exact), start / 8) == slow_cut(exact, start / 8)


def test_phrases_have_three_notes_inside_five_seconds(tmp_path: Path, rng: np.random.Generator) -> None:
    write_midi(tmp_path / "a.mid", [(0, 40, scale(40)), (1, 0, [(50, 0.0, 1.0), (52, 8.0, 9.0)])])
    book = PhraseBook(MidiCollection.read(tmp_path))
    assert (book.num_tracks, book.tracks_of_family()) == (1, {"string": 1})
    for _ in range(DRAWS):
        phrase = book.excerpt(rng, "string")
        assert len(phrase) >= MIN_NOTES
        assert all(0 <= note.start_seconds < note.end_seconds <= PHRASE_SECONDS for note in phrase)


def test_a_note_that_began_long_before_sounds_on(tmp_path: Path, rng: np.random.Generator) -> None:
    repeated = [(60, 0.1 * i, 0.1 * i + 0.1) for i in range(250)]  # many notes between it and the excerpt
    write_midi(tmp_path / "a.mid", [(0, 16, [(36, 0.0, 29.9), *repeated])])
    book = PhraseBook(MidiCollection.read(tmp_path))
    for _ in range(50):
        drone = [note for note in book.excerpt(rng) if note.pitch == 36]
        assert len(drone) == 1
        assert drone[0].end_seconds - drone[0].start_seconds > 4


def test_the_few_places_of_a_sparse_track_are_found_and_as_likely(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    lonely = [(60, 10.0 * i, 10.0 * i + 1) for i in range(400)]
    triples = [
        (pitch, start + i, start + i + 0.9)
        for pitch, start in ((70, 5_000.0), (71, 5_100.0))
        for i in range(3)
    ]
    write_midi(tmp_path / "a.mid", [(0, 16, lonely + triples)])
    book = PhraseBook(MidiCollection.read(tmp_path))
    drawn = [{note.pitch for note in book.excerpt(rng)} for _ in range(DRAWS)]
    assert all(pitches in ({70}, {71}) for pitches in drawn)
    assert 0.35 < np.mean([pitches == {70} for pitches in drawn]) < 0.65


@pytest.mark.parametrize(("third", "tracks"), [(ONSET_SECONDS - 1 / 64, 1), (ONSET_SECONDS, 0)])
def test_three_notes_must_begin_in_one_window(tmp_path: Path, third: float, tracks: int) -> None:
    write_midi(tmp_path / "a.mid", [(0, 40, [(60, 0.0, 1.0), (62, 1.0, 2.0), (64, third, third + 2)])])
    book = PhraseBook(MidiCollection.read(tmp_path))
    assert book.num_tracks == tracks
    if tracks:
        assert len(book.excerpt(np.random.default_rng(0))) == 3
    else:
        with pytest.raises(TrainingError, match="holds no phrase"):
            book.excerpt(np.random.default_rng(0))


def test_a_book_keeps_to_the_family_where_it_has_tracks(tmp_path: Path, rng: np.random.Generator) -> None:
    write_midi(tmp_path / "a.mid", [(0, 33, at_pitch(30)), (1, 73, at_pitch(90))])
    book = PhraseBook(MidiCollection.read(tmp_path))
    assert all(book.excerpt(rng, "flute")[0].pitch == 90 for _ in range(DRAWS))
    for family in ("organ", "synth_pad", "effect", None):  # which have no track, and which is unknown
        flutes = [book.excerpt(rng, family)[0].pitch == 90 for _ in range(DRAWS)]
        assert 0.4 < np.mean(flutes) < 0.6


def test_pads_and_effects_play_their_own_tracks_where_there_are_some(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    tracks = [(0, 33, at_pitch(30)), (1, 88, at_pitch(70)), (2, 103, at_pitch(71)), (3, 125, at_pitch(90))]
    write_midi(tmp_path / "a.mid", tracks)
    book = PhraseBook(MidiCollection.read(tmp_path))
    assert {book.excerpt(rng, "synth_pad")[0].pitch for _ in range(DRAWS)} == {70, 71}
    assert {book.excerpt(rng, "effect")[0].pitch for _ in range(DRAWS)} == {90}


def test_drums_are_out_unless_they_are_wanted(tmp_path: Path, rng: np.random.Generator) -> None:
    write_midi(tmp_path / "a.mid", [(0, 33, at_pitch(30)), (9, 0, at_pitch(38)), (9, 8, at_pitch(40))])
    midi = MidiCollection.read(tmp_path)

    def pitches(book: PhraseBook, family: str | None) -> set[int]:
        return {note.pitch for _ in range(60) for note in book.excerpt(rng, family)}

    without, with_drums = PhraseBook(midi), PhraseBook(midi, drums=True)
    assert (without.num_tracks, with_drums.num_tracks) == (1, 3)
    assert [pitches(without, family) for family in ("drum", "bass", "flute", None)] == 4 * [{30}]
    assert pitches(with_drums, "drum") == {38, 40}
    assert pitches(with_drums, "bass") == pitches(with_drums, "flute") == {30}
    assert pitches(with_drums, None) == {30}


def test_a_book_of_drums_alone_has_no_melodies(tmp_path: Path, rng: np.random.Generator) -> None:
    write_midi(tmp_path / "a.mid", [(9, 0, at_pitch(38))])
    book = PhraseBook(MidiCollection.read(tmp_path), drums=True)
    assert book.excerpt(rng, "drum")
    with pytest.raises(TrainingError, match="holds no phrase"):
        book.excerpt(rng, "flute")


def test_an_empty_part_has_no_phrase(tmp_path: Path, rng: np.random.Generator) -> None:
    write_midi(tmp_path / "a.mid", [(0, 40, scale(9))])
    book = PhraseBook(MidiCollection.read(tmp_path).part(held=True))
    assert book.num_tracks == 0
    with pytest.raises(TrainingError, match="holds no phrase"):
        book.excerpt(rng)


@given(seed=st.integers(0, 10_000))
def test_composed_phrases_stay_inside_the_clip(seed: int) -> None:
    for make in (compose, single_notes):
        phrase = make(np.random.default_rng(seed))
        assert phrase
        for note in phrase:
            assert 0 <= note.start_seconds < note.end_seconds <= PHRASE_SECONDS
            assert 1 <= note.velocity <= 127
        assert phrase == make(np.random.default_rng(seed))
