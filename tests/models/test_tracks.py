"""Tracks from slots: the presence rule, linking over time, and the spans of a track against a slow reference."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tracks import Timeline, Track, link_slots, merge_by_top_hit

DIM = 24
WINDOW, HOP = 5.0, 2.5
THRESHOLD = 0.5


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), np.float32)


def starts_of(num_windows: int) -> list[float]:
    return [HOP * window for window in range(num_windows)]


def duration_of(num_windows: int) -> float:
    return HOP * (num_windows - 1) + WINDOW


def link(embedding: np.ndarray, presence: np.ndarray, cut: float = 0.0) -> list[Track]:
    """Return finished tracks of audio that ends `cut` seconds before its last window."""
    number = len(embedding)
    timeline = Timeline(np.array(starts_of(number)), WINDOW, duration_of(number) - cut)
    linked = link_slots(embedding, presence, THRESHOLD)
    return timeline.tracks(linked, embedding, presence, THRESHOLD)


@st.composite
def scenes(draw: st.DrawFn, most_windows: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Generate activity of up to five instruments as booleans [windows, instruments], and a seed for noise."""
    shape = draw(st.integers(1, most_windows)), draw(st.integers(1, 5))
    cells = draw(st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    noise = np.random.default_rng(draw(st.integers(0, 999))).standard_normal((*shape, DIM))
    return np.array(cells).reshape(shape), noise


def slots_of(sounding: np.ndarray, noise: np.ndarray, level: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """Return slots of orthogonal instruments with slight noise; silent ones are random vectors with low presence."""
    identity = np.eye(DIM)[: sounding.shape[1]]
    embedding = unit(np.where(sounding[..., None], identity + level * noise, noise))
    spread = 0.01 * np.arange(sounding.shape[1])
    return embedding, np.where(sounding, 0.9 + spread, 0.1).astype(np.float32)


def spans_by_grid(windows: set[int], num_windows: int) -> list[tuple[float, float]]:
    """Reference for a track's activity: check for every quarter second which windows cover it."""
    step = 0.25
    covering = [
        {w for w in range(num_windows) if w * HOP <= (i + 0.5) * step < w * HOP + WINDOW}
        for i in range(int(duration_of(num_windows) / step))
    ]
    active = [bool(covers) and covers <= windows for covers in covering]
    if not any(active):
        active = [bool(covers & windows) for covers in covering]
    edges = [0, *(i for i in range(1, len(active)) if active[i] != active[i - 1]), len(active)]
    return [(first * step, last * step) for first, last in pairwise(edges) if active[first]]


@settings(deadline=None)
@given(scenes())
def test_each_instrument_becomes_one_track_with_its_times(scene: tuple[np.ndarray, np.ndarray]) -> None:
    sounding, noise = scene
    tracks = link(*slots_of(sounding, noise))
    heard = [i for i in range(sounding.shape[1]) if sounding[:, i].any()]
    found = [int(track.embedding.argmax()) for track in tracks]
    assert sorted(found) == heard
    for track, instrument in zip(tracks, found, strict=True):
        assert np.linalg.norm(track.embedding) == pytest.approx(1.0, abs=1e-5)
        assert track.embedding[instrument] > 0.95
        assert track.presence == pytest.approx(0.9 + 0.01 * instrument)
        windows = set(np.flatnonzero(sounding[:, instrument]).tolist())
        assert list(track.active) == spans_by_grid(windows, len(sounding))
    weights = [sounding[:, i].sum() * (0.9 + 0.01 * i) for i in found]
    assert all(a >= b - 1e-4 for a, b in pairwise(weights))


@settings(deadline=None)
@given(scenes(), st.data())
def test_the_order_of_slots_within_windows_does_not_matter(
    scene: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    embedding, presence = slots_of(*scene, level=0.05)
    shuffled, shuffled_presence = embedding.copy(), presence.copy()
    for window in range(len(embedding)):
        order = data.draw(st.permutations(range(embedding.shape[1])))
        shuffled[window], shuffled_presence[window] = embedding[window][order], presence[window][order]
    one, other = link(embedding, presence), link(shuffled, shuffled_presence)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert np.allclose(a.embedding, b.embedding, atol=1e-5)
        assert (a.presence, a.active) == (b.presence, b.active)


@settings(deadline=None)
@given(
    seed=st.integers(0, 999),
    num_windows=st.integers(1, 6),
    num_slots=st.integers(1, 6),
    cut=st.floats(0.0, 2.4),
)
def test_spans_are_in_order_apart_and_inside_the_audio(
    seed: int, num_windows: int, num_slots: int, cut: float
) -> None:
    rng = np.random.default_rng(seed)
    embedding = unit(rng.standard_normal((num_windows, num_slots, 4)))
    presence = rng.uniform(0, 1, (num_windows, num_slots)).astype(np.float32)
    tracks = link(embedding, presence, cut)
    assert bool(tracks) == bool((presence >= THRESHOLD).any())
    for track in tracks:
        edges = [edge for span in track.active for edge in span]
        assert edges
        assert all(a < b for a, b in pairwise(edges))
        assert edges[0] >= 0.0
        assert edges[-1] <= duration_of(num_windows) - cut
        assert THRESHOLD <= track.presence <= 1.0


def test_slots_below_the_threshold_are_no_instruments() -> None:
    embedding = unit(np.ones((3, 2, DIM)))
    assert link(embedding, np.full((3, 2), 0.49, np.float32)) == []
    assert len(link(embedding, np.full((3, 2), 0.5, np.float32))) == 1


def test_near_identical_slots_of_a_window_are_merged() -> None:
    near = unit(np.eye(DIM)[0] + 0.2 * np.eye(DIM)[1])  # cosine 0.98
    far = unit(np.eye(DIM)[0] + np.eye(DIM)[2])  # cosine 0.71
    embedding = np.stack([np.eye(DIM, dtype=np.float32)[0], near, far])[None]
    presence = np.array([[0.9, 0.6, 0.8]], np.float32)
    first, second = link(embedding, presence)
    assert first.presence == pytest.approx(0.9)
    assert np.allclose(first.embedding, unit(0.9 * embedding[0, 0] + 0.6 * near))
    assert np.allclose(second.embedding, far)


def test_two_slots_of_one_window_are_never_linked_to_one_track() -> None:
    """Both resemble the only track so far; the Hungarian method gives it to the nearer one."""
    base = np.eye(DIM)[0]
    near, nearer = base + 0.9 * np.eye(DIM)[1], base + 0.6 * np.eye(DIM)[2]
    embedding = unit(np.stack([np.stack([base, base]), np.stack([near, nearer])]))
    presence = np.array([[0.9, 0.0], [0.9, 0.9]], np.float32)
    first, second = link(embedding, presence)
    assert first.active == ((0.0, 7.5),)
    assert first.embedding[2] > 0.2
    assert second.active == ((5.0, 7.5),)
    assert second.embedding[1] > 0.6


def test_a_slowly_changing_instrument_stays_one_track() -> None:
    angles = np.linspace(0.0, 0.9, 8)
    embedding = np.zeros((8, 1, DIM), np.float32)
    embedding[:, 0, 0], embedding[:, 0, 1] = np.cos(angles), np.sin(angles)
    (track,) = link(embedding, np.ones((8, 1), np.float32))
    assert track.active == ((0.0, duration_of(8)),)
    sudden = np.eye(DIM, dtype=np.float32)[[0, 0, 1, 1]][:, None]
    assert len(link(sudden, np.ones((4, 1), np.float32))) == 2


def test_an_instrument_in_one_window_between_others_sounds_while_that_window_lasts() -> None:
    sounding = np.array([[True, False], [True, True], [True, False]])
    _, short = link(*slots_of(sounding, np.ones((3, 2, DIM))))
    assert short.active == ((2.5, 7.5),)


def test_no_windows_no_tracks() -> None:
    empty = np.zeros((0, 3, DIM), np.float32)
    assert link_slots(empty, np.zeros((0, 3), np.float32), THRESHOLD) == []


# What lanes draw


@settings(deadline=None)
@given(scenes())
def test_a_curve_has_every_window_and_is_highest_where_the_track_is(
    scene: tuple[np.ndarray, np.ndarray],
) -> None:
    sounding, noise = scene
    for track in link(*slots_of(sounding, noise)):
        instrument = int(track.embedding.argmax())
        assert [second for second, _ in track.curve] == [
            start + WINDOW / 2 for start in starts_of(len(noise))
        ]
        heights = np.array([presence for _, presence in track.curve])
        assert (heights >= THRESHOLD).tolist() == sounding[:, instrument].tolist()
        assert heights.max() == pytest.approx(track.presence)


def test_a_curve_shows_what_is_too_faint_to_count() -> None:
    embedding = np.eye(DIM, dtype=np.float32)[[[0, 1], [0, 1], [2, 1]]]  # [3, 2, DIM]
    presence = np.array([[0.9, 0.8], [0.3, 0.8], [0.4, 0.8]], np.float32)
    curves = {
        int(track.embedding.argmax()): [height for _, height in track.curve]
        for track in link(embedding, presence)
    }
    assert curves[0] == pytest.approx([0.9, 0.3, 0.0])  # the last window's faint slot resembles neither
    assert curves[1] == pytest.approx([0.8, 0.8, 0.8])


# Which slots are believed, and which tracks the library answers alike


def test_tracks_of_one_answer_become_one() -> None:
    """Two registers of one instrument, and another instrument; merged tracks are searched again."""
    low, high, other = unit(np.eye(DIM)[:3] + 0.8 * np.eye(DIM)[3])
    library = {"piano": unit(low + high), "flute": other}
    asked = []

    def nearest(embedding: np.ndarray) -> list[str | None]:
        asked.append(len(embedding))
        return [max(library, key=lambda name: float(row @ library[name])) for row in embedding]

    embedding, presence = np.stack([low, high, other])[None], np.full((1, 3), 0.9, np.float32)
    apart = link_slots(embedding, presence, THRESHOLD)
    assert len(apart) == 3
    together = merge_by_top_hit(apart, nearest)
    assert [nearest(track.embedding[None]) for track in together] == [["piano"], ["flute"]]
    assert asked[:2] == [3, 2]


def test_in_a_small_library_what_differs_stays_apart() -> None:
    """With one instrument, every track is nearest to it but need not merge; an empty library merges none."""
    embedding, presence = np.eye(DIM, dtype=np.float32)[None, :3], np.full((1, 3), 0.9, np.float32)
    for answers in (["piano"] * 3, [None] * 3):
        tracks = link_slots(embedding, presence, THRESHOLD)
        assert len(merge_by_top_hit(tracks, partial(_always, answers))) == 3
    assert merge_by_top_hit([], lambda _: []) == []


def _always(answers: Sequence[str | None], _: np.ndarray) -> Sequence[str | None]:
    return answers
