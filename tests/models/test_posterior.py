"""The posterior of a library: equal to its definition, with the expected effect of presence and of competing instruments."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.posterior import library_posterior, softmax_shares

COSINES = arrays(np.float32, (3, 4), elements=st.floats(-1, 1, width=32))
PRESENCE = arrays(np.float32, 3, elements=st.floats(0, 1, width=32))


def by_definition(cosine: np.ndarray, presence: np.ndarray, scale: float) -> list[float]:
    out = []
    for instrument in range(cosine.shape[1]):
        absent = 1.0
        for slot in range(cosine.shape[0]):
            weights = [math.exp(scale * float(value)) for value in cosine[slot]]
            absent *= 1 - float(presence[slot]) * weights[instrument] / sum(weights)
        out.append(1 - absent)
    return out


@given(COSINES, PRESENCE)
def test_it_is_what_it_is_defined_to_be(cosine: np.ndarray, presence: np.ndarray) -> None:
    got = library_posterior(cosine, presence, 8.0)
    assert got == pytest.approx(by_definition(cosine, presence, 8.0), abs=1e-5)
    assert (got >= 0).all()
    assert (got <= 1).all()


def test_an_unused_slot_says_nothing() -> None:
    cosine = np.array([[0.9, 0.1, 0.0], [0.0, 0.1, 0.95]], np.float32)
    both = library_posterior(cosine, np.array([1.0, 0.0], np.float32))
    alone = library_posterior(cosine[:1], np.array([1.0], np.float32))
    assert both == pytest.approx(alone)


def test_a_rival_as_near_halves_the_probability() -> None:
    presence = np.ones(1, np.float32)
    alone = library_posterior(np.array([[0.8, -1.0, -1.0]], np.float32), presence)[0]
    shared = library_posterior(np.array([[0.8, 0.8, -1.0]], np.float32), presence)
    assert alone == pytest.approx(1, abs=1e-4)
    assert shared[:2] == pytest.approx([0.5, 0.5], abs=1e-4)


def test_a_batch_is_worked_on_row_by_row() -> None:
    rng = np.random.default_rng(0)
    cosine = rng.uniform(-1, 1, (5, 9, 20)).astype(np.float32)
    presence = rng.random((5, 9), dtype=np.float32)
    whole = library_posterior(cosine, presence)
    rows = [library_posterior(*row) for row in zip(cosine, presence, strict=True)]
    assert np.allclose(whole, rows)


def test_an_instrument_left_out_leaves_its_share_to_the_others() -> None:
    cosine = np.array([[0.8, 0.7, 0.1]], np.float32)
    left = softmax_shares(np.where([True, False, False], -np.inf, cosine).astype(np.float32))
    assert left[0, 0] == 0
    assert left[0, 1:] == pytest.approx(softmax_shares(cosine[:, 1:])[0])
