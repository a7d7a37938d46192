"""Bootstrap intervals cover the true value at the stated rate, and the same seed draws the same resamples."""

import numpy as np

from training.evaluation.bootstrap import Estimate, estimate, resamples
from training.evaluation.metrics import Values, mean_average_precision, ratio


def mean_of(values: np.ndarray, seed: int = 0) -> Estimate:
    def measure(weights: Values) -> dict[str, Values]:
        return {"mean": ratio(values, np.ones(len(values)), weights)}

    return estimate(measure, len(values), seed)["mean"]


def test_a_resample_draws_as_many_as_there_are() -> None:
    drawn = resamples(17, seed=1, times=50)
    assert (drawn.sum(axis=1) == 17).all()
    assert np.array_equal(drawn, resamples(17, seed=1, times=50))
    assert abs(drawn.mean() - 1) < 1e-9


def test_intervals_cover_the_truth_nineteen_times_of_twenty() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        figure = mean_of(rng.normal(3.0, 1.0, size=60), seed)
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high
        covered += figure.low <= 3.0 <= figure.high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_interval_of_average_precision_lies_around_it() -> None:
    rng = np.random.default_rng(0)
    true, score = rng.random((100, 5)) < 0.1, rng.random((100, 5)).astype(np.float32)

    def measure(weights: Values) -> dict[str, Values]:
        return {"map": mean_average_precision(true, score, weights).macro}

    figure = estimate(measure, 100, seed=0)["map"]
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high


def test_no_interval_of_shares_leaves_zero_to_one() -> None:
    for number in range(10):
        figure = mean_of(np.arange(9) < number)
        assert figure.low is not None
        assert figure.high is not None
        assert 0 <= figure.low <= figure.high <= 1


def test_what_is_no_number_has_no_interval() -> None:
    def measure(weights: Values) -> dict[str, Values]:
        return {"none": ratio(np.zeros(4), np.zeros(4), weights)}

    assert estimate(measure, 4, seed=0)["none"].low is None


def test_what_never_varies_has_an_interval_of_no_width() -> None:
    figure = mean_of(np.full(10, 0.25))
    assert (figure.value, figure.low, figure.high) == (0.25, 0.25, 0.25)
