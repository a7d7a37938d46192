"""Checking: an intact data set has no faults, and every kind of damage is named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.errors import TrainingError
from tests.training.nlakh.written import SAMPLE_RATE, instruments, write_multi, write_single
from training.nlakh.dataset import Layout
from training.nlakh.dataset_check import check_dataset

SAMPLES = 40
PLAYED = [(1, 3), (2, 3, 5), (1, 2, 4, 5), (4, 5)]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def single(folder: Path, rng: np.random.Generator, layout: Layout) -> Path:
    clips = rng.integers(-9000, 9000, size=(12, SAMPLES), dtype=np.int16)
    write_single(folder, clips, instruments(4), layout=layout, unit_clips=5)
    return folder


def multi(folder: Path, rng: np.random.Generator, layout: Layout) -> Path:
    mixtures = [[(key, rng.integers(-5000, 5000, SAMPLES, dtype=np.int16)) for key in row] for row in PLAYED]
    write_multi(folder, mixtures, instruments(5), layout=layout)
    return folder


def faults(folder: Path) -> str:
    return "\n".join(f"{what}: {why}" for what, why in check_dataset(folder))


@pytest.mark.parametrize("make", [single, multi])
@pytest.mark.parametrize("layout", ["compact", "folders"])
def test_what_was_written_has_no_fault(
    make: Callable[..., Path], layout: Layout, tmp_path: Path, rng: np.random.Generator
) -> None:
    assert faults(make(tmp_path, rng, layout)) == ""


@pytest.mark.parametrize("make", [single, multi])
@pytest.mark.parametrize("layout", ["compact", "folders"])
def test_one_changed_sample_is_found(
    make: Callable[..., Path], layout: Layout, tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = make(tmp_path, rng, layout)
    name = (
        "shard_00001.npy" if layout == "compact" else "002/0002.wav" if make is single else "000002/003.wav"
    )
    path = folder / "train" / name
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    assert "train/" in faults(folder)


def test_files_that_are_missing_short_or_strange_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = single(tmp_path, rng, "folders")
    train = folder / "train"
    (train / "001/0002.wav").unlink()
    (train / "002/0001.wav").write_bytes((train / "002/0001.wav").read_bytes()[:-8])
    shutil.copy(train / "003/0001.wav", train / "003/0009.wav")
    soundfile.write(train / "004/0003.wav", np.ones(SAMPLES, np.int16), 2 * SAMPLE_RATE, subtype="PCM_16")
    (train / ".single.partial").mkdir()
    told = faults(folder)
    for part in ("001/0002.wav", "002/0001.wav", "003/0009.wav", "32000 Hz", ".single.partial"):
        assert part in told


def test_stems_that_do_not_sum_to_their_mixture_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = multi(tmp_path, rng, "folders")
    mix, rate = soundfile.read(folder / "train/000003/mix.wav", dtype="int16")
    mix[5] += 1
    soundfile.write(folder / "train/000003/mix.wav", mix, rate, subtype="PCM_16")
    assert faults(folder) == "train/000003: the stems do not sum to mix.wav"
    (folder / "dataset.json").unlink()
    assert "train/000003: the stems do not sum to mix.wav" in faults(folder)
    assert "only the form" in faults(folder)


def test_a_mixture_that_lost_a_stem_or_its_mix_is_named(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = multi(tmp_path, rng, "folders")
    (folder / "train/000001/001.wav").unlink()
    (folder / "train/000004/mix.wav").unlink()
    told = faults(folder)
    assert "train/000001: 1 instruments, 2 to 9 are allowed" in told
    assert "train/000004: mix.wav is missing" in told


def test_shards_that_are_missing_or_relabelled_are_named(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = single(tmp_path, rng, "compact")
    (folder / "train/shard_00000.npy").unlink()
    shard = folder / "train/shard_00001.npy"
    shard.write_bytes(shard.read_bytes().replace(b"(5, 40)", b"(4, 50)"))
    (folder / "train/shard_00009.npy").write_bytes(b"")
    told = faults(folder)
    assert "shard_00000.npy" in told
    assert "shard_00001.npy has no header" in told
    assert "shard_00009.npy: belongs to no unit" in told


def test_every_file_that_cannot_be_used_is_named_not_the_first_alone(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = single(tmp_path, rng, "folders")
    for name in ("002/0001.wav", "002/0003.wav"):
        (folder / "train" / name).write_bytes(b"RIFF")
    told = faults(folder)
    assert "002/0001.wav" in told
    assert "002/0003.wav" in told


@pytest.mark.parametrize("layout", ["compact", "folders"])
def test_stems_that_are_said_to_be_of_another_instrument_are_found(
    layout: Layout, tmp_path: Path, rng: np.random.Generator
) -> None:
    """The samples are untouched, and in the same order."""
    folder = multi(tmp_path, rng, layout)
    if layout == "folders":
        (folder / "train/000001/003.wav").rename(folder / "train/000001/004.wav")
    else:
        numbers = np.load(folder / "train/stems.npy")
        numbers[1] = 4
        np.save(folder / "train/stems.npy", numbers)
    assert "checksum" in faults(folder)


def test_mixtures_divided_otherwise_are_found(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = multi(tmp_path, rng, "compact")
    offsets = np.load(folder / "train/mixtures.npy")
    offsets[1] += 1
    np.save(folder / "train/mixtures.npy", offsets)
    assert "checksum" in faults(folder)
    offsets[1] = offsets[2]
    np.save(folder / "train/mixtures.npy", offsets)
    assert "in their tables" in faults(folder)


def test_strange_files_in_a_mixture_and_missing_mixtures_are_named(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = multi(tmp_path, rng, "folders")
    (folder / "train/000001/note.txt").write_text("")
    shutil.rmtree(folder / "train/000002")
    (folder / "train/000003/mix.wav").unlink()
    told = faults(folder)
    assert "train/000001/note.txt: belongs to no mixture" in told
    assert "train/000002: " in told
    assert "train/000003: mix.wav is missing" in told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hours": 9.0}, "9.0"),
        ({"instruments": 7}, "7"),
        ({"clips": 99}, "99"),
    ],
)
def test_counts_that_are_not_those_of_the_files_are_found(
    change: dict[str, float], told: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = single(tmp_path, rng, "compact")
    raw = json.loads((folder / "dataset.json").read_text())
    raw["splits"]["train"] |= change
    (folder / "dataset.json").write_text(json.dumps(raw))
    assert told in faults(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("families", {"bass": {"instruments": 1, "clips": 3}}), ("instruments_per_mixture", {})],
)
def test_families_and_sizes_that_are_not_those_of_the_mixtures_are_found(
    field: str, value: object, tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = multi(tmp_path, rng, "compact")
    raw = json.loads((folder / "dataset.json").read_text()) | {field: value}
    (folder / "dataset.json").write_text(json.dumps(raw))
    assert ": it says" in faults(folder)


@pytest.mark.parametrize("change", [{"kind": "triple"}, {"layout": None}, {"parameters": {}}, {"splits": {}}])
def test_a_description_that_cannot_be_worked_with_is_refused(
    change: dict[str, object], tmp_path: Path, rng: np.random.Generator
) -> None:
    folder = single(tmp_path, rng, "compact")
    raw = json.loads((folder / "dataset.json").read_text()) | change
    (folder / "dataset.json").write_text(json.dumps(raw))
    with pytest.raises(TrainingError, match="cannot be read"):
        faults(folder)


def test_a_published_copy_of_uneven_form_is_named(tmp_path: Path, rng: np.random.Generator) -> None:
    folder = multi(tmp_path, rng, "folders")
    (folder / "dataset.json").unlink()
    soundfile.write(folder / "train/000001/001.wav", np.ones(SAMPLES + 1, np.int16), SAMPLE_RATE)
    soundfile.write(folder / "train/000003/002.wav", np.ones(SAMPLES, np.int16), 2 * SAMPLE_RATE)
    told = faults(folder)
    assert "train/000001: " in told
    assert "train/000003: 002.wav is at 32000 Hz, not 16000" in told


def test_an_unfinished_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / ".rendering").mkdir()
    assert faults(tmp_path) == "dataset.json: rendering was not finished"
