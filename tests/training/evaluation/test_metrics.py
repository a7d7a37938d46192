"""Metrics against their definitions: scikit-learn and plain loops check the weighted versions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from training.evaluation.metrics import (
    auroc,
    calibration_error,
    equal_error_rate,
    f1,
    mean_average_precision,
    ratio,
    to_families,
    unit_weights,
)

seeds = st.integers(0, 10_000)


@settings(max_examples=50, deadline=None)
@given(seed=seeds, shift=st.floats(0, 4))
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
    got = f1(true, predicted, unit_weights(3))
    assert got.macro == pytest.approx([(0.8 + 2 / 3) / 2])
    assert got.weighted == pytest.approx([(3 * 0.8 + 2 * 2 / 3) / 5])


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_weights_stand_for_mixtures_that_occur_several_times(seed: int) -> None:
    """Each weighted metric equals scikit-learn's on the mixtures repeated as often as they were drawn."""
    rng = np.random.default_rng(seed)
    true, found = rng.random((12, 4)) < 0.5, rng.random((12, 4)) < 0.5
    score = rng.integers(0, 5, size=(12, 4)).astype(np.float32)  # with ties
    weights = rng.multinomial(12, np.full(12, 1 / 12), size=3).astype(float)
    got_f1, got_map = f1(true, found, weights), mean_average_precision(true, score, weights)
    for place, row in enumerate(weights.astype(int)):
        drawn = np.repeat(np.arange(12), row)
        occurs = true[drawn].any(axis=0)
        for average in ("macro", "weighted"):
            wanted = f1_score(
                true[drawn][:, occurs], found[drawn][:, occurs], average=average, zero_division=0
            )
            assert getattr(got_f1, average)[place] == pytest.approx(wanted)
            wanted = average_precision_score(true[drawn][:, occurs], score[drawn][:, occurs], average=average)
            assert getattr(got_map, average)[place] == pytest.approx(wanted)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_auroc_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    target = np.append(rng.random(30) < 0.5, [True, False])
    score = rng.integers(0, 8, size=32).astype(np.float32)
    weights = rng.integers(1, 4, size=(3, 32)).astype(float)
    wanted = [roc_auc_score(target, score, sample_weight=row) for row in weights]
    assert auroc(target, score, weights) == pytest.approx(wanted)


def test_auroc_without_both_kinds_is_no_number() -> None:
    assert np.isnan(auroc(np.array([True, True]), np.array([1, 2], np.float32), unit_weights(2))).all()


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_the_calibration_error_is_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probability, target = np.append(rng.random(30), [0.0, 1.0]), rng.random(32) < 0.5
    weights = rng.integers(0, 4, size=(3, 32)).astype(float)
    for row, got in zip(weights, calibration_error(target, probability, weights), strict=True):
        drawn = np.repeat(np.arange(32), row.astype(int))
        wanted = 0.0
        for tenth in range(10):
            here = [i for i in drawn if tenth <= 10 * probability[i] < tenth + 1 + (tenth == 9)]
            if here:
                distance = abs(probability[here].mean() - target[here].mean())
                wanted += distance * len(here) / len(drawn)
        assert got == pytest.approx(wanted)


def test_probabilities_that_come_true_are_calibrated() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(20_000)
    target = rng.random(20_000) < probability
    assert calibration_error(target, probability, unit_weights(20_000)) == pytest.approx([0], abs=0.02)
    assert calibration_error(target, 0 * probability, unit_weights(20_000)) == pytest.approx([0.5], abs=0.02)


def test_map_of_perfect_and_random_rankings() -> None:
    rng = np.random.default_rng(0)
    true = rng.random((500, 6)) < 0.2
    assert mean_average_precision(true, true.astype(np.float32), unit_weights(500)).macro == pytest.approx(
        [1]
    )
    chance = mean_average_precision(true, rng.random(true.shape).astype(np.float32), unit_weights(500))
    assert chance.macro == pytest.approx([0.2], abs=0.06)


def test_families_join_their_instruments() -> None:
    sets = np.array([[1, 0, 0, 1], [0, 1, 1, 0]], bool)
    family = np.array([0, 0, 2, -1])
    assert to_families(sets, family, 3).tolist() == [[True, False, False], [True, False, True]]


def test_ratio_of_nothing_is_no_number() -> None:
    weights = np.array([[1.0, 2.0], [0.0, 0.0]])
    got = ratio(np.array([1, 3]), np.array([2, 4]), weights)
    assert got[0] == pytest.approx(0.7)
    assert np.isnan(got[1])
