"""Sections hold drums and three other tracks; kits, voices and instruments play on their own side."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import TrainingError
from tests.training.productions.conftest import FAMILIES, Inputs
from tests.training.tiny_notes import write_midi
from training.midi import MidiCollection
from training.nlakh.instrument_selection import InstrumentCollection
from training.productions.arrangement import MIN_BEATS, ProductionBook
from training.productions.roles import role_of, split_in_productions


def test_a_section_is_drums_and_the_tracks_that_play_in_it(inputs: Inputs) -> None:
    book = ProductionBook(MidiCollection.read(inputs.midi), 15.0)
    assert book.has_section()
    for seed in range(10):
        drums, *others = book.section(np.random.default_rng(seed))
        assert drums.is_drum
        assert len(drums.notes) >= MIN_BEATS
        assert {track.family for track in others} == set(FAMILIES)
        for track in (drums, *others):
            assert all(0 <= note.start_seconds < note.end_seconds <= 15 for note in track.notes)


def test_drums_on_several_tracks_are_one_part(tmp_path: Path) -> None:
    line = [(60, 0.5 * i, 0.5 * i + 0.4) for i in range(40)]
    beats = [[(key, 1.0 * i, 1.0 * i + 0.1) for i in range(20)] for key in (36, 38)]
    tracks = [(channel, 33 + channel, line) for channel in range(3)]
    write_midi(tmp_path / "song.mid", [*tracks, (9, 0, beats[0]), (9, 0, beats[1])])
    drums, *others = ProductionBook(MidiCollection.read(tmp_path), 15.0).section(np.random.default_rng(0))
    assert {note.pitch for note in drums.notes} == {36, 38}
    assert len(others) == 3


@pytest.mark.parametrize("lacks", ["drums", "tracks"])
def test_files_without_drums_or_tracks_hold_no_section(lacks: str, tmp_path: Path) -> None:
    line = [(60, 0.5 * i, 0.5 * i + 0.4) for i in range(40)]
    tracks = [(channel, 33, line) for channel in range(2 if lacks == "tracks" else 4)]
    drums = [] if lacks == "drums" else [(9, 0, line)]
    write_midi(tmp_path / "song.mid", [*tracks, *drums])
    book = ProductionBook(MidiCollection.read(tmp_path), 15.0)
    assert not book.has_section()
    with pytest.raises(TrainingError, match="no section of drums and three other tracks"):
        book.section(np.random.default_rng(0))


def test_roles_and_sides(inputs: Inputs) -> None:
    found = {one.id: one for one in InstrumentCollection([inputs.notes, inputs.real])}
    roles = {key: role_of(one) for key, one in found.items()}
    kit = next(key for key in found if "drums_test" in key)
    singer = next(key for key in found if "voice_test" in key)
    assert (roles["bass_0"], roles[kit], roles[singer]) == ("track", "drums", "voice")
    assert sum(role == "drums" for role in roles.values()) == 4  # the training kit has two variants
    for key in (kit, singer):
        assert split_in_productions(found[key], "test-real", ("train", "test-same")) == "test-same"
        assert split_in_productions(found[key], "test-real", ("train",)) is None
    assert split_in_productions(found["bass_0"], "train", ("train", "valid")) == "train"
    for key, one in found.items():
        if roles[key] == "drums" and key != kit:
            assert split_in_productions(one, "train", ("train",)) in ("train", "valid")
