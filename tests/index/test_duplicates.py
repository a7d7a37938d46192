"""Groups of near-identical instruments equal a brute-force reference, and the index applies them to present instruments."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.duplicates import find_similar_groups
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from models.encoder_pair import EncoderPair
from tests.index.fake_source import FakeInstrument, FakeSource


def groups_by_brute_force(vectors: np.ndarray, min_similarity: float) -> set[frozenset[int]]:
    """Reference: compare all pairs, and merge the groups of every similar pair."""
    groups = [{i} for i in range(len(vectors))]
    for i in range(len(vectors)):
        for j in range(i):
            if vectors[i] @ vectors[j] >= min_similarity - 1e-6:
                one, other = (next(group for group in groups if row in group) for row in (i, j))
                if one is not other:
                    one |= other
                    groups.remove(other)
    return {frozenset(group) for group in groups if len(group) > 1}


@settings(deadline=None)
@given(
    seed=st.integers(0, 9999),
    number=st.integers(0, 40),
    min_similarity=st.sampled_from([0.5, 0.8, 0.95, 1.0]),
    block_rows=st.integers(1, 50),
)
def test_groups_equal_the_slow_twins(seed: int, number: int, min_similarity: float, block_rows: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((number, 3)).astype(np.float32)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    if number > 4:
        vectors[number // 2] = vectors[0]
    groups = find_similar_groups(vectors, min_similarity, block_rows)
    assert {frozenset(group.members.tolist()) for group in groups} == groups_by_brute_force(
        vectors, min_similarity
    )
    similarities = [group.similarity for group in groups]
    assert similarities == sorted(similarities, reverse=True)
    for group in groups:
        assert group.members.tolist() == sorted(group.members.tolist())
        cosines = vectors[group.members] @ vectors[group.members[0]]
        assert group.similarity == pytest.approx(min(1.0, cosines.min()), abs=1e-6)


def test_a_large_library_of_one_sound_is_one_group() -> None:
    vectors = np.tile(np.array([[0.6, 0.8]], np.float32), (3000, 1))
    (group,) = find_similar_groups(vectors, 1.0)
    assert len(group.members) == 3000


def test_deleted_and_renamed_instruments_in_groups(index: InstrumentIndex, pair: EncoderPair) -> None:
    library = index.libraries.create("Lib").id
    assert index.duplicates(library, 0.98, 10) == []
    source = FakeSource(FakeInstrument("Pure", 300))
    added = [enroll(index, pair, library, source).added[0] for _ in range(3)]
    ((similarity, group),) = index.duplicates(library, 0.999, 10)
    assert similarity == pytest.approx(1.0, abs=1e-5)
    assert group == added
    index.instruments.delete(added[0].id)
    renamed = index.instruments.correct(added[2].id, {"name": "Other"})
    assert index.duplicates(library, 0.999, 10)[0][1] == [added[1], renamed]
    index.instruments.delete(added[1].id)
    assert index.duplicates(library, 0.999, 10) == []
