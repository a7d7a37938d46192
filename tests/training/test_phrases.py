"""Phrases: MIDI excerpts keep the paper's rule of three notes (section 4), are cut at the edges and fit the range."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sources.base import Note
from models.errors import TrainingError
from tests.training.tiny_notes import write_midi
from training.compose import compose, single_notes
from training.midi_tracks import read_tracks
from training.phrases import MIN_NOTE_SECONDS, MIN_NOTES, PHRASE_SECONDS, PhraseBook, cut, fit_range, is_held

NOTES = st.lists(st.integers(0, 127), min_size=1, max_size=12)


def phrase_of(pitches: list[int]) -> tuple[Note, ...]:
    return tuple(Note(pitch, 90, 0.1 * i, 0.1 * i + 0.2) for i, pitch in enumerate(pitches))


def scale(count: int, step: float = 0.5) -> list[tuple[int, float, float]]:
    return [(60 + i % 12, step * i, step * (i + 1)) for i in range(count)]


def test_notes_crossing_an_edge_are_kept_and_cut() -> None:
    notes = (Note(60, 90, 0.0, 3.0), Note(62, 80, 6.0, 9.0), Note(64, 70, 0.0, 1.9), Note(65, 70, 3.0, 4.0))
    assert cut(notes, 2.0) == (Note(60, 90, 0.0, 1.0), Note(62, 80, 4.0, 5.0), Note(65, 70, 1.0, 2.0))


def test_a_sliver_left_by_the_edge_is_dropped() -> None:
    assert cut((Note(60, 90, 0.0, 2.0 + MIN_NOTE_SECONDS / 2),), 2.0) == ()


@given(pitches=NOTES, low=st.integers(20, 80), span=st.integers(0, 50))
def test_fitted_phrases_lie_in_the_range(pitches: list[int], low: int, span: int) -> None:
    fitted = fit_range(phrase_of(pitches), low, low + span)
    assert all(low <= note.pitch <= low + span for note in fitted)
    if span >= 11:
        assert all((a.pitch - b) % 12 == 0 for a, b in zip(fitted, pitches, strict=True))


@given(pitches=st.lists(st.integers(40, 50), min_size=1, max_size=8), octaves=st.integers(-3, 3))
def test_a_phrase_that_fits_moves_as_a_whole_and_no_further_than_it_must(
    pitches: list[int], octaves: int
) -> None:
    moved = fit_range(phrase_of([pitch + 12 * octaves for pitch in pitches]), 40, 61)
    shifts = {a.pitch - b for a, b in zip(moved, pitches, strict=True)}
    assert len(shifts) == 1
    assert shifts <= {0, 12}
    if octaves == 0:
        assert shifts == {0}


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(TrainingError):
        fit_range(phrase_of([60]), 60, 59)


def test_tracks_are_separated_by_channel_and_program_without_drums(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [(0, 40, scale(5)), (1, 0, scale(4)), (9, 0, scale(9))])
    tracks = read_tracks(tmp_path / "a.mid")
    assert [(track.program, len(track.notes)) for track in tracks] == [(40, 5), (0, 4)]
    np.testing.assert_allclose(tracks[0].notes[2], [62, 90, 1.0, 1.5], atol=1e-3)


def test_a_book_counts_damaged_files_and_gives_three_notes(tmp_path: Path, rng: np.random.Generator) -> None:
    write_midi(tmp_path / "midi/good.mid", [(0, 40, scale(40)), (1, 0, [(50, 0.0, 1.0), (52, 8.0, 9.0)])])
    (tmp_path / "midi/bad.mid").write_bytes(b"MThd, not really")
    book = PhraseBook.from_midi(tmp_path / "midi")
    assert (book.num_files, book.num_damaged, book.num_tracks) == (2, 1, 1)
    for _ in range(50):
        phrase = book.excerpt(rng, "string")
        assert len(phrase) >= MIN_NOTES
        assert all(0 <= note.start_seconds < note.end_seconds <= PHRASE_SECONDS for note in phrase)


def test_a_book_prefers_the_family_but_not_always(tmp_path: Path, rng: np.random.Generator) -> None:
    low, high = ([(pitch, start, end) for _, start, end in scale(20)] for pitch in (30, 90))
    write_midi(tmp_path / "a.mid", [(0, 33, low), (1, 73, high)])
    book = PhraseBook.from_midi(tmp_path)
    flutes = [book.excerpt(rng, "flute")[0].pitch == 90 for _ in range(200)]
    assert 0.65 < np.mean(flutes) < 0.95


def test_the_cache_gives_the_same_book(tmp_path: Path) -> None:
    write_midi(tmp_path / "midi/a.mid", [(0, 40, scale(40))])
    books = [PhraseBook.from_midi(tmp_path / "midi", cache=tmp_path / "book.npz") for _ in range(2)]
    phrases = [[book.excerpt(np.random.default_rng(i)) for i in range(5)] for book in books]
    assert phrases[0] == phrases[1]
    write_midi(tmp_path / "midi/b.mid", [(0, 40, scale(30))])
    assert PhraseBook.from_midi(tmp_path / "midi", cache=tmp_path / "book.npz").num_files == 2


def test_held_files_share_no_track_with_the_others(tmp_path: Path) -> None:
    names = [f"{i}.mid" for i in range(40)]
    for i, name in enumerate(names):
        write_midi(tmp_path / name, [(0, i, scale(8))])
    book = PhraseBook.from_midi(tmp_path)
    held, others = book.part(held=True), book.part(held=False)
    assert set(held.programs) == {i for i, name in enumerate(names) if is_held(name)}
    assert not set(held.programs) & set(others.programs)
    assert held.num_tracks + others.num_tracks == 40


def test_a_folder_without_phrases_is_refused(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", [(0, 0, [(60, 0.0, 1.0)])])
    with pytest.raises(TrainingError):
        PhraseBook.from_midi(tmp_path)


@given(seed=st.integers(0, 10_000))
def test_composed_phrases_stay_inside_the_clip(seed: int) -> None:
    for make in (compose, single_notes):
        phrase = make(np.random.default_rng(seed))
        assert phrase
        for note in phrase:
            assert 0 <= note.start_seconds < note.end_seconds <= PHRASE_SECONDS
            assert 1 <= note.velocity <= 127
        assert phrase == make(np.random.default_rng(seed))
