"""The paper's metrics: equal error rate for verification; F1 and mean average precision for retrieval, macro and weighted.

Kim et al. 2022, section 5. Relevance and scores are matrices `[mixture, instrument]`. Averages run over the instruments
(columns) that occur at least once: `macro` counts them evenly, `weighted` by frequency, as in scikit-learn. All metrics except
the equal error rate take `weights [resample, mixture]`, the count of each mixture, and return one value for each resample,
because `training/evaluation/bootstrap.py` measures hundreds of resamples at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Values = NDArray[np.float64]  # [resample]

CALIBRATION_BINS = 10


def equal_error_rate(target: Bools, score: Floats) -> float:
    """Return the rate at which false accepts equal false rejects, interpolated between the two nearest thresholds.

    Args:
        target: `[trials]`, True for trials of the same instrument. Both values must occur.
        score: `[trials]`, higher for more similar sounds.
    """
    if target.all() or not target.any():
        raise ValueError("an equal error rate needs trials of both kinds")
    false_accept, true_accept, _ = roc_curve(target, score, drop_intermediate=False)
    gap = (1 - true_accept) - false_accept  # false rejects - false accepts, decreasing
    after = int(np.argmax(gap <= 0))
    before = max(after - 1, 0)
    span = gap[before] - gap[after]
    share = gap[before] / span if span else 0.0
    return float(false_accept[before] + share * (false_accept[after] - false_accept[before]))


def unit_weights(number: int) -> Values:
    """Return weights `[1, number]` that count each mixture once."""
    return np.ones((1, number))


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic], weights: Values) -> Values:
    """Return Σ part / Σ whole `[resample]` of values `[mixture]`; NaN where Σ whole is zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Values = (weights @ part.astype(np.float64)) / (weights @ whole.astype(np.float64))
    return out


@dataclass(frozen=True)
class Averages:
    """One metric averaged over classes evenly (`macro`) and by their frequency (`weighted`), each `[resample]`."""

    macro: Values
    weighted: Values


def _averaged(value: Values, support: Values) -> Averages:
    """Average `value [resample, class]` over the classes with nonzero `support` in the resample."""
    total = support.sum(axis=1)
    return Averages(
        (value * (support > 0)).sum(axis=1) / (support > 0).sum(axis=1), (value * support).sum(axis=1) / total
    )


def f1(true: Bools, predicted: Bools, weights: Values) -> Averages:
    """Return the F1 of predicted sets `[mixture, class]`, averaged over classes."""
    both, either = weights @ (true & predicted), weights @ (true.astype(np.float64) + predicted)
    return _averaged(2 * both / np.maximum(either, 1e-12), weights @ true)


def mean_average_precision(true: Bools, score: Floats, weights: Values) -> Averages:
    """Return the average precision with which each class ranks the mixtures, averaged over classes (`[mixture, class]`)."""
    precision = np.stack(
        [_average_precision(true[:, place], score[:, place], weights) for place in range(true.shape[1])],
        axis=1,
    )
    return _averaged(precision, weights @ true)


def _average_precision(true: Bools, score: Floats, weights: Values) -> Values:
    """Return Σ (recall gain · precision) over the distinct thresholds of `score [mixture]`."""
    order = np.argsort(-score, kind="stable")
    starts = _first_of_equals(score[order])
    weighed = weights[:, order]
    right = np.add.reduceat(weighed * true[order], starts, axis=1)  # [resample, threshold]
    named = np.add.reduceat(weighed, starts, axis=1).cumsum(axis=1)
    precision = right.cumsum(axis=1) / np.maximum(named, 1e-12)
    out: Values = (right * precision).sum(axis=1) / np.maximum(right.sum(axis=1), 1e-12)
    return out


def _first_of_equals(ordered: Floats | Values) -> NDArray[np.int64]:
    """Return the index at which each run of equal values begins."""
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def auroc(target: Bools, score: Floats | Values, weights: Values) -> Values:
    """Return P(score of a target > score of a non-target), ties counted half: `[trial]`, `weights [resample, trial]`."""
    order = np.argsort(score, kind="stable")
    starts = _first_of_equals(score[order])
    targets = np.add.reduceat(weights[:, order] * target[order], starts, axis=1)  # [resample, distinct score]
    others = np.add.reduceat(weights[:, order] * ~target[order], starts, axis=1)
    above = (targets * (others.cumsum(axis=1) - others / 2)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Values = above / (targets.sum(axis=1) * others.sum(axis=1))
    return out


def calibration_error(target: Bools, probability: Values, weights: Values) -> Values:
    """Return the mean distance of probabilities from what they promise: `[trial]`, `weights [resample, trial]` → `[resample]`.

    The expected calibration error of Guo et al. 2017: over `CALIBRATION_BINS` bins of equal width, each weighted by its trials.
    """
    bins = np.minimum((probability * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    member = np.eye(CALIBRATION_BINS)[bins]  # [trial, bin]
    distance = np.abs((weights * (probability - target)) @ member)  # [resample, bin]
    out: Values = distance.sum(axis=1) / weights.sum(axis=1)
    return out


def to_families(instruments: Bools, family: NDArray[np.int64], num_families: int) -> Bools:
    """Map sets of instruments `[mixture, instrument]` to sets of families; instruments of family -1 are ignored."""
    out = np.zeros((len(instruments), num_families), dtype=bool)
    for column, index in enumerate(family):
        if index >= 0:
            out[:, index] |= instruments[:, column]
    return out
