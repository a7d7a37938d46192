"""The family model: probabilities, what they add to cosines, and its file."""

from pathlib import Path

import numpy as np
import pytest

from index.search_space import SearchSpace
from models.errors import CheckpointError, EncoderMismatch
from models.family import LEAST_AGREEMENT, STRENGTH, FamilyModel
from models.posterior import SCALE, softmax_shares

FAMILIES = ("bass", "flute", "reed")
DIM = 8
PAIR = ("sha256:single", "sha256:multi")


def unit(seed: int, rows: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, DIM))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def model(steepness: float = 6.0) -> FamilyModel:
    """Hears a family along each of the first axes."""
    return FamilyModel(FAMILIES, steepness * np.eye(3, DIM, dtype=np.float32), np.zeros(3, np.float32))


def test_probabilities_are_a_softmax_and_stay_finite() -> None:
    for steepness in (0.0, 6.0, 1e4):
        share = model(steepness).probability(unit(0, 50))
        assert np.isfinite(share).all()
        assert share.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert model().probability(np.eye(3, DIM, dtype=np.float32)).argmax(axis=1).tolist() == [0, 1, 2]


def test_a_stated_family_counts_wholly_and_an_unknown_one_as_heard() -> None:
    embedding = unit(1, 4)
    share = model().shares(embedding, ["reed", None, "bass", "a family that training never heard"])
    heard = model().probability(embedding)
    assert share[0].tolist() == [0, 0, 1]
    assert share[2].tolist() == [1, 0, 0]
    assert np.array_equal(share[[1, 3]], heard[[1, 3]])


def test_similarity_is_the_cosine_less_what_the_families_take() -> None:
    library, queries = unit(2, 20), unit(3, 7)
    families = [*FAMILIES, None] * 5
    plain, ours = SearchSpace.of(library)(queries), SearchSpace.of(library, families, model())(queries)
    assert plain == pytest.approx(queries @ library.T)
    assert (ours <= plain + 1e-6).all()
    assert (ours >= plain + STRENGTH * np.log(LEAST_AGREEMENT) / SCALE - 1e-6).all()
    agree = np.maximum(model().probability(queries) @ model().shares(library, families).T, LEAST_AGREEMENT)
    product = softmax_shares(plain) * agree**STRENGTH  # as probabilities: the one times the other
    assert softmax_shares(ours) == pytest.approx(product / product.sum(axis=1, keepdims=True), abs=1e-4)


def test_of_two_equally_near_the_one_of_the_heard_family_comes_first() -> None:
    query = np.eye(1, DIM, dtype=np.float32)  # heard as bass
    near = np.array([[0.8, 0.6], [0.8, -0.6]], np.float32) @ np.eye(DIM, dtype=np.float32)[[0, 5]]
    for families in (["bass", "reed"], ["reed", "bass"]):
        found = SearchSpace.of(near, families, model())(query)[0]
        assert found.argmax() == families.index("bass")


def test_an_empty_library_and_no_query_have_similarities() -> None:
    assert SearchSpace.of(unit(4, 0), [], model())(unit(5, 2)).shape == (2, 0)
    assert SearchSpace.of(unit(4, 3), [None] * 3, model())(unit(5, 0)).shape == (0, 3)


def test_a_file_gives_the_model_back_and_belongs_to_one_pair(tmp_path: Path) -> None:
    path = tmp_path / "family.safetensors"
    model().save(path, *PAIR)
    again = FamilyModel.load(path, *PAIR)
    assert again.families == FAMILIES
    assert np.array_equal(again.weight, model().weight)
    for other in (("sha256:other", PAIR[1]), (PAIR[0], "sha256:other")):
        with pytest.raises(EncoderMismatch, match=r"training\.family"):
            FamilyModel.load(path, *other)


def test_a_model_of_clips_belongs_to_the_single_encoder_alone(tmp_path: Path) -> None:
    path = tmp_path / "instrument_family.safetensors"
    model().save(path, PAIR[0], None)
    assert FamilyModel.load(path, PAIR[0], None).families == FAMILIES
    with pytest.raises(EncoderMismatch, match=r"training\.instrument_family"):
        FamilyModel.load(path, "sha256:other", None)
    with pytest.raises(EncoderMismatch, match=r"training\.family"):
        FamilyModel.load(path, *PAIR)


def test_damaged_files_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "family.safetensors"
    model().save(path, *PAIR)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b'"reed', b'"read')[:-4]):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="not a readable family model"):
            FamilyModel.load(path, *PAIR)
    with pytest.raises(ValueError, match="3 families"):
        FamilyModel(FAMILIES, np.zeros((2, DIM), np.float32), np.zeros(3, np.float32))
