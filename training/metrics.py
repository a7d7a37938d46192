"""The paper's metrics: equal error rate for verification; F1 and mean average precision for retrieval, macro and weighted.

Kim et al. 2022, section 5. Conventions: relevance and scores are matrices `[mixture, instrument]`; an average is taken over the
instruments (columns) that occur at least once, `macro` evenly, `weighted` by how often they occur, as scikit-learn does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_curve

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


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


@dataclass(frozen=True)
class Averages:
    """One metric averaged over classes evenly (`macro`) and by their frequency (`weighted`)."""

    macro: float
    weighted: float


def f1(true: Bools, predicted: Bools) -> Averages:
    """F1 of sets `[mixture, class]`."""
    occurs = true.any(axis=0)
    scores = [
        float(f1_score(true[:, occurs], predicted[:, occurs], average=average, zero_division=0))
        for average in ("macro", "weighted")
    ]
    return Averages(*scores)


def mean_average_precision(true: Bools, score: Floats) -> Averages:
    """Average precision of each class's ranking of the mixtures, `[mixture, class]`, averaged over classes."""
    occurs = true.any(axis=0)
    scores = [
        float(average_precision_score(true[:, occurs], score[:, occurs], average=average))
        for average in ("macro", "weighted")
    ]
    return Averages(*scores)


def to_families(instruments: Bools, family: NDArray[np.int64], num_families: int) -> Bools:
    """Map sets of instruments `[mixture, instrument]` to sets of families; instruments of family -1 take no part."""
    out = np.zeros((len(instruments), num_families), dtype=bool)
    for column, index in enumerate(family):
        if index >= 0:
            out[:, index] |= instruments[:, column]
    return out


def recall_at(true: Bools, score: Floats, k: int) -> float:
    """Share of the true instruments found among the `k` best-scored, over all mixtures `[mixture, instrument]`."""
    best = np.argpartition(-score, min(k, score.shape[1]) - 1, axis=1)[:, :k]
    hit = np.zeros_like(true)
    np.put_along_axis(hit, best, True, axis=1)
    return float((true & hit).sum() / true.sum())
