"""The map of a library: its projections, and when it is computed, stored and recomputed."""

import threading

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from index.catalog import Instrument, LibraryMap
from index.enroll import DRAWING, enroll
from index.instrument_index import InstrumentIndex
from index.maps import MAX_SHARE_PLACED, Layout, Points, compute_layout, pca, softmax_mean
from models.encoder_pair import EncoderPair
from models.errors import IndexDamaged
from tests.index.conftest import LIBRARY, delete_for_good
from tests.index.fake_source import FakeInstrument, FakeSource


def clusters(rng: np.random.Generator, count: int, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around three directions, and the direction of each."""
    kind = np.arange(count) % 3
    vectors = np.eye(dim)[kind] + 0.1 * rng.standard_normal((count, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), kind


def fakes(number: int, first: int = 0) -> FakeSource:
    return FakeSource(*(FakeInstrument(f"Tone {i}", 100.0 + 37.0 * i) for i in range(first, first + number)))


def kept(index: InstrumentIndex) -> LibraryMap | None:
    with index.catalog.session() as session:
        return session.scalars(select(LibraryMap)).first()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_projection_keeps_the_greatest_spread(rng: np.random.Generator, count: int) -> None:
    spread = np.array([9.0, 3.0, 0.1, 0.1], np.float32)
    embedding = (rng.standard_normal((count, 4)) * spread).astype(np.float32)
    points, share = pca(embedding)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    np.testing.assert_allclose(pca(embedding.copy())[0], points)
    if count == 50:
        centred = embedding - embedding.mean(axis=0)
        assert abs(np.corrcoef(points[:, 0], centred[:, 0])[0, 1]) > 0.99
        assert share[0] > share[1] > 0.05
    if count > 1:
        assert (points[np.abs(points).argmax(axis=0), [0, 1]] >= 0).all()


def test_equal_embeddings_have_no_spread() -> None:
    points, share = pca(np.ones((3, 8), np.float32))
    assert not points.any()
    assert share == (0.0, 0.0)


def test_t_sne_keeps_neighbours_together(rng: np.random.Generator) -> None:
    embedding, kind = clusters(rng, 60)
    layout = compute_layout(embedding)
    assert (layout.method, layout.explained_variance) == ("t-SNE", None)
    assert np.abs(layout.points).max() == pytest.approx(1.0)
    distance = np.linalg.norm(layout.points[:, None] - layout.points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (kind[distance.argmin(axis=1)] == kind).all()
    assert np.array_equal(compute_layout(embedding.copy()).points, layout.points)


@pytest.mark.parametrize(("count", "method"), [(0, "PCA"), (1, "PCA"), (9, "PCA"), (10, "t-SNE")])
def test_small_libraries_are_drawn_by_pca(rng: np.random.Generator, count: int, method: str) -> None:
    layout = compute_layout(clusters(rng, count)[0])
    assert (layout.method, layout.points.shape) == (method, (count, 2))
    assert (layout.explained_variance is None) == (method == "t-SNE")
    assert np.isfinite(layout.points).all()


def test_equal_embeddings_lie_in_one_place() -> None:
    assert not compute_layout(np.full((12, 4), 0.5, np.float32)).points.any()


def test_a_few_new_instruments_lie_amid_what_they_resemble_and_move_nothing(rng: np.random.Generator) -> None:
    embedding, kind = clusters(rng, 60)
    points = compute_layout(embedding).points.copy()
    new = slice(57, 60)
    points[new] = np.nan
    grown = compute_layout(embedding, Layout("t-SNE", points))
    assert np.array_equal(grown.points[:57], points[:57])
    assert grown.num_guessed == 3
    for i in range(57, 60):
        own = points[:57][kind[:57] == kind[i]]
        assert (own.min(axis=0) <= grown.points[i]).all()
        assert (grown.points[i] <= own.max(axis=0)).all()
    assert (
        compute_layout(embedding, Layout("t-SNE", points, num_guessed=int(60 * MAX_SHARE_PLACED))).num_guessed
        == 0
    )


def test_the_nearest_weighs_most() -> None:
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    assert softmax_mean(np.array([0.5]), points[1:]) == pytest.approx([1.0, 1.0])
    assert softmax_mean(np.array([0.5, 0.5]), points) == pytest.approx([0.5, 0.5])
    assert (softmax_mean(np.array([0.9, 0.5]), points) < 0.1).all()


def test_enrolling_draws_the_map_with_the_instruments(index: InstrumentIndex, pair: EncoderPair) -> None:
    library = index.libraries.create("Lib").id
    enroll(index, pair, library, fakes(12))
    row = kept(index)
    assert row is not None
    assert (row.method, row.revision) == ("t-SNE", index.libraries.revision(library))
    instruments, layout = index.maps.get(library)
    assert [one.name for one in instruments] == [f"Tone {i}" for i in range(12)]
    assert layout.points.astype("<f4").tobytes() == row.points
    index.instruments.correct(instruments[3].id, {"name": "Other"})
    index.instruments.delete(instruments[0].id)
    after, same = index.maps.get(library)
    assert [one.name for one in after][:3] == ["Tone 1", "Tone 2", "Other"]
    assert np.array_equal(same.points, layout.points[1:])
    index.instruments.restore(instruments[0].id)
    assert np.array_equal(index.maps.get(library)[1].points, layout.points)
    for one in after[:3]:
        index.instruments.delete(one.id)
    assert index.maps.get(library)[1].method == "PCA"  # nine are left


def test_a_missing_or_damaged_map_is_drawn_when_asked_for(enrolled: InstrumentIndex) -> None:
    library = enrolled.libraries.get(LIBRARY).id
    before = enrolled.maps.get(library)[1].points
    for damage in (delete(LibraryMap), update(LibraryMap).values(points=b"short")):
        with enrolled.catalog.write() as session:
            session.execute(damage)
        assert np.allclose(enrolled.maps.get(library)[1].points, before, atol=1e-6)
        row = kept(enrolled)
        assert row is not None
        assert len(row.points) == 7 * 8


def test_an_instrument_enrolled_by_another_process_meanwhile_is_on_the_map(
    enrolled: InstrumentIndex, pair: EncoderPair
) -> None:
    """The other process enrolls when `cancelled` is asked during drawing."""
    drawing: list[str] = []
    late: list[str] = []

    def cancelled() -> bool:
        if drawing and not late:
            late.append("enrolled")
            enroll(enrolled, pair, LIBRARY, fakes(1, first=50))
        return False

    def progress(done: int, total: int, name: str) -> None:
        if name == DRAWING:
            drawing.append(name)

    enroll(enrolled, pair, LIBRARY, fakes(5), progress=progress, cancelled=cancelled)
    assert late
    instruments, layout = enrolled.maps.get(enrolled.libraries.get(LIBRARY).id)
    assert len(instruments) == len(layout.points) == 13
    assert np.isfinite(layout.points).all()


def test_cancelling_while_the_map_is_drawn_keeps_all_instruments(
    index: InstrumentIndex, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = index.libraries.create("Lib").id
    drawing, drawn = threading.Event(), threading.Event()

    def slowly(embedding: Points) -> Points:
        assert drawn.wait(30)
        return np.zeros((len(embedding), 2))

    monkeypatch.setattr("index.maps.t_sne", slowly)
    report = enroll(
        index,
        pair,
        library,
        fakes(12),
        progress=lambda done, total, name: drawing.set() if name == DRAWING else None,
        cancelled=drawing.is_set,
    )
    assert report.cancelled
    assert len(report.added) == index.libraries.get(library).num_instruments == 12
    assert kept(index) is None
    drawn.set()
    assert len(index.maps.get(library)[1].points) == 12  # waits for the drawing that goes on


def test_a_damaged_embedding_stops_the_map_but_no_enrollment(
    enrolled: InstrumentIndex, pair: EncoderPair
) -> None:
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    with enrolled.catalog.write() as session:
        session.execute(update(Instrument).where(Instrument.id == first.id).values(embedding=b"four"))
    assert len(enroll(enrolled, pair, LIBRARY, fakes(1)).added) == 1
    with pytest.raises(IndexDamaged, match=f"remove {first.id}"):
        enrolled.maps.get(enrolled.libraries.get(LIBRARY).id)
    enrolled.instruments.delete(first.id)
    assert len(enrolled.maps.get(enrolled.libraries.get(LIBRARY).id)[1].points) == 7


def test_the_map_goes_with_its_library(enrolled: InstrumentIndex) -> None:
    delete_for_good(enrolled)
    assert kept(enrolled) is None
