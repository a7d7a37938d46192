"""OpenMIC-2018's published form is read without unpickling more than names, and a damaged folder names the file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from models.errors import TrainingError
from tests.training.tiny_openmic import CLASSES, write_openmic
from training.openmic import read_openmic
from training.recognition.weak_clips import CLIP_SAMPLES, openmic_clips

TRAIN = [f"{track:06d}_{start}" for track in range(46, 66) for start in (3840, 268800)]
TEST = ["140001_0", "140002_7680"]
LABELS, ARRAYS = "openmic-2018-aggregated-labels.csv", "openmic-2018.npz"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openmic")
    write_openmic(folder, TRAIN, TEST, seconds=0.2)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A copy, to be damaged."""
    return Path(shutil.copytree(written, tmp_path / "openmic"))


def test_sides_labels_and_features_are_read(tmp_path: Path) -> None:
    relevance = write_openmic(tmp_path, TRAIN, TEST, seconds=0.2)
    train, valid, test = (read_openmic(tmp_path, split) for split in ("train", "valid", "test"))
    assert train.classes == CLASSES
    assert test.keys == tuple(TEST)
    assert {*train.keys, *valid.keys} == {*TRAIN}
    assert valid.keys
    tracks = [{key[:6] for key in one.keys} for one in (train, valid)]
    assert not tracks[0] & tracks[1]  # the clips of a track stay together
    assert np.array_equal(test.is_labelled, ~np.isnan(relevance[-2:]))
    assert np.allclose(test.relevance[test.is_labelled], relevance[-2:][test.is_labelled])
    with np.load(tmp_path / ARRAYS) as arrays:
        assert np.array_equal(test.published, arrays["X"][-2:])
    assert test.audio[1] == tmp_path / "audio" / "140" / "140002_7680.ogg"


def test_clips_are_ten_seconds_of_mono_and_truth_is_known_where_it_is_labelled(folder: Path) -> None:
    clips = openmic_clips(folder, "test")
    wave = clips.wave(1)
    assert wave.shape == (CLIP_SAMPLES,)
    assert wave.dtype == np.float32
    assert 0.02 < wave.std() < 0.2
    assert not clips.truth[~clips.is_labelled].any()
    found = read_openmic(folder, "test")
    assert np.array_equal(clips.truth[clips.is_labelled], found.relevance[clips.is_labelled] >= 0.5)


def test_names_that_are_no_objects_are_read_too(folder: Path) -> None:
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        values = dict(arrays)
    np.savez(folder / ARRAYS, **values | {"sample_key": values["sample_key"].astype(str)})
    assert read_openmic(folder, "test").keys == tuple(TEST)


class Attack:
    """An object that would run code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("run",))


def test_pickled_code_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with np.load(folder / ARRAYS, allow_pickle=True) as arrays:
        values = dict(arrays)
    np.savez(folder / ARRAYS, **values | {"sample_key": np.array([Attack()] * len(values["X"]), object)})
    with pytest.raises(TrainingError, match=r"openmic-2018\.npz is not .* sample_key holds builtins\.print"):
        read_openmic(folder, "test")
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("class-map.json", "{", "is not of OpenMIC's form"),
        ("class-map.json", "[]", "is not of OpenMIC's form"),
        ("class-map.json", json.dumps({"a": 0, "b": 2}), "places of its 2 classes"),
        ("class-map.json", json.dumps({"a": 0}), "has the shape"),
        (ARRAYS, "no archive", "is not of OpenMIC's form"),
        ("partitions/split01_test.csv", "140001_0\n140001_0\n", "stands in it twice"),
        ("partitions/split01_test.csv", "999999_0\n", "names the clip 999999_0"),
        ("partitions/split01_test.csv", "", "no clips of the split test"),
        (LABELS, "sample_key,instrument,relevance,num_responses\n", "labels 0 entries"),
        (
            LABELS,
            "sample_key,instrument\n140001_0,kazoo\n",
            "line 2 names the clip 140001_0 and the class kazoo",
        ),
    ],
)
def test_damaged_files_are_named(folder: Path, name: str, text: str, reason: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(TrainingError, match=reason) as caught:
        read_openmic(folder, "test")
    at_fault = ARRAYS if reason == "has the shape" else Path(name).name
    assert at_fault in str(caught.value) or "no clips" in reason


@pytest.mark.parametrize("name", ["class-map.json", ARRAYS, LABELS, "partitions/split01_test.csv"])
def test_missing_files_are_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(TrainingError, match=Path(name).name.replace(".", r"\.")):
        read_openmic(folder, "test")


def test_missing_and_damaged_clips_are_named(folder: Path) -> None:
    clips = openmic_clips(folder, "test")
    audio = folder / "audio" / "140" / "140001_0.ogg"
    audio.write_bytes(b"no audio")
    with pytest.raises(TrainingError, match=r"140001_0\.ogg cannot be read"):
        clips.wave(0)
    audio.unlink()
    with pytest.raises(TrainingError, match=r"140001_0\.ogg is missing"):
        read_openmic(folder, "test")


def test_arrays_that_are_cut_off_are_named(folder: Path) -> None:
    whole = (folder / ARRAYS).read_bytes()
    (folder / ARRAYS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TrainingError, match=r"openmic-2018\.npz is not of OpenMIC's form"):
        read_openmic(folder, "test")
