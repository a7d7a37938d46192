"""The clip bank's form: what is written is read back, and an unfinished or damaged folder is refused in words."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import TrainingError
from training.bank import Bank, BankHeader, BankInstrument, write_header, write_shard

CLIP_SAMPLES, CLIPS = 50, 3


@pytest.fixture
def clips(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(-32768, 32768, size=(5 * CLIPS, CLIP_SAMPLES), dtype=np.int16)


@pytest.fixture
def folder(tmp_path: Path, clips: np.ndarray) -> Path:
    names = ("shard_00000.npy", "shard_00001.npy", "shard_00002.npy")
    for name, part in zip(names, np.split(clips, [2 * CLIPS, 4 * CLIPS]), strict=True):
        write_shard(tmp_path / name, part)
    instruments = tuple(BankInstrument(f"i{i}", f"I {i}", None, "test", "train", i, i == 2) for i in range(5))
    write_header(tmp_path, BankHeader(16_000, CLIP_SAMPLES, CLIPS, 1, instruments, names))
    return tmp_path


def test_a_bank_written_is_read_back(folder: Path, clips: np.ndarray) -> None:
    bank = Bank.open(folder)
    assert (bank.num_clips, bank.clip_samples, bank.clips_per_instrument) == (15, CLIP_SAMPLES, CLIPS)
    assert bank.instruments[2] == BankInstrument("i2", "I 2", None, "test", "train", 2, True)
    assert bank.rows([]).shape == (0, CLIP_SAMPLES)
    np.testing.assert_array_equal(bank.clip(7), clips[7])


def test_rows_in_any_order_and_twice(folder: Path, clips: np.ndarray, rng: np.random.Generator) -> None:
    bank = Bank.open(folder)
    wanted = rng.integers(0, 15, size=200)
    np.testing.assert_array_equal(bank.rows(wanted), clips[wanted])


@pytest.mark.parametrize("row", [-1, 15])
def test_rows_outside_are_refused(folder: Path, row: int) -> None:
    with pytest.raises(IndexError):
        Bank.open(folder).rows([0, row])


def test_the_whole_bank_becomes_one_tensor(folder: Path, clips: np.ndarray) -> None:
    tensor = Bank.open(folder).to_tensor("cpu")
    assert tensor.dtype == torch.int16
    np.testing.assert_array_equal(tensor.numpy(), clips)


def test_writing_leaves_no_temporary_file(folder: Path) -> None:
    assert not list(folder.glob("*.tmp"))


def test_an_unfinished_bank_is_refused(folder: Path) -> None:
    (folder / "bank.json").unlink()
    with pytest.raises(TrainingError, match="render it to its end"):
        Bank.open(folder)


@pytest.mark.parametrize("damage", [b"", b"not an array"])
def test_a_damaged_shard_is_refused(folder: Path, damage: bytes) -> None:
    (folder / "shard_00001.npy").write_bytes(damage)
    with pytest.raises(TrainingError, match="shard_00001"):
        Bank.open(folder)


def test_a_cut_or_short_shard_is_refused(folder: Path, clips: np.ndarray) -> None:
    whole = (folder / "shard_00001.npy").read_bytes()
    (folder / "shard_00001.npy").write_bytes(whole[:-10])
    with pytest.raises(TrainingError):
        Bank.open(folder)
    write_shard(folder / "shard_00001.npy", clips[:2])
    with pytest.raises(TrainingError, match="in the header"):
        Bank.open(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sample_rate": 1}'])
def test_a_damaged_header_is_refused(folder: Path, text: str) -> None:
    (folder / "bank.json").write_text(text)
    with pytest.raises(TrainingError, match=r"bank\.json"):
        Bank.open(folder)
