"""Sections: windows of a file in which two tracks or more play three notes (Kim et al. 2022, section 4)."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from index.sources.base import Note
from models.errors import TrainingError
from tests.training.tiny_notes import write_midi
from training import midi as midi_module
from training.midi import MidiCollection, family_of_track
from training.phrases import MIN_NOTE_SECONDS, MIN_NOTES, ONSET_SECONDS, PHRASE_SECONDS
from training.sections import HOP_SECONDS, SectionBook, SectionTrack

Notes = list[tuple[int, float, float]]


def random_notes(rng: np.random.Generator) -> Notes:
    """Return notes on a grid of 1/64 s, some of them long, with rests and occasional chords."""
    count = int(rng.integers(1, 25))
    starts = np.cumsum(rng.choice([0, 10, 40, 130, 700], size=count)) / 64
    lengths = rng.choice([4, 30, 90, 800], size=count) / 64
    ends = starts + lengths
    return [(40 + i, float(starts[i]), float(ends[i])) for i in range(count)]


def random_tree(folder: Path, rng: np.random.Generator, *, files: int = 6) -> MidiCollection:
    """Write files of one to five tracks, two of which share channel and program, some of drums; one file is damaged."""
    for number in range(files):
        tracks = [
            (int(rng.choice([0, 0, 3, 9])), int(rng.integers(0, 128)), random_notes(rng)) for _ in range(5)
        ]
        tracks[1] = (*tracks[0][:2], tracks[1][2])
        write_midi(folder / f"{number}.mid", tracks[: int(rng.integers(1, 6))])
    (folder / "2b.mid").write_bytes(b"damaged")
    return MidiCollection.read(folder)


def slow_sections(midi: MidiCollection, *, drums: bool) -> list[tuple[SectionTrack, ...]]:
    """Reference: find every section window by window, track by track and note by note."""
    sections = []
    for file in range(len(midi.files)):
        tracks = [track for track in range(len(midi.spans)) if midi.file_of_track[track] == file]
        for number in range(200):
            start, parts = number * HOP_SECONDS, []
            for track in tracks:
                rows = midi.notes[slice(*midi.spans[track])].astype(float)
                onsets = [row for row in rows if start <= row[2] < start + ONSET_SECONDS]
                if len(onsets) < MIN_NOTES or (midi.is_drum[track] and not drums):
                    continue
                notes = []
                for pitch, velocity, begin, end in rows:
                    begin, end = max(begin - start, 0.0), min(end - start, PHRASE_SECONDS)
                    if end - begin >= MIN_NOTE_SECONDS:
                        notes.append(Note(int(pitch), int(velocity), begin, end))
                family = family_of_track(int(midi.programs[track]), bool(midi.is_drum[track]))
                parts.append(SectionTrack(family, bool(midi.is_drum[track]), tuple(notes)))
            if len(parts) >= 2:
                sections.append(tuple(parts))
    return sections


@pytest.mark.parametrize("drums", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_sections_are_those_of_the_slow_twin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, drums: bool
) -> None:
    rng = np.random.default_rng(seed)
    midi = random_tree(tmp_path, rng)
    monkeypatch.setattr(midi_module, "BLOCK_NOTES", int(rng.choice([1, 60, 10_000])))
    for part in (midi, midi.part(held=False)):
        book, wanted = SectionBook(part, drums=drums), slow_sections(part, drums=drums)
        assert book.num_sections == len(wanted)
        assert [book.at(number) for number in range(book.num_sections)] == wanted
        assert book.sections_by_tracks == dict(Counter(len(parts) for parts in wanted))


def test_random_sections_are_all_drawn_alike_and_depend_on_the_generator_alone(tmp_path: Path) -> None:
    notes = [(60 + i, 0.5 * i, 0.5 * i + 0.4) for i in range(20)]
    write_midi(tmp_path / "a.mid", [(0, 40, notes), (1, 73, notes), (9, 0, notes)])
    midi = MidiCollection.read(tmp_path)
    book = SectionBook(midi)
    drawn = [book.section(np.random.default_rng(seed)) for seed in range(200)]
    assert drawn == [SectionBook(midi).section(np.random.default_rng(seed)) for seed in range(200)]
    counts = Counter(drawn)
    assert set(counts) == {book.at(number) for number in range(book.num_sections)}
    assert min(counts.values()) > 200 / book.num_sections / 3
    for parts in drawn:
        assert [part.family for part in parts] == ["string", "flute"]
        assert all(len(part.notes) >= MIN_NOTES for part in parts)
    assert {len(SectionBook(midi, drums=True).at(0))} == {3}


def test_what_sounds_already_is_kept_but_does_not_make_a_part_valid(tmp_path: Path) -> None:
    melody = [(70 + i, 10 + i, 11 + i) for i in range(3)]
    held = [(40, 6.0, 29.0), *((40 + i, 10.0 + i, 10.5 + i) for i in range(1, 4))]
    chord = [(pitch, 6.0, 29.0) for pitch in (50, 54, 57)]
    write_midi(tmp_path / "a.mid", [(0, 40, melody), (1, 32, held), (2, 16, chord)])
    book = SectionBook(MidiCollection.read(tmp_path))
    violin, bass = book.at(book.num_sections - 1)
    assert (violin.family, bass.family) == ("string", "bass")
    assert bass.notes[0] == Note(40, 90, 0.0, PHRASE_SECONDS)


def test_tracks_without_a_common_window_make_no_section(tmp_path: Path, rng: np.random.Generator) -> None:
    early, late = ([(60, start + i, start + i + 1) for i in range(4)] for start in (0.0, 30.0))
    write_midi(tmp_path / "a.mid", [(0, 40, early), (1, 73, late), (9, 0, early)])
    midi = MidiCollection.read(tmp_path)
    for book in (SectionBook(midi), SectionBook(midi.part(held=True))):
        assert (book.num_sections, book.sections_by_tracks) == (0, {})
        with pytest.raises(TrainingError, match="no section of two tracks"):
            book.section(rng)
    assert SectionBook(midi, drums=True).num_sections == 2
