"""The vector store equals brute force, refuses any damaged file, and can be used from several threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.vector_store import TorchSearch, VectorStore
from models.errors import IndexDamaged

DIM = 8


def unit(number: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((number, dim)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def store_of(path: Path, ids: list[int] | np.ndarray, seed: int = 0, encoder_hash: str = "h") -> VectorStore:
    store = VectorStore(path, DIM, encoder_hash=encoder_hash)
    store.add(np.asarray(ids, np.int64), unit(len(ids), seed))
    return store


def brute_force(
    vector_of: dict[int, np.ndarray], queries: np.ndarray, k: int, allowed: set[int] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Reference: all cosines, sorted."""
    ids = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    kept = [i for i in vector_of if allowed is None or i in allowed]
    for row, query in enumerate(queries):
        ranked = sorted(((float(vector_of[i] @ query), i) for i in kept), reverse=True)[:k]
        for column, (score, i) in enumerate(ranked):
            ids[row, column], scores[row, column] = i, score
    return ids, scores


@settings(deadline=None, max_examples=40)
@given(
    ids=st.lists(st.integers(0, 2**40), unique=True, max_size=40),
    k=st.integers(1, 12),
    data=st.data(),
)
def test_search_equals_brute_force_with_filters_and_removals(
    ids: list[int], k: int, data: st.DataObject
) -> None:
    store = store_of(Path("unused"), ids, seed=len(ids))
    vector_of = dict(zip(ids, unit(len(ids), seed=len(ids)), strict=True))
    removed = data.draw(st.sets(st.sampled_from(ids))) if ids else set()
    store.remove(np.array([*removed, 2**41], np.int64))
    for i in removed:
        del vector_of[i]
    choices = st.none() | st.sets(st.integers(0, 2**40) | st.sampled_from(ids or [0]))
    allowed = data.draw(choices)
    queries = unit(data.draw(st.integers(0, 4)), seed=99)
    filtered = None if allowed is None else np.array(sorted(allowed), np.int64)
    expected_ids, expected_scores = brute_force(vector_of, queries, k, allowed)
    for found_ids, found_scores in _both_searches(store, queries, k, filtered):
        assert np.array_equal(found_ids, expected_ids)
        assert np.allclose(found_scores, expected_scores, atol=1e-6)
    assert len(store) == len(vector_of)
    assert store.ids.tolist() == sorted(vector_of)


