"""Libraries with distractors: nested, no repeated members, no near-duplicates of held-out instruments, clear errors."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import TrainingError
from tests.encoders import random_pair
from tests.training.evaluation.held_out_bank import write_splits
from training.evaluation.distractors import DistractorPool, describe_entries
from training.evaluation.embeddings import ClipEmbeddings, unit

SIZES = {"train": (6, 4), "test-a": (5, 3), "test-b": (4, 3)}
CHOSEN = (0, 1, 4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bank")
    write_splits(out, SIZES)
    return out


@pytest.fixture
def views(folder: Path, tmp_path: Path) -> dict[str, ClipEmbeddings]:
    pair = random_pair()
    return {split: ClipEmbeddings.open(pair, folder, split, tmp_path) for split in SIZES}


@pytest.fixture
def distractors(views: dict[str, ClipEmbeddings]) -> DistractorPool:
    return DistractorPool(views["test-a"], CHOSEN, [views["test-b"], views["train"]], num_enrolled=2, seed=0)


def test_every_size_holds_the_true_instruments_first_and_none_twice(distractors: DistractorPool) -> None:
    # 3 held out; place 2 (3 is in the group of 4); 4 of test-b; 6 and 6 · 2 single clips of train
    assert len(distractors) == 3 + 1 + 4 + 6 + 12
    for size in (3, 8, 14, 26):
        entries = distractors.of_size(size)
        assert [(entry.split, entry.place) for entry in entries[:3]] == [
            ("test-a", place) for place in CHOSEN
        ]
        assert len({(entry.split, entry.place, entry.first) for entry in entries}) == size
        assert not [entry for entry in entries[3:] if entry.split == "test-a" and entry.place in (*CHOSEN, 3)]
        assert entries == distractors.of_size(26)[:size]


def test_distractors_come_in_order(distractors: DistractorPool) -> None:
    text = describe_entries(distractors.of_size(26))
    assert text == (
        "3 held out, 1 others of test-a, 4 of test-b, 6 training instruments (train), "
        "12 single clips of training instruments"
    )
    assert all(entry.first >= 2 for entry in distractors.of_size(26) if entry.number == 1)


def test_members_are_the_normalised_means_of_their_clips(
    distractors: DistractorPool, views: dict[str, ClipEmbeddings]
) -> None:
    entries = distractors.of_size(26)
    got = distractors.embeddings(entries)
    for entry, vector in zip(entries, got, strict=True):
        clips = views[entry.split].of_instruments([entry.place], entry.first, entry.first + entry.number)[0]
        np.testing.assert_allclose(vector, unit(clips.mean(axis=0)), atol=1e-6)


@pytest.mark.parametrize("size", [2, 27])
def test_impossible_sizes_are_named(distractors: DistractorPool, size: int) -> None:
    with pytest.raises(TrainingError, match=rf"a library of {size} .* allow 3 to 26") as caught:
        distractors.of_size(size)
    assert (caught.value.value, caught.value.limit) == (size, "3 to 26")


def test_embeddings_are_kept_by_the_encoders_hash(folder: Path, tmp_path: Path) -> None:
    first = ClipEmbeddings.open(random_pair(), folder, "test-b", tmp_path)
    wanted = first.of_rows(np.array([5, 0, 5]))
    np.testing.assert_array_equal(wanted[0], wanted[2])
    other = ClipEmbeddings.open(random_pair(1), folder, "test-b", tmp_path)
    assert len(list(tmp_path.glob("embeddings-test-b-*.npy"))) == 2
    assert np.abs(other.of_rows(np.array([5])) - wanted[0]).max() > 1e-3


def test_kept_embeddings_are_read_again_and_torn_ones_made_again(folder: Path, tmp_path: Path) -> None:
    rows = np.array([0, 5])
    wanted = ClipEmbeddings.open(random_pair(), folder, "test-b", tmp_path).of_rows(rows)
    (path,) = tmp_path.glob("*.npy")
    kept = np.load(path, mmap_mode="r+")
    assert np.flatnonzero(kept.any(axis=1)).tolist() == [0, 5]
    kept[0] = kept[0, ::-1]  # whole, if wrong: it is not made again
    kept[5, 10:] = 0
    got = ClipEmbeddings.open(random_pair(), folder, "test-b", tmp_path).of_rows(rows)
    np.testing.assert_array_equal(got[0], wanted[0, ::-1])
    np.testing.assert_allclose(got[1], wanted[1], atol=1e-6)
    path.write_bytes(path.read_bytes()[:100])
    again = ClipEmbeddings.open(random_pair(), folder, "test-b", tmp_path).of_rows(rows)
    np.testing.assert_allclose(again, wanted, atol=1e-6)
