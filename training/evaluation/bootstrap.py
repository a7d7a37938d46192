"""Bootstrap intervals: resample the mixtures with replacement and measure each resample (Efron 1979, percentile method).

A resample is a row of counts, so a metric that takes weights measures all resamples in a few matrix products. Average
precision rises when a mixture occurs twice. To correct this bias, the resampled values are shifted so that their mean equals
the measured value.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import Values, ratio, unit_weights

RESAMPLES = 200
LEVELS = (2.5, 97.5)  # percentiles: a 95 % interval

Measure = Callable[
    [Values], Mapping[str, Values]
]  # weights [resample, unit] → values [resample] of each figure


@dataclass(frozen=True)
class Estimate:
    """A measured value and its 95 % interval; the bounds are None where no interval is known."""

    value: float
    low: float | None = None
    high: float | None = None


def resamples(number: int, seed: int, times: int = RESAMPLES) -> Values:
    """Draw `times` resamples of `number` units: counts `[times, number]`, each row sums to `number`."""
    even = np.full(number, 1 / number)
    return np.random.default_rng(seed).multinomial(number, even, size=times).astype(np.float64)


def estimate(measure: Measure, number: int, seed: int) -> dict[str, Estimate]:
    """Measure all `number` units (mixtures or instruments), and estimate intervals by resampling the units."""
    weights = np.concatenate([unit_weights(number), resamples(number, seed)])
    return {name: _percentile_interval(values) for name, values in measure(weights).items()}


def estimate_ratios(
    columns: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]],
    unit_of_query: NDArray[np.int64],
    seed: int,
) -> dict[str, Estimate]:
    """Estimate Σ part / Σ whole for each column of counts (part, whole) `[query]`.

    `unit_of_query [query]` numbers what is resampled together, from 0: queries of one instrument resemble each other. A
    column whose whole is zero is left out.
    """
    number = int(unit_of_query.max()) + 1
    sums = {
        name: (
            np.bincount(unit_of_query, part, minlength=number),
            np.bincount(unit_of_query, whole, minlength=number),
        )
        for name, (part, whole) in columns.items()
        if whole.any()
    }

    def measure(weights: Values) -> dict[str, Values]:
        return {name: ratio(part, whole, weights) for name, (part, whole) in sums.items()}

    return estimate(measure, number, seed)


def _percentile_interval(values: Values) -> Estimate:
    """Return the estimate for `values`: the measured value first, then the resampled ones. Bounds stay within their range."""
    finite = values[np.isfinite(values)]
    resampled = finite[1:]
    if not len(resampled) or not np.isfinite(values[0]):
        return Estimate(float(values[0]))
    shifted = values[0] + np.percentile(resampled, LEVELS) - resampled.mean()
    low, high = np.clip(shifted, finite.min(), finite.max())
    return Estimate(float(values[0]), float(low), float(high))