def _both_searches(
    store: VectorStore, queries: np.ndarray, k: int, allowed: np.ndarray | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The answers of FAISS and of torch; the latter is padded here as the store pads it."""
    found = [store.search(queries, k, allowed)]
    if len(store):
        ids, scores = TorchSearch(store.ids, store.vectors(store.ids), "cpu").search(queries, k, allowed)
        missing = ((0, 0), (0, k - ids.shape[1]))
        found.append(
            (np.pad(ids, missing, constant_values=-1), np.pad(scores, missing, constant_values=-np.inf))
        )
    return found


@settings(deadline=None, max_examples=40)
@given(ids=st.lists(st.integers(0, 2**40), unique=True, max_size=40), data=st.data())
def test_cosines_of_all_vectors_equal_a_search_for_all(ids: list[int], data: st.DataObject) -> None:
    """Ids are added in any order and some are removed: columns follow the rising order of the rest."""
    store = store_of(Path("unused"), ids, seed=len(ids))
    if ids:
        store.remove(np.array(sorted(data.draw(st.sets(st.sampled_from(ids)))), np.int64))
    queries = unit(data.draw(st.integers(0, 4)), seed=99)
    found_ids, cosines = store.cosines(queries)
    assert found_ids.tolist() == sorted(found_ids.tolist()) == store.ids.tolist()
    assert cosines.shape == (len(queries), len(store))
    assert cosines.dtype == np.float32
    best_ids, best = store.search(queries, max(1, len(store)))
    if len(store):
        for row in range(len(queries)):
            column_of = np.searchsorted(found_ids, best_ids[row])
            assert np.allclose(cosines[row, column_of], best[row], atol=1e-6)
        torch_cosines = TorchSearch(store.ids, store.vectors(store.ids), "cpu").cosines(queries)
        assert np.allclose(cosines, torch_cosines, atol=1e-6)


def test_cosines_stay_when_the_vectors_they_were_taken_from_go(tmp_path: Path) -> None:
    store = store_of(tmp_path / "v", [4, 2, 9])
    _, cosines = store.cosines(unit(2, seed=5))
    before = cosines.copy()
    store.remove(np.array([2]))
    store.add(np.arange(100, 200), unit(100, seed=7))
    assert np.array_equal(cosines, before)
    assert store.cosines(unit(2, seed=5))[0].tolist() == store.ids.tolist()


def test_ids_are_added_once_and_shapes_are_checked(tmp_path: Path) -> None:
    store = store_of(tmp_path / "v", [1, 2])
    with pytest.raises(ValueError, match="there already"):
        store.add(np.array([3, 2]), unit(2))
    with pytest.raises(ValueError, match="there already"):
        store.add(np.array([4, 4]), unit(2))
    with pytest.raises(ValueError, match="expected vectors"):
        store.add(np.array([3]), unit(2))
    assert store.ids.tolist() == [1, 2]


@settings(deadline=None, max_examples=20)
@given(ids=st.lists(st.integers(0, 2**40), unique=True, max_size=20))
def test_a_saved_store_loads_the_same(tmp_path_factory: pytest.TempPathFactory, ids: list[int]) -> None:
    path = tmp_path_factory.mktemp("saved") / "deep" / "v.faiss"
    store = store_of(path, ids)
    store.save()
    loaded = VectorStore(path, DIM, encoder_hash="h")
    loaded.load()
    assert loaded.stamp == store.stamp
    assert np.array_equal(loaded.vectors(loaded.ids), store.vectors(store.ids))
    assert [file.name for file in path.parent.iterdir()] == ["v.faiss"]


def test_the_stamp_tells_content_not_history(tmp_path: Path) -> None:
    one = store_of(tmp_path / "a", [1, 2, 3])
    other = store_of(tmp_path / "b", [3, 1, 9, 2])
    other.remove(np.array([9]))
    assert one.stamp == other.stamp
    assert one.stamp != store_of(tmp_path / "c", [1, 2]).stamp
    assert one.stamp != store_of(tmp_path / "d", [1, 2, 3], encoder_hash="other").stamp


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_damage_to_the_file_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "v"
    store_of(path, [5, 7, 9]).save()
    whole = path.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:position])
    else:
        flipped = bytearray(whole)
        flipped[position] ^= data.draw(st.integers(1, 255))
        path.write_bytes(flipped)
    loaded = VectorStore(path, DIM, encoder_hash="h")
    with pytest.raises(IndexDamaged):
        loaded.load()
    assert len(loaded) == 0


def test_a_missing_file_and_one_of_another_encoder_or_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexDamaged, match="No such file"):
        VectorStore(tmp_path / "none", DIM, encoder_hash="h").load()
    store_of(tmp_path / "v", [1]).save()
    for other in (
        VectorStore(tmp_path / "v", DIM, encoder_hash="x"),
        VectorStore(tmp_path / "v", 4, encoder_hash="h"),
        VectorStore(tmp_path / "v", DIM, encoder_hash="h", vectors_revision=1),
    ):
        with pytest.raises(IndexDamaged, match="stale"):
            other.load()


def test_a_kill_while_saving_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v"
    store = store_of(path, [1, 2])
    store.save()
    store.remove(np.array([1]))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        store.save()
    loaded = VectorStore(path, DIM, encoder_hash="h")
    loaded.load()
    assert loaded.ids.tolist() == [1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["v"]


def test_searches_while_vectors_come_and_go(tmp_path: Path) -> None:
    store = store_of(tmp_path / "v", list(range(50)))
    vectors = unit(50)

    def change() -> None:
        for i in range(50, 150):
            store.add(np.array([i]), unit(1, seed=i))
            store.remove(np.array([i]))

    def search() -> bool:
        found, cosines = store.cosines(vectors[:1])
        assert cosines[0, 0] == pytest.approx(1.0, abs=1e-6)
        assert cosines.shape == (1, len(found))
        return all(store.search(vectors[i : i + 1], 1)[0][0, 0] == i for i in range(50))

    with ThreadPoolExecutor(4) as pool:
        changing = pool.submit(change)
        assert all(found.result() for found in [pool.submit(search) for _ in range(8)])
        changing.result()
