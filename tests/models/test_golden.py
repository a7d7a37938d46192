"""The shipped encoders give the committed figures on the CPU, from the renderer to the hits.

`make_golden.py` made the figures and documents the procedure. The tolerances are for other processors and other versions of
torch: two builds differ by about 1e-5, while another weight file, DSP number or renderer moves the figures far outside.
"""

import numpy as np
import pytest

from tests.models.make_golden import GOLDEN, Golden, measure

LEVEL_TOLERANCE_DB = 0.01
MIN_COSINE = 0.9999
PRESENCE_TOLERANCE = SIMILARITY_TOLERANCE = 0.002
PROBABILITY_TOLERANCE = 0.01


@pytest.fixture(scope="module")
def golden() -> Golden:
    return Golden.from_json(GOLDEN.read_text())


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Golden:
    return measure(tmp_path_factory.mktemp("golden"))


def test_the_parts_have_the_committed_levels(golden: Golden, measured: Golden) -> None:
    assert np.allclose(measured.part_dbfs, golden.part_dbfs, atol=LEVEL_TOLERANCE_DB)


def test_a_phrase_has_the_committed_embedding(golden: Golden, measured: Golden) -> None:
    assert measured.encoder == golden.encoder
    assert measured.embedding @ golden.embedding > MIN_COSINE


def test_a_mixture_has_the_committed_presences(golden: Golden, measured: Golden) -> None:
    assert np.allclose(measured.presence, golden.presence, atol=PRESENCE_TOLERANCE)


def test_a_mixture_has_the_committed_hits(golden: Golden, measured: Golden) -> None:
    assert measured.num_instruments == golden.num_instruments
    assert measured.hits == golden.hits
    assert np.allclose(measured.similarity, golden.similarity, atol=SIMILARITY_TOLERANCE)


def test_a_library_has_the_committed_ranking(golden: Golden, measured: Golden) -> None:
    assert measured.ranking == golden.ranking
    assert np.allclose(measured.probability, golden.probability, atol=PROBABILITY_TOLERANCE)
