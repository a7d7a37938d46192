"""The two-dimensional map of each library: t-SNE of its instruments' embeddings, or their principal components.

t-SNE (van der Maaten and Hinton 2008, by scikit-learn) keeps neighbours together; PCA stands in for libraries that are too
small or too large for it. The same library always gives the same map. The catalogue keeps maps by vector id, which is never
used twice, so a map stays valid when instruments are renamed, deleted and restored.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session, defer

from index.catalog import Catalog, Instrument, Library, LibraryMap
from index.records import InstrumentInfo, find_library, instrument_info, searchable_of
from index.stored_embeddings import from_bytes
from index.vector_store import Floats
from models.error_kind import kind_of
from models.errors import Busy, IndexDamaged, StorageFull
from models.posterior import SCALE

log = logging.getLogger(__name__)

Points = NDArray[np.float64]
Method = Literal["t-SNE", "PCA"]

MIN_TSNE = 10  # instruments; fewer have no neighbourhoods to keep
MAX_TSNE = (
    5000  # instruments that t-SNE places in ten seconds of one core; its time grows faster than their number
)
PERPLEXITY = 30.0
TSNE_COMPONENTS = 50  # principal components that t-SNE is given
ITERATIONS = 500
NEIGHBOURS = 5
MAX_SHARE_PLACED = 0.1  # share of a t-SNE map that neighbours may place before the map is drawn anew
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Layout:
    """Points `[n, 2]` within ±1. PCA also gives the share of the variance on each axis."""

    method: Method
    points: Points
    explained_variance: tuple[float, float] | None = None
    num_guessed: int = 0  # instruments that were placed by their neighbours after the map was drawn


class LibraryMaps:
    """The maps of all libraries, drawn when an enrollment or a reader needs one."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()  # one thread draws, the others wait for its map

    def get(self, library_id: str) -> tuple[list[InstrumentInfo], Layout]:
        """The library's instruments in the order of enrollment, and their places; draws the map if it is not stored.

        Stale instruments of a library that is not stale are left out. Raises LibraryNotFound, and IndexDamaged if an
        embedding is damaged in the catalogue.
        """
        found = self._load_current(library_id)
        if found is None:
            with self._lock:
                found = self._load_current(library_id) or self._draw(library_id)
        return found

    def draw(self, library_id: str, cancelled: Callable[[], bool]) -> bool:
        """Draw and store the map if it is not there; return False as soon as `cancelled`.

        An embedding that is damaged in the catalogue is only logged: it must not stop an enrollment. Raises LibraryNotFound.
        """
        try:
            return _run_unless_cancelled(cancelled, lambda: self.get(library_id))
        except IndexDamaged as error:
            log.warning("no map is drawn: %s", kind_of(error))
            return True

    def _load_current(self, library_id: str) -> tuple[list[InstrumentInfo], Layout] | None:
        """The stored map; None if there is none, or if it lacks an instrument or was made by the wrong method."""
        with self._catalog.session() as session:
            find_library(session, library_id)
            rows = session.scalars(searchable_of(library_id).options(defer(Instrument.embedding))).all()
            earlier = _align(_load(session, library_id), [row.vector_id for row in rows])
        if not rows:
            return [], compute_layout(np.zeros((0, 1), np.float32))
        if earlier is None or earlier.method != method_for(len(rows)) or np.isnan(earlier.points).any():
            return None
        return [instrument_info(row) for row in rows], earlier

    def _draw(self, library_id: str) -> tuple[list[InstrumentInfo], Layout]:
        """Draw the map, and store it if the library has not changed meanwhile."""
        with self._catalog.session() as session:
            library = find_library(session, library_id)
            rows = session.scalars(searchable_of(library_id)).all()
            earlier = _load(session, library_id)
        ids = [row.vector_id for row in rows]
        layout = compute_layout(_embeddings(rows), _align(earlier, ids))
        with suppress(Busy, StorageFull), self._catalog.write() as session:  # else it is drawn again
            present = session.get(Library, library_id)
            if present is not None and present.revision == library.revision:
                _store(session, present, ids, layout)
        return [instrument_info(row) for row in rows], layout


def method_for(num_instruments: int) -> Method:
    """The method that suits a library of this size."""
    return "t-SNE" if MIN_TSNE <= num_instruments <= MAX_TSNE else "PCA"


def compute_layout(embedding: Floats, earlier: Layout | None = None) -> Layout:
    """Place unit embeddings `[n, dim]` on a map.

    `earlier` has the points `[n, 2]` of the map so far, NaN for instruments that it lacks. A few new instruments are
    placed beside similar ones, so that the rest stays where a person has seen it.
    """
    if method_for(len(embedding)) == "PCA":
        points, share = pca(embedding)
        return Layout("PCA", points, share)
    if earlier is not None and earlier.method == "t-SNE":
        known = ~np.isnan(earlier.points).any(axis=1)
        num_guessed = earlier.num_guessed + int((~known).sum())
        if num_guessed <= MAX_SHARE_PLACED * len(embedding):
            points = earlier.points.copy()
            points[~known] = _place_by_neighbours(embedding[~known] @ embedding[known].T, points[known])
            return Layout("t-SNE", points, num_guessed=num_guessed)
    return Layout("t-SNE", t_sne(embedding))


def pca(embedding: Floats) -> tuple[Points, tuple[float, float]]:
    """Project `embedding [n, dim]` to points `[n, 2]` within ±1; also the share of the variance on each of the two axes.

    Both axes share one scale, so that distances compare; the largest coordinate (in size) of each axis is positive.
    """
    points = np.zeros((len(embedding), 2))
    share = np.zeros(2)
    components, variance = _principal_components(embedding)
    if variance.sum() > 1e-12:
        kept = min(2, len(variance))
        points[:, :kept] = components[:, :kept]
        share[:kept] = variance[:kept] / variance.sum()
    return _scale_to_one(points), (float(share[0]), float(share[1]))


