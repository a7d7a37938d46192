"""The paper's metrics: equal error rate for verification; F1 and mean average precision for retrieval, macro and weighted.

Kim et al. 2022, section 5. Conventions: relevance and scores are matrices `[mixture, instrument]`; an average is taken over the
instruments (columns) that occur at least once, `macro` evenly, `weighted` by how often they occur, as scikit-learn does.
All but the equal error rate take `weights [resample, mixture]`, how often each mixture counts, and give one value a resample:
`training/evaluation/bootstrap.py` asks for hundreds at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]
Values = NDArray[np.float64]  # one a resample


def equal_error_rate(target: Bools, score: Floats) -> float:
    """Where false-accept and false-reject rate meet, by linear interpolation between the two nearest thresholds.

    Args:
        target: `[trials]`, True for trials of the same instrument; both kinds must occur.
        score: `[trials]`, higher is more alike.
    """
    if target.all() or not target.any():
        raise ValueError("an equal error rate needs trials of both kinds")
    false_accept, true_accept, _ = roc_curve(target, score, drop_intermediate=False)
    gap = (1 - true_accept) - false_accept  # false reject - false accept, falling
    after = int(np.argmax(gap <= 0))
    before = max(after - 1, 0)
    span = gap[before] - gap[after]
    share = gap[before] / span if span else 0.0
    return float(false_accept[before] + share * (false_accept[after] - false_accept[before]))


def unit_weights(number: int) -> Values:
    """Weights that count each of `number` mixtures once: `[1, number]`."""
    return np.ones((1, number))


def ratio(part: NDArray[np.generic], whole: NDArray[np.generic], weights: Values) -> Values:
    """Σ part over Σ whole, both `[mixture]`: `[resample]`; NaN where the whole is nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Values = (weights @ part.astype(np.float64)) / (weights @ whole.astype(np.float64))
    return out


@dataclass(frozen=True)
class Averages:
    """One metric averaged over classes evenly (`macro`) and by their frequency (`weighted`), each `[resample]`."""

    macro: Values
    weighted: Values


def _averaged(value: Values, support: Values) -> Averages:
    """Average `value [resample, class]` over the classes with `support` in the resample."""
    total = support.sum(axis=1)
    return Averages(
        (value * (support > 0)).sum(axis=1) / (support > 0).sum(axis=1), (value * support).sum(axis=1) / total
    )


def f1(true: Bools, predicted: Bools, weights: Values) -> Averages:
    """F1 of sets `[mixture, class]`."""
    both, either = weights @ (true & predicted), weights @ (true.astype(np.float64) + predicted)
    return _averaged(2 * both / np.maximum(either, 1e-12), weights @ true)


def mean_average_precision(true: Bools, score: Floats, weights: Values) -> Averages:
    """Average precision of each class's ranking of the mixtures, `[mixture, class]`, averaged over classes."""
    precision = np.stack(
        [_average_precision(true[:, place], score[:, place], weights) for place in range(true.shape[1])],
        axis=1,
    )
    return _averaged(precision, weights @ true)


def _average_precision(true: Bools, score: Floats, weights: Values) -> Values:
    """Σ (recall gained at a threshold · precision there) over the distinct thresholds of `score [mixture]`."""
    order = np.argsort(-score, kind="stable")
    starts = _first_of_equals(score[order])
    weighed = weights[:, order]
    right = np.add.reduceat(weighed * true[order], starts, axis=1)  # [resample, threshold]
    named = np.add.reduceat(weighed, starts, axis=1).cumsum(axis=1)
    precision = right.cumsum(axis=1) / np.maximum(named, 1e-12)
    out: Values = (right * precision).sum(axis=1) / np.maximum(right.sum(axis=1), 1e-12)
    return out


def _first_of_equals(ordered: Floats) -> NDArray[np.int64]:
    """Where each run of equal values begins."""
    return np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def auroc(target: Bools, score: Floats, weights: Values) -> Values:
    """Probability that a target's score is above another's, ties half, for `[trial]` and `weights [resample, trial]`."""
    order = np.argsort(score, kind="stable")
    starts = _first_of_equals(score[order])
    targets = np.add.reduceat(weights[:, order] * target[order], starts, axis=1)  # [resample, distinct score]
    others = np.add.reduceat(weights[:, order] * ~target[order], starts, axis=1)
    above = (targets * (others.cumsum(axis=1) - others / 2)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Values = above / (targets.sum(axis=1) * others.sum(axis=1))
    return out


def to_families(instruments: Bools, family: NDArray[np.int64], num_families: int) -> Bools:
    """Map sets of instruments `[mixture, instrument]` to sets of families; instruments of family -1 take no part."""
    out = np.zeros((len(instruments), num_families), dtype=bool)
    for column, index in enumerate(family):
        if index >= 0:
            out[:, index] |= instruments[:, column]
    return out
