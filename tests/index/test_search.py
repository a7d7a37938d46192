"""The two rules that turn slots into hits, each against a slow twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.records import Hit
from index.search import auto_result, paper_result
from models.linking import Track

DIM = 24


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def candidates_of(scores: np.ndarray, k: int) -> list[list[Hit]]:
    """What the index gives for scores [queries, instruments]."""
    order = np.argsort(-scores, axis=1)[:, :k]
    return [
        [Hit(f"i_{i}", f"Name {i}", None, "test", float(row[i])) for i in best]
        for row, best in zip(scores, order, strict=True)
    ]


@settings(deadline=None)
@given(
    seed=st.integers(0, 9999),
    num_windows=st.integers(1, 4),
    num_slots=st.integers(1, 5),
    num_instruments=st.integers(1, 12),
    top_k=st.integers(1, 6),
    spare=st.integers(0, 3),
)
def test_the_papers_rule_equals_section_3_3_spelled_out(
    seed: int, num_windows: int, num_slots: int, num_instruments: int, top_k: int, spare: int
) -> None:
    rng = np.random.default_rng(seed)
    library = unit(rng.standard_normal((num_instruments, DIM)))  # f(x_l), [K, dim]
    slots = unit(rng.standard_normal((num_windows, num_slots, DIM)))  # g(m), [w, M, dim]
    presence = rng.uniform(0, 1, (num_windows, num_slots)).astype(np.float32)
    cosine = slots @ library.T  # cos φ, [w, M, K]

    retrieved = set()
    for window in range(num_windows):
        for j in range(num_slots):
            retrieved.add(f"i_{max(range(num_instruments), key=lambda k: cosine[window, j, k])}")

    candidates = candidates_of(cosine.reshape(-1, num_instruments), top_k + spare)
    result = paper_result(candidates, presence, (1.0, 9.0), top_k)
    assert set(result.retrieved) == retrieved
    assert len(result.retrieved) == result.num_instruments == len(retrieved) <= num_windows * num_slots
    assert [slot.slot for slot in result.slots] == list(range(num_slots))
    for j, slot in enumerate(result.slots):
        best = cosine[:, j].max(axis=0)  # over the windows
        expected = np.argsort(-best)[:top_k]
        assert [hit.instrument_id for hit in slot.hits] == [f"i_{i}" for i in expected]
        assert [hit.similarity for hit in slot.hits] == pytest.approx(best[expected].tolist())
        assert slot.presence == pytest.approx(presence[:, j].max())
        assert slot.active == ((1.0, 9.0),)


def test_auto_mode_retrieves_the_first_hit_of_every_track() -> None:
    tracks = [Track(np.zeros(DIM, np.float32), presence, ((0.0, 5.0),)) for presence in (0.9, 0.8, 0.7)]
    scores = np.array([[0.1, 0.9, 0.3], [0.2, 0.8, 0.1], [0.9, 0.1, 0.2]])
    result = auto_result(tracks, candidates_of(scores, 2))
    assert result.num_instruments == 3
    assert result.retrieved == ("i_1", "i_0")
    assert [[hit.instrument_id for hit in slot.hits] for slot in result.slots] == [
        ["i_1", "i_2"],
        ["i_1", "i_0"],
        ["i_0", "i_2"],
    ]
    assert [slot.presence for slot in result.slots] == [0.9, 0.8, 0.7]


def test_a_filter_that_leaves_nothing_gives_slots_without_hits() -> None:
    track = Track(np.zeros(DIM, np.float32), 0.9, ((0.0, 5.0),))
    assert auto_result([track], [[]]).retrieved == ()
    result = paper_result([[], []], np.ones((1, 2), np.float32), (0.0, 5.0), 3)
    assert (result.num_instruments, result.retrieved) == (0, ())
    assert [slot.hits for slot in result.slots] == [(), ()]


def test_a_slots_family_is_what_most_of_its_first_hits_are() -> None:
    def family(*hits: tuple[str | None, float]) -> str | None:
        found = [Hit(f"i_{i}", "", name, "test", similarity) for i, (name, similarity) in enumerate(hits)]
        track = Track(np.zeros(DIM, np.float32), 0.9, ())
        return auto_result([track], [found]).slots[0].family

    assert family() is None
    assert (
        family(("bass", 0.5), ("reed", 0.45), ("mallet", 0.4), ("mallet", 0.4)) == "bass"
    )  # near ones weigh more
    assert family(("bass", 0.45), ("reed", 0.44), ("reed", 0.44)) == "reed"
    assert family(("bass", 0.4), (None, 0.6), (None, 0.5)) == "bass"  # what has no family says nothing
    assert family((None, 0.6)) is None
    assert family(*[("bass", 0.9)] * 3, *[("reed", 0.89)] * 50) == "bass"  # only the first few count
    assert family(("bass", 0.2), ("reed", -0.9)) == "bass"
