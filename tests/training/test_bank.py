"""Banks of clips in both layouts: clips are read back as written, and unfinished or damaged folders raise clear errors."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import TrainingError
from tests.training.nlakh.written import instruments, write_multi, write_single
from training.bank import Bank, CombinedBank
from training.nlakh.dataset import read_dataset
from training.nlakh.dataset_check import check_dataset

CLIP_SAMPLES, CLIPS = 50, 3


@pytest.fixture
def clips(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-32768, 32768, size=(5 * CLIPS, CLIP_SAMPLES), dtype=np.int16)


@pytest.fixture
def folder(tmp_path: Path, clips: np.ndarray) -> Path:
    """Three shards."""
    write_single(tmp_path, clips, instruments(5))
    return tmp_path


@pytest.fixture(params=["compact", "folders", "published"])
def bank(request: pytest.FixtureRequest, tmp_path: Path, clips: np.ndarray) -> Bank:
    """The same clips in each layout."""
    write_single(
        tmp_path, clips, instruments(5), layout="compact" if request.param == "compact" else "folders"
    )
    if request.param == "published":
        (tmp_path / "dataset.json").unlink()
    return Bank.open(tmp_path)


def test_a_bank_written_is_read_back(bank: Bank, clips: np.ndarray) -> None:
    assert (bank.num_clips, bank.clip_samples, bank.clips_per_instrument) == (15, CLIP_SAMPLES, CLIPS)
    assert [row.number for row in bank.instruments] == [1, 2, 3, 4, 5]
    assert bank.instrument_of_clip.tolist() == [i // CLIPS for i in range(15)]
    assert bank.rows([]).shape == (0, CLIP_SAMPLES)
    np.testing.assert_array_equal(bank.rows([7])[0], clips[7])
    assert (bank.kind, bank.num_mixtures, bank.offsets.tolist()) == ("single", 15, list(range(16)))


def test_rows_in_any_order_and_twice(bank: Bank, clips: np.ndarray, rng: np.random.Generator) -> None:
    wanted = rng.integers(0, 15, size=200)
    np.testing.assert_array_equal(bank.rows(wanted), clips[wanted])


@pytest.mark.parametrize("row", [-1, 15])
def test_rows_outside_are_refused(bank: Bank, row: int) -> None:
    with pytest.raises(IndexError):
        bank.rows([0, row])


def test_the_whole_bank_becomes_one_tensor(bank: Bank, clips: np.ndarray) -> None:
    tensor = bank.to_tensor("cpu")
    assert tensor.dtype == torch.int16
    np.testing.assert_array_equal(tensor.numpy(), clips)


def test_names_and_sides_come_with_a_data_set_of_ours(folder: Path) -> None:
    assert Bank.open(folder).instruments == instruments(5)


def test_a_data_set_of_before_pads_and_effects_gets_its_families_from_the_names(
    tmp_path: Path, clips: np.ndarray
) -> None:
    named = (("Fret Noise", None), ("Warm Pad", None), ("Sitar", None), ("Twerp", None), ("Saw Lead", "bass"))
    rows = [
        replace(row, name=name, family=family)
        for row, (name, family) in zip(instruments(5), named, strict=True)
    ]
    written = write_single(tmp_path, clips, rows)
    families = [row.family for row in Bank.open(tmp_path).instruments]
    assert families == ["effect", "synth_pad", "guitar", None, "bass"]
    assert read_dataset(tmp_path) == written  # and is as it was
    assert list(check_dataset(tmp_path)) == []


def test_writing_leaves_no_temporary_file(folder: Path) -> None:
    assert not [path for path in folder.rglob("*") if "partial" in path.name]


def test_an_unfinished_bank_is_refused(folder: Path) -> None:
    (folder / "dataset.json").unlink()
    (folder / ".rendering").mkdir()
    with pytest.raises(TrainingError, match="render it to its end"):
        Bank.open(folder)


def test_another_split_or_kind_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="with the splits train"):
        Bank.open(folder, "valid")
    stem = np.ones(10, np.int16)
    write_multi(tmp_path / "multi", [[(1, stem), (2, stem)]], instruments(2))
    with pytest.raises(TrainingError, match="Nlakh-multi"):
        Bank.open(tmp_path / "multi")


def test_instruments_with_unequal_numbers_of_clips_are_refused(tmp_path: Path, clips: np.ndarray) -> None:
    write_single(tmp_path, clips, instruments(5), layout="folders")
    (tmp_path / "train/002/0003.wav").unlink()
    with pytest.raises(TrainingError, match=r"\[2, 3\] clips"):
        Bank.open(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"not an array"])
def test_a_damaged_shard_is_refused(folder: Path, damage: bytes) -> None:
    (folder / "train/shard_00001.npy").write_bytes(damage)
    with pytest.raises(TrainingError, match="shard_00001"):
        Bank.open(folder)


def test_a_cut_shard_is_refused(folder: Path) -> None:
    whole = (folder / "train/shard_00001.npy").read_bytes()
    (folder / "train/shard_00001.npy").write_bytes(whole[:-10])
    with pytest.raises(TrainingError, match=f"{len(whole) - 10} bytes"):
        Bank.open(folder)
    (folder / "train/shard_00001.npy").write_bytes(bytes(len(whole)))
    with pytest.raises(TrainingError, match="no header"):
        Bank.open(folder).rows([8])


def test_a_clip_of_another_length_is_refused(tmp_path: Path, clips: np.ndarray) -> None:
    write_single(tmp_path, clips, instruments(5), layout="folders")
    wav = (tmp_path / "train/004/0002.wav").read_bytes()
    (tmp_path / "train/004/0002.wav").write_bytes(wav[:-20])
    bank = Bank.open(tmp_path)
    with pytest.raises(TrainingError, match=r"0002\.wav"):
        bank.rows([3 * CLIPS + 1])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 7}'])
def test_a_damaged_header_is_refused(folder: Path, text: str) -> None:
    (folder / "dataset.json").write_text(text)
    with pytest.raises(TrainingError, match=r"dataset\.json"):
        Bank.open(folder)


def test_counts_that_do_not_fit_are_refused(folder: Path) -> None:
    raw = json.loads((folder / "dataset.json").read_text())
    raw["parameters"]["clips"]["train"] = 4
    (folder / "dataset.json").write_text(json.dumps(raw))
    with pytest.raises(TrainingError, match="20 are wanted"):
        Bank.open(folder)


def test_combined_banks_hold_the_clips_of_all(tmp_path: Path, rng: np.random.Generator) -> None:
    """Their instruments stand side by side, and a row is read from the bank that holds it."""
    written = [rng.integers(-9, 9, size=(n * CLIPS, CLIP_SAMPLES), dtype=np.int16) for n in (5, 2, 3)]
    for number, clips in enumerate(written):
        write_single(tmp_path / str(number), clips, instruments(len(clips) // CLIPS))
    both = CombinedBank([Bank.open(tmp_path / str(number)) for number in range(3)])
    whole = np.concatenate(written)
    assert (len(both.instruments), both.num_clips, both.clip_samples) == (10, 30, CLIP_SAMPLES)
    assert both.instrument_of_clip.tolist() == [i // CLIPS for i in range(30)]
    wanted = rng.integers(0, 30, size=100)
    np.testing.assert_array_equal(both.rows(wanted), whole[wanted])
    assert torch.equal(both.to_tensor(), torch.from_numpy(whole))
    for row in (-1, 30):
        with pytest.raises(IndexError):
            both.rows([row])


def test_only_banks_of_equal_clips_are_combined(tmp_path: Path, folder: Path, clips: np.ndarray) -> None:
    write_single(tmp_path / "fewer", clips[: 5 * (CLIPS - 1)], instruments(5))
    write_multi(tmp_path / "mixtures", [[(1, clips[0]), (2, clips[1])]], instruments(5))
    single, fewer = Bank.open(folder), Bank.open(tmp_path / "fewer")
    with pytest.raises(TrainingError, match="clips_per_instrument 3, 2 cannot"):
        CombinedBank([single, fewer])
    with pytest.raises(TrainingError, match="kind multi cannot"):
        CombinedBank([Bank.open(tmp_path / "mixtures", kind="multi")])