def t_sne(embedding: Floats) -> Points:
    """Place `embedding [n ≥ 4, dim]` at points `[n, 2]` within ±1, starting from the principal components."""
    from sklearn.manifold import TSNE  # takes a second to import
    from threadpoolctl import threadpool_limits

    components, _ = _principal_components(embedding)
    spread = components[:, 0].std() if components.size else 0.0
    if spread < 1e-6:  # all embeddings are equal
        return np.zeros((len(embedding), 2))
    begin = np.zeros((len(embedding), 2), np.float32)
    begin[:, : components.shape[1]] = components[:, :2] / spread * 1e-4
    perplexity = min(PERPLEXITY, (len(embedding) - 1) / 3)
    model = TSNE(2, perplexity=perplexity, init=begin, max_iter=ITERATIONS, random_state=0, n_jobs=1)
    with threadpool_limits(1, user_api="openmp"):  # the other cores belong to queries
        points = model.fit_transform(components[:, :TSNE_COMPONENTS].astype(np.float32))
    return _scale_to_one(points.astype(np.float64))


def softmax_mean(similarity: NDArray[np.floating], points: Points) -> Points:
    """The mean of `points [k, 2]`, weighted by the posterior's softmax of the cosines `similarity [k]`."""
    weights = np.exp(SCALE * (similarity - similarity.max()))
    mean: Points = weights @ points / weights.sum()
    return mean


def _place_by_neighbours(cosine: Floats, points: Points) -> Points:
    """For each row of `cosine [n, k]` the weighted mean of its nearest among `points [k, 2]`."""
    nearest = np.argsort(-cosine, axis=1)[:, :NEIGHBOURS]
    placed = [softmax_mean(row[near], points[near]) for row, near in zip(cosine, nearest, strict=True)]
    return np.array(placed).reshape(len(cosine), 2)


def _principal_components(embedding: Floats) -> tuple[Points, Points]:
    """Components `[n, min(n, dim)]`, greatest first, each with its largest value (in size) positive; their variances."""
    if len(embedding) < 2:
        return np.zeros((len(embedding), 0)), np.zeros(0)
    centred = embedding.astype(np.float64) - embedding.mean(axis=0, dtype=np.float64)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    components = left * singular
    extreme = components[np.abs(components).argmax(axis=0), np.arange(components.shape[1])]
    return components * np.where(extreme < 0, -1.0, 1.0), singular**2


def _scale_to_one(points: Points) -> Points:
    """Scale so that the largest coordinate (in size) is 1; points in one place stay at the origin."""
    scale = np.abs(points).max(initial=0.0)
    return points / scale if scale > 1e-9 else np.zeros_like(points)


def _embeddings(rows: Sequence[Instrument]) -> Floats:
    """The rows' embeddings `[n, dim]`. Raises IndexDamaged if a length differs from that of most others."""
    found = [from_bytes(row.embedding) for row in rows]
    dim = Counter(map(len, found)).most_common(1)[0][0]
    for row, embedding in zip(rows, found, strict=True):
        if len(embedding) != dim:
            message = f"the embedding of {row.name!r} is damaged; remove {row.id} and enrol it again"
            raise IndexDamaged(message, value=len(embedding), limit=dim)
    return np.array(found, np.float32).reshape(len(rows), dim)


def _load(session: Session, library_id: str) -> tuple[list[int], Layout] | None:
    """The vector ids of a stored map, and the map; None also if the row is damaged."""
    row = session.get(LibraryMap, library_id)
    if row is None or len(row.points) != len(row.vector_ids) or len(row.points) % 8:
        return None  # an id and a point both take eight bytes
    ids, points = np.frombuffer(row.vector_ids, "<i8"), np.frombuffer(row.points, "<f4")
    shares = row.explained_variance
    explained = (shares[0], shares[1]) if shares else None
    method: Method = "t-SNE" if row.method == "t-SNE" else "PCA"
    return ids.tolist(), Layout(method, points.astype(np.float64).reshape(-1, 2), explained, row.num_guessed)


def _align(stored: tuple[list[int], Layout] | None, ids: list[int]) -> Layout | None:
    """The stored map with one row for each of `ids`, NaN for those that it lacks."""
    if stored is None:
        return None
    place_of = dict(zip(stored[0], stored[1].points, strict=True))
    unknown = np.full(2, np.nan)
    points: Points = np.array([place_of.get(one, unknown) for one in ids]).reshape(len(ids), 2)
    return Layout(stored[1].method, points, stored[1].explained_variance, stored[1].num_guessed)


def _store(session: Session, library: Library, ids: list[int], layout: Layout) -> None:
    row = LibraryMap(library_id=library.id, revision=library.revision, method=layout.method)
    row.explained_variance = list(layout.explained_variance) if layout.explained_variance else None
    row.vector_ids = np.array(ids, "<i8").tobytes()
    row.points = layout.points.astype("<f4").tobytes()
    row.num_guessed = layout.num_guessed
    session.merge(row)


def _run_unless_cancelled(cancelled: Callable[[], bool], draw: Callable[[], object]) -> bool:
    """Run `draw` in a thread; return False as soon as `cancelled`, leaving the thread behind: t-SNE cannot be stopped."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            draw()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="map", daemon=True)
    thread.start()
    while thread.is_alive():
        if cancelled():
            return False
        thread.join(POLL_SECONDS)
    if failed:
        raise failed[0]
    return True
