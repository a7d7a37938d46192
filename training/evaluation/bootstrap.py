"""Bootstrap intervals: what is measured is drawn again with replacement, and measured again (Efron 1979, percentile method).

Resamples are rows of counts, so that a metric which takes weights gives all of its values in a few matrix products. Average
precision is higher where mixtures occur twice: resampled values are moved by their mean's distance from the measured one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from training.evaluation.metrics import Values, unit_weights

RESAMPLES = 200
LEVELS = (2.5, 97.5)  # percentiles that bound 95 %

Measure = Callable[
    [Values], Mapping[str, Values]
]  # weights [resample, unit] → each figure's values [resample]


@dataclass(frozen=True)
class Estimate:
    """A measured value, and where there is one its 95 % interval."""

    value: float
    low: float | None = None
    high: float | None = None


def resamples(number: int, seed: int, times: int = RESAMPLES) -> Values:
    """How often each of `number` units is drawn in each of `times` resamples: `[times, number]`, rows sum to `number`."""
    even = np.full(number, 1 / number)
    return np.random.default_rng(seed).multinomial(number, even, size=times).astype(np.float64)


def estimate(measure: Measure, number: int, seed: int) -> dict[str, Estimate]:
    """The figures of all `number` units (mixtures or instruments), with intervals from resampling them."""
    weights = np.concatenate([unit_weights(number), resamples(number, seed)])
    return {name: _figure(values) for name, values in measure(weights).items()}


def _figure(values: Values) -> Estimate:
    """From the measured value, which stands first, and the resampled ones; an interval stays in the range of them all."""
    finite = values[np.isfinite(values)]
    again = finite[1:]
    if not len(again) or not np.isfinite(values[0]):
        return Estimate(float(values[0]))
    moved = values[0] + np.percentile(again, LEVELS) - again.mean()
    low, high = np.clip(moved, finite.min(), finite.max())
    return Estimate(float(values[0]), float(low), float(high))
