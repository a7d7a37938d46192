"""The match model: features by hand, a probability that rises with the evidence, words in order, files of one pair only."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from models.errors import CheckpointError, EncoderMismatch
from models.match import FEATURES, MAX_WEIGHT, NO_MATCH, WORDS, LaneEvidence, MatchModel
from tests.encoders import match_by_similarity

DIM = 8
PAIR = ("sha256:single", "sha256:multi")


def evidence(cosine: list[list[float]], **changes: np.ndarray) -> LaneEvidence:
    """Return one lane for each row of cosines: one window, in which its best hit is the best."""
    lanes, size = np.shape(cosine)
    ones = np.ones(lanes, np.float32)
    embedding = np.tile(np.eye(1, DIM, dtype=np.float32), (lanes, 1))
    found = LaneEvidence(
        embedding, 0.9 * ones, np.array(cosine, np.float32), np.ones(size, np.int64), ones, ones, 2 * ones
    )
    return replace(found, **changes)


def feature(found: LaneEvidence, name: str, cohort: np.ndarray | None = None) -> list[float]:
    """Return one feature of each lane, against a cohort at right angles to all lanes."""
    far = np.eye(1, DIM, 1, dtype=np.float32)
    column = found.features(far if cohort is None else cohort)[:, FEATURES.index(name)]
    return [float(value) for value in column]


def test_features_of_two_lanes_by_hand() -> None:
    found = evidence([[0.2, 0.9, 0.4], [0.3, 0.3, 0.3]], num_clips=np.array([2, 4, 99]))
    assert feature(found, "similarity") == pytest.approx([0.9, 0.3])
    assert feature(found, "gap") == pytest.approx([0.5, 0.0])
    assert feature(found, "entropy")[1] == pytest.approx(1.0)  # nothing tells the instruments apart
    assert feature(found, "entropy")[0] < 0.1
    assert feature(found, "presence") == pytest.approx([0.9, 0.9])
    assert feature(found, "library_size") == pytest.approx([np.log(3)] * 2)
    assert feature(found, "num_clips") == pytest.approx([np.log(4), np.log(2)])
    assert feature(found, "crowd") == pytest.approx([2.0, 2.0])
    near = np.array([[0.6, 0.8] + [0.0] * 6, [0.0, 1.0] + [0.0] * 6], np.float32)
    assert feature(found, "cohort_gap", near) == pytest.approx([0.3, -0.3])
    assert feature(found, "cohort_mean_gap", near) == pytest.approx([0.6, 0.0])
    many = np.concatenate([near[:1]] * 10 + [near[1:]] * 50)
    assert feature(found, "cohort_mean_gap", many) == pytest.approx([0.3, -0.3])  # of the ten nearest alone


def test_agreement_needs_windows() -> None:
    windows = np.array([1.0, 2.0, 4.0, 4.0, 400.0], np.float32)
    agreeing = np.array([1.0, 2.0, 4.0, 0.0, 400.0], np.float32)
    found = evidence([[0.5, 0.1]] * 5, weight=windows, agreeing=agreeing)
    got = feature(found, "agreement")
    assert got[0] < got[1] < got[2] < got[4] < 1
    assert got[3] == 0
    assert feature(found, "windows")[4] == pytest.approx(np.log(MAX_WEIGHT))  # no more than the fit has seen


def test_instruments_that_are_left_out_count_for_nothing() -> None:
    small = evidence([[0.7, 0.4]], num_clips=np.array([3, 5]))
    hidden = -np.inf
    large = evidence([[hidden, 0.7, hidden, 0.4]], num_clips=np.array([9, 3, 9, 5]))
    cohort = np.eye(2, DIM, dtype=np.float32)
    assert large.features(cohort) == pytest.approx(small.features(cohort))


def test_a_library_of_one_and_an_empty_answer_have_features() -> None:
    assert np.isfinite(evidence([[0.5]]).features(np.eye(1, DIM, dtype=np.float32))).all()
    none = np.zeros(0, np.float32)
    lanes = LaneEvidence(
        none.reshape(0, DIM), none, none.reshape(0, 3), np.ones(3, np.int64), none, none, none
    )
    assert lanes.features(np.eye(1, DIM, dtype=np.float32)).shape == (0, len(FEATURES))
    assert match_by_similarity(DIM).matches(lanes) == ()


def test_without_a_shown_instrument_there_is_no_match() -> None:
    assert match_by_similarity(DIM).matches(evidence([[-np.inf] * 3] * 2)) == (NO_MATCH, NO_MATCH)


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=2))
def test_more_similar_is_more_probable_and_no_weaker_a_word(similarity: list[float]) -> None:
    low, high = sorted(similarity)
    one, other = match_by_similarity(DIM).matches(evidence([[low], [high]]))
    assert 0 <= one.probability <= other.probability <= 1
    assert WORDS.index(one.word) >= WORDS.index(other.word)


def test_words_begin_at_their_thresholds() -> None:
    model = replace(match_by_similarity(DIM), threshold={"strong": 0.8, "fair": 0.5, "weak": 0.25})
    probabilities = (1.0, 0.8, 0.79, 0.5, 0.49, 0.25, 0.24, 0.0)
    words = [model.word(one) for one in probabilities]
    assert words == ["strong", "strong", "fair", "fair", "weak", "weak", "none", "none"]


def test_probabilities_stay_finite() -> None:
    model = replace(match_by_similarity(DIM), weight=(1e9,) * len(FEATURES))
    features = np.array([[1e9] * len(FEATURES), [-1e9] * len(FEATURES)])
    assert model.probability(features) == pytest.approx([1.0, 0.0])


def test_a_file_gives_the_model_back(tmp_path: Path) -> None:
    model = replace(match_by_similarity(DIM), metrics={"absence_auroc": 0.8})
    path = tmp_path / "match.safetensors"
    model.save(path, *PAIR)
    again = MatchModel.load(path, *PAIR)
    assert replace(again, cohort=model.cohort) == model
    assert (again.cohort == model.cohort).all()
    assert path.stat().st_mode & 0o444 == 0o444  # a service runs as another user


@pytest.mark.parametrize("other", [("sha256:other", PAIR[1]), (PAIR[0], "sha256:other")])
def test_the_model_of_another_pair_is_refused(tmp_path: Path, other: tuple[str, str]) -> None:
    path = tmp_path / "match.safetensors"
    match_by_similarity(DIM).save(path, *other)
    with pytest.raises(EncoderMismatch, match=r"other encoders .*python -m training.match"):
        MatchModel.load(path, *PAIR)


@pytest.mark.parametrize("damage", ["cut", "text", "header", "features", "coefficients"])
def test_damaged_files_are_refused_in_words(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "match.safetensors"
    match_by_similarity(DIM).save(path, *PAIR)
    data = path.read_bytes()
    if damage == "header":
        save_file(load_file(path), path)
    else:
        changed = {
            "cut": data[: len(data) // 2],
            "text": b"hello " * 99,
            "features": data.replace(b"similarity", b"familiarit"),
            "coefficients": data.replace(b'reach\\"', b'reech\\"'),
        }
        path.write_bytes(changed[damage])
        assert path.read_bytes() != data
    with pytest.raises(CheckpointError, match=path.name):
        MatchModel.load(path, *PAIR)
