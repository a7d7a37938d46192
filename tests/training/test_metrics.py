"""Metrics against their definitions: brute-force EER, F1 counted by hand, perfect and hopeless rankings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics import equal_error_rate, f1, mean_average_precision, recall_at, to_families


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(0, 4))
def test_eer_lies_where_the_two_error_rates_cross(seed: int, shift: float) -> None:
    rng = np.random.default_rng(seed)
    target = np.repeat([True, False], 40)
    score = (rng.normal(size=80) + shift * target).astype(np.float32)
    rate = equal_error_rate(target, score)
    thresholds = np.append(np.sort(score), np.inf)
    accept = np.array([(score[~target] >= value).mean() for value in thresholds])
    reject = np.array([(score[target] < value).mean() for value in thresholds])
    assert np.minimum(accept, reject).max() - 1e-6 <= rate <= np.maximum(accept, reject).min() + 1e-6


def test_eer_of_perfect_and_opposite_scores() -> None:
    target = np.array([True, True, False, False])
    assert equal_error_rate(target, np.array([4, 3, 2, 1], np.float32)) == 0
    assert equal_error_rate(target, np.array([1, 2, 3, 4], np.float32)) == 1
    with pytest.raises(ValueError, match="both kinds"):
        equal_error_rate(np.array([True]), np.array([1], np.float32))


def test_f1_counts_by_hand() -> None:
    true = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]], bool)
    predicted = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 0]], bool)
    # first column: precision 1, recall 2/3 → .8; second: precision 1, recall 1/2 → 2/3; the third never occurs
    got = f1(true, predicted)
    assert got.macro == pytest.approx((0.8 + 2 / 3) / 2)
    assert got.weighted == pytest.approx((3 * 0.8 + 2 * 2 / 3) / 5)


def test_map_of_perfect_and_random_rankings() -> None:
    rng = np.random.default_rng(0)
    true = rng.random((500, 6)) < 0.2
    assert mean_average_precision(true, true.astype(np.float32)).macro == 1
    chance = mean_average_precision(true, rng.random(true.shape).astype(np.float32))
    assert chance.macro == pytest.approx(0.2, abs=0.06)


def test_families_join_their_instruments() -> None:
    sets = np.array([[1, 0, 0, 1], [0, 1, 1, 0]], bool)
    family = np.array([0, 0, 2, -1])
    assert to_families(sets, family, 3).tolist() == [[True, False, False], [True, False, True]]


def test_recall_at_k() -> None:
    true = np.array([[1, 0, 1, 0]], bool)
    score = np.array([[0.9, 0.8, 0.7, 0.1]], np.float32)
    assert [recall_at(true, score, k) for k in (1, 2, 3, 9)] == [0.5, 0.5, 1.0, 1.0]
