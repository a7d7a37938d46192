"""The retrieval pipeline against slow references: section 3.3 step by step, and the sustained posterior by windows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import retrieval
from index.retrieval import (
    QuerySlots,
    lane_evidence,
    nearest_windows,
    retrieve,
    retrieve_as_published,
    sustained_posterior,
)
from index.search_space import Similarities
from models.posterior import library_posterior
from models.tracks import LinkedSlots

DIM = 24
THRESHOLD = 0.4


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def cosines_with(library: np.ndarray) -> Similarities:
    return lambda queries: np.asarray(queries @ library.T, np.float32)


def scene(seed: int, num_windows: int, num_slots: int, num_instruments: int) -> tuple[QuerySlots, np.ndarray]:
    """Return random slots and a library `[num_instruments, DIM]`."""
    rng = np.random.default_rng(seed)
    library = unit(rng.standard_normal((num_instruments, DIM)))
    slots = unit(rng.standard_normal((num_windows, num_slots, DIM)))
    presence = rng.uniform(0, 1, (num_windows, num_slots)).astype(np.float32)
    return QuerySlots(slots, presence), library


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(1, 4), st.integers(1, 5), st.integers(1, 12))
def test_the_published_rule_equals_section_3_3_spelled_out(
    seed: int, num_windows: int, num_slots: int, num_instruments: int
) -> None:
    slots, library = scene(seed, num_windows, num_slots, num_instruments)
    cosine = slots.embedding @ library.T  # cos φ, [w, M, K]
    expected = set()
    for window in range(num_windows):
        for j in range(num_slots):
            expected.add(max(range(num_instruments), key=lambda k: cosine[window, j, k]))
    found = retrieve_as_published(slots, cosines_with(library))
    assert set(found.named.tolist()) == expected
    assert found.similarity == pytest.approx(cosine.max(axis=0), abs=1e-6)
    assert found.score == pytest.approx(cosine.max(axis=(0, 1)), abs=1e-6)
    assert found.presence == pytest.approx(slots.presence.max(axis=0))
    assert found.ranking().tolist() == np.argsort(-found.score, kind="stable").tolist()


def slow_sustained(slots: QuerySlots, library: np.ndarray) -> np.ndarray:
    """Reference: the highest mean posterior over five successive windows."""
    windows = [
        library_posterior(embedding @ library.T, presence)
        for embedding, presence in zip(slots.embedding, slots.presence, strict=True)
    ]
    span = min(5, len(windows))
    means = [np.mean(windows[start : start + span], axis=0) for start in range(len(windows) - span + 1)]
    return np.max(means, axis=0)


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(1, 12), st.integers(1, 4), st.integers(1, 9), st.integers(1, 200))
def test_the_sustained_posterior_equals_its_slow_twin_in_chunks_of_any_size(
    seed: int, num_windows: int, num_slots: int, num_instruments: int, cells: int
) -> None:
    slots, library = scene(seed, num_windows, num_slots, num_instruments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "MAX_CELLS", cells)
        got = sustained_posterior(slots, cosines_with(library))
    assert got == pytest.approx(slow_sustained(slots, library), abs=1e-5)


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(1, 6), st.integers(1, 5), st.integers(1, 12))
def test_the_set_named_is_the_head_of_the_ranking_one_for_each_track(
    seed: int, num_windows: int, num_slots: int, num_instruments: int
) -> None:
    slots, library = scene(seed, num_windows, num_slots, num_instruments)
    found = retrieve(slots, cosines_with(library), THRESHOLD)
    assert found.named.tolist() == found.ranking()[: len(found.tracks)].tolist()
    assert found.similarity.shape == (len(found.tracks), num_instruments)
    assert (np.diff(found.probability[found.ranking()]) <= 0).all()
    for place in range(num_instruments):
        tracks = found.tracks_of(place)
        assert bool(tracks) == bool(found.tracks)
        assert all(0 <= track < len(found.tracks) for track in tracks)


def test_one_window_is_ranked_by_its_own_posterior() -> None:
    slots, library = scene(3, 1, 5, 9)
    found = retrieve(slots, cosines_with(library), THRESHOLD)
    expected = library_posterior(slots.embedding[0] @ library.T, slots.presence[0])
    assert found.probability == pytest.approx(expected, abs=1e-6)


def test_hidden_instruments_are_neither_ranked_nor_named() -> None:
    slots, library = scene(5, 4, 5, 9)
    hidden = np.arange(9) < 4
    for found in (
        retrieve(slots, cosines_with(library), THRESHOLD, hidden),
        retrieve_as_published(slots, cosines_with(library), hidden),
    ):
        assert sorted(found.ranking().tolist()) == [4, 5, 6, 7, 8]
        assert not hidden[found.named].any()
        assert (found.probability[hidden] == 0).all()
    nothing = retrieve(slots, cosines_with(library), THRESHOLD, np.ones(9, bool))
    assert len(nothing.named) == len(nothing.ranking()) == 0
    assert len(nothing.tracks) == len(retrieve(slots, cosines_with(library), THRESHOLD).tracks)


def test_silent_windows_do_not_lower_a_probability() -> None:
    slots, library = scene(7, 3, 4, 6)
    silence = np.zeros_like(slots.embedding)
    longer = QuerySlots(
        np.concatenate([silence, slots.embedding, silence]),
        np.concatenate([np.zeros_like(slots.presence), slots.presence, np.zeros_like(slots.presence)]),
    )
    cosines = cosines_with(library)
    assert retrieve(longer, cosines, THRESHOLD).probability == pytest.approx(
        retrieve(slots, cosines, THRESHOLD).probability
    )
    assert set(retrieve_as_published(longer, cosines).named.tolist()) == set(
        retrieve_as_published(slots, cosines).named.tolist()
    )


def test_without_a_believed_slot_there_is_a_ranking_and_nothing_is_named() -> None:
    slots, library = scene(11, 2, 3, 5)
    found = retrieve(QuerySlots(slots.embedding, slots.presence * 0.1), cosines_with(library), THRESHOLD)
    assert (len(found.tracks), len(found.named)) == (0, 0)
    assert len(found.ranking()) == 5
    assert found.tracks_of(0) == ()


def test_an_instrument_was_heard_in_the_tracks_that_give_it_a_share() -> None:
    library = np.eye(DIM, dtype=np.float32)[:3]
    both = unit(library[0] + library[1])
    slots = QuerySlots(np.stack([library[0], both, library[2]])[None], np.full((1, 3), 0.9, np.float32))
    found = retrieve(slots, cosines_with(library), THRESHOLD)
    track_of = {int(track.embedding.argmax()): place for place, track in enumerate(found.tracks)}
    assert len(found.tracks) in (2, 3)
    assert found.tracks_of(2) == (track_of[2],)
    assert track_of[0] in found.tracks_of(0)


def slow_agreeing(track: LinkedSlots, slots: QuerySlots, library: np.ndarray) -> float:
    """Reference: the presence of a track's windows in which its nearest slot has the track's own best hit."""
    total, best = 0.0, int((library @ track.embedding).argmax())
    for window, presence in track.presence_of_window.items():
        nearest = max(slots.embedding[window], key=lambda slot: float(slot @ track.embedding))
        total += presence * (int((library @ nearest).argmax()) == best)
    return total


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(1, 6), st.integers(1, 4), st.integers(1, 9))
def test_the_evidence_of_lanes_equals_its_slow_twin(
    seed: int, num_windows: int, num_slots: int, num_instruments: int
) -> None:
    slots, library = scene(seed, num_windows, num_slots, num_instruments)
    found = retrieve(slots, cosines_with(library), THRESHOLD)
    evidence = lane_evidence(found, slots, cosines_with(library), np.ones(num_instruments, np.int64))
    assert evidence.similarity == pytest.approx(found.similarity)
    for lane, track in enumerate(found.tracks):
        windows = list(track.presence_of_window)
        crowd = np.average(slots.presence[windows].sum(axis=1), weights=[*track.presence_of_window.values()])
        assert evidence.weight[lane] == pytest.approx(track.weight, rel=1e-5)
        assert evidence.agreeing[lane] == pytest.approx(slow_agreeing(track, slots, library), rel=1e-5)
        assert evidence.crowd[lane] == pytest.approx(crowd, rel=1e-5)
        assert evidence.presence[lane] == pytest.approx(track.presence)


@pytest.mark.parametrize("rule", ["ours", "published"])
def test_hidden_instruments_give_no_evidence(rule: str) -> None:
    """Hidden instruments count as if the library had never held them, once the lanes are the same."""
    slots, library = scene(5, 3, 4, 9)
    hidden, clips = np.arange(9) < 4, np.arange(9)
    small, large = cosines_with(library[4:]), cosines_with(library)
    if rule == "ours":
        found, alone = retrieve(slots, large, THRESHOLD, hidden), retrieve(slots, large, THRESHOLD)
        alone = replace(alone, similarity=alone.similarity[:, 4:])
    else:
        found, alone = retrieve_as_published(slots, large, hidden), retrieve_as_published(slots, small)
    cohort = np.eye(3, DIM, dtype=np.float32)
    got = lane_evidence(found, slots, large, clips, hidden).features(cohort)
    assert got == pytest.approx(lane_evidence(alone, slots, small, clips[4:]).features(cohort), abs=1e-5)


def test_a_published_slot_is_judged_in_the_window_of_its_best_hit() -> None:
    slots, library = scene(9, 3, 4, 6)
    silence = np.zeros_like(slots.embedding)
    longer = QuerySlots(
        np.concatenate([silence, slots.embedding]), np.concatenate([0 * slots.presence, slots.presence])
    )
    found = retrieve_as_published(longer, cosines_with(library))
    for place, track in enumerate(found.tracks):
        [window] = track.presence_of_window
        assert track.embedding == pytest.approx(longer.embedding[window, place], abs=1e-6)
        assert (library @ track.embedding).max() == pytest.approx(found.similarity[place].max(), abs=1e-6)


@settings(deadline=None)
@given(st.integers(0, 9999), st.integers(1, 8), st.integers(1, 4), st.integers(0, 6))
def test_the_nearest_window_is_the_one_whose_own_slot_is_most_similar(
    seed: int, num_windows: int, num_slots: int, num_instruments: int
) -> None:
    slots, library = scene(seed, num_windows, num_slots, num_instruments)
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(num_windows)[: rng.integers(1, num_windows + 1)].tolist()
    track = LinkedSlots(slots.embedding[chosen[0], 0], dict.fromkeys(chosen, 1.0))

    def similarity(window: int, instrument: int) -> float:
        own = max(range(num_slots), key=lambda j: float(slots.embedding[window, j] @ track.embedding))
        return float(slots.embedding[window, own] @ library[instrument])

    expected = [max(sorted(chosen), key=lambda w: similarity(w, k)) for k in range(num_instruments)]
    assert nearest_windows(track, slots, library).tolist() == expected
