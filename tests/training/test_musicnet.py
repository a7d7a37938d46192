"""MusicNet's published form is read, with a validation side of its own, and damaged tables are named by file and line."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.errors import TrainingError
from training.musicnet import (
    NO_PITCH,
    PERCUSSION,
    SEVEN,
    ScoredNote,
    classes_of,
    instrument_of_family,
    recordings_of,
    write_recording,
)

HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Thirty training and two test recordings, at 44.1 kHz, as MusicNet names and writes them."""
    for side, ids in (("train", range(1727, 1757)), ("test", (2303, 1819))):
        for folder in ("data", "labels"):
            (tmp_path / f"{side}_{folder}").mkdir()
        for key in ids:
            soundfile.write(tmp_path / f"{side}_data" / f"{key}.wav", np.zeros(44_100, np.float32), 44_100)
            rows = "9182,90078,43,53,4.0,1.5,Dotted Quarter\n9182,33758,42,65,4.0,0.5,Eighth\n"
            (tmp_path / f"{side}_labels" / f"{key}.csv").write_text(HEADER + rows)
    return tmp_path


def test_recordings_and_notes_are_read(published: Path) -> None:
    train, valid, test = (recordings_of(published, split) for split in ("train", "valid", "test"))
    assert len(train) + len(valid) == 30
    assert valid
    assert not {one.id for one in train} & {one.id for one in valid}
    assert [one.id for one in test] == ["1819", "2303"]
    first, second = test[0].notes()
    assert first == ScoredNote(9182 / 44_100, 90_078 / 44_100, 43, 53)
    assert second.pitch == 65
    samples = test[0].samples(16_000)
    assert samples.shape == (16_000,)
    assert samples.dtype == np.float32


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    notes = [ScoredNote(0.0, 0.5, 41, 60), ScoredNote(0.25, 0.75, PERCUSSION, NO_PITCH)]
    for split in ("train", "valid"):
        write_recording(tmp_path, split, "one", np.arange(800, dtype=np.int16), 16_000, notes)
    (found,) = recordings_of(
        tmp_path, "train"
    )  # a folder with a validation side of its own is not divided again
    assert list(found.notes()) == notes
    assert np.array_equal(np.round(found.samples(16_000) * 32_768), np.arange(800))


def test_instruments_are_classes() -> None:
    seven = classes_of(tuple(SEVEN))
    assert [seven[number] for number in (1, 41, 42, 43, 72, 71, 61)] == list(range(7))
    assert len(seven) == 7
    families = classes_of(("string", "drum"))
    assert families[41] == families[43] == 0
    assert families[PERCUSSION] == 1
    assert 1 not in families
    for family in ("bass", "drum", "synth_pad", "effect", "vocal"):
        assert classes_of((family,))[instrument_of_family(family)] == 0
    with pytest.raises(TrainingError, match="kazoo is no class"):
        classes_of(("kazoo",))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (HEADER + "1,2,41,sixty,0,0,\n", "line 2 of .*2303.csv"),
        (HEADER + "1,2,41,60,0,0,\n5,4,41,60,0,0,\n", "line 3 of .*out of range"),
        (HEADER + "1,2,400,60,0,0,\n", "instrument 400"),
        ("start,end\n1,2\n", "line 2 of"),
    ],
)
def test_damaged_tables_are_named(published: Path, text: str, reason: str) -> None:
    (published / "test_labels" / "2303.csv").write_text(text)
    with pytest.raises(TrainingError, match=reason):
        recordings_of(published, "test")[1].notes()


def test_folders_of_another_form_are_refused(
    published: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.raises(TrainingError, match="not of MusicNet's form"):
        recordings_of(tmp_path_factory.mktemp("empty"), "train")
    (published / "test_data" / "2303.wav").write_bytes(b"no audio")
    with pytest.raises(TrainingError, match=r"2303\.wav cannot be read"):
        recordings_of(published, "test")[1].samples(16_000)
    (published / "test_labels" / "2303.csv").unlink()
    with pytest.raises(TrainingError, match=r"has no 2303\.csv"):
        recordings_of(published, "test")
