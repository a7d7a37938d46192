"""The two-dimensional map of each library, kept in the catalogue and drawn when an enrollment or a reader needs it.

A kept map belongs to vector ids, which are never used twice: it stays right when instruments are renamed, deleted and
restored, and is stale only when it lacks an instrument or its method does not suit their number any more.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session, defer

from index.catalog import Catalog, Instrument, Library, LibraryMap, from_bytes
from index.lookups import find_library, instrument_info, instruments_of
from index.projection import Layout, Method, Points, lay_out, method_for
from index.records import InstrumentInfo
from index.vector_store import Floats
from models.errors import IndexDamaged

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Draft:
    """A map of the instruments with these vector ids and, after them, of those that are about to be enrolled."""

    vector_ids: list[int]
    layout: Layout

    def store(self, session: Session, library: Library, new_ids: list[int]) -> None:
        """Keep the map with the library's present revision, unless other instruments came or went meanwhile."""
        rows = instruments_of(library.id).with_only_columns(Instrument.vector_id)
        if session.scalars(rows).all() == [*self.vector_ids, *new_ids]:
            _store(session, library, [*self.vector_ids, *new_ids], self.layout)


class LibraryMaps:
    """The maps of all libraries."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()  # around drawing, which is not done twice

    def get(self, library_id: str) -> tuple[list[InstrumentInfo], Layout]:
        """The library's instruments in the order of enrollment, and their places, drawn if need be.

        Raises LibraryNotFound, and IndexDamaged if an embedding is damaged in the catalogue.
        """
        found = self._kept(library_id)
        if found is None:
            with self._lock:
                found = self._kept(library_id) or self._drawn(library_id)
        return found

    def draft(self, library_id: str, new: Floats, cancelled: Callable[[], bool]) -> Draft | None:
        """A map of the library as it will be with the embeddings `new [n, dim]`, to be stored with them.

        None when cancelled, or when an embedding in the catalogue is damaged: the map is not what an enrollment is for.
        """
        with self._catalog.session() as session:
            rows = session.scalars(instruments_of(library_id)).all()
            earlier = _read(session, library_id)
        ids = [row.vector_id for row in rows]
        try:
            embedding = np.concatenate([_embeddings(rows, new.shape[1]), new])
        except IndexDamaged as error:
            log.warning("no map is drawn: %s", error)
            return None
        layout = _unless(cancelled, lambda: lay_out(embedding, _aligned(earlier, [*ids, *[-1] * len(new)])))
        return None if layout is None else Draft(ids, layout)

    def _kept(self, library_id: str) -> tuple[list[InstrumentInfo], Layout] | None:
        """None if there is no map, or a stale one."""
        with self._catalog.session() as session:
            find_library(session, library_id)
            rows = session.scalars(instruments_of(library_id).options(defer(Instrument.embedding))).all()
            earlier = _aligned(_read(session, library_id), [row.vector_id for row in rows])
        if not rows:
            return [], lay_out(np.zeros((0, 1), np.float32))
        if earlier is None or earlier.method != method_for(len(rows)) or np.isnan(earlier.points).any():
            return None
        return [instrument_info(row) for row in rows], earlier

    def _drawn(self, library_id: str) -> tuple[list[InstrumentInfo], Layout]:
        with self._catalog.session() as session:
            library = find_library(session, library_id)
            rows = session.scalars(instruments_of(library_id)).all()
            earlier = _read(session, library_id)
        ids = [row.vector_id for row in rows]
        layout = lay_out(_embeddings(rows), _aligned(earlier, ids))
        with self._catalog.write() as session:
            present = session.get(Library, library_id)
            if present is not None and present.revision == library.revision:
                _store(session, present, ids, layout)
        return [instrument_info(row) for row in rows], layout


def _embeddings(rows: Sequence[Instrument], dim: int | None = None) -> Floats:
    """The rows' embeddings `[n, dim]`. Raises IndexDamaged if one is not as long as most others, or as `dim` says."""
    found = [from_bytes(row.embedding) for row in rows]
    dim = dim or Counter(map(len, found)).most_common(1)[0][0]
    for row, embedding in zip(rows, found, strict=True):
        if len(embedding) != dim:
            message = f"the embedding of {row.name!r} is damaged; remove {row.id} and enrol it again"
            raise IndexDamaged(message, value=len(embedding), limit=dim)
    return np.array(found, np.float32).reshape(len(rows), dim)


def _read(session: Session, library_id: str) -> tuple[list[int], Layout] | None:
    """The vector ids of a kept map, and the map. A damaged one is as good as none."""
    row = session.get(LibraryMap, library_id)
    if (
        row is None or len(row.points) != len(row.vector_ids) or len(row.points) % 8
    ):  # bytes of one id, or two floats
        return None
    ids, points = np.frombuffer(row.vector_ids, "<i8"), np.frombuffer(row.points, "<f4")
    shares = row.explained_variance
    explained = (shares[0], shares[1]) if shares else None
    method: Method = "t-SNE" if row.method == "t-SNE" else "PCA"
    return ids.tolist(), Layout(method, points.astype(np.float64).reshape(-1, 2), explained, row.num_guessed)


def _aligned(kept: tuple[list[int], Layout] | None, ids: list[int]) -> Layout | None:
    """The kept map with a row for each of `ids`, NaN for what it does not know."""
    if kept is None:
        return None
    place_of = dict(zip(kept[0], kept[1].points, strict=True))
    unknown = np.full(2, np.nan)
    points: Points = np.array([place_of.get(one, unknown) for one in ids]).reshape(len(ids), 2)
    return Layout(kept[1].method, points, kept[1].explained_variance, kept[1].num_guessed)


def _store(session: Session, library: Library, ids: list[int], layout: Layout) -> None:
    row = LibraryMap(library_id=library.id, revision=library.revision, method=layout.method)
    row.explained_variance = list(layout.explained_variance) if layout.explained_variance else None
    row.vector_ids = np.array(ids, "<i8").tobytes()
    row.points = layout.points.astype("<f4").tobytes()
    row.num_guessed = layout.num_guessed
    session.merge(row)


def _unless(cancelled: Callable[[], bool], draw: Callable[[], Layout]) -> Layout | None:
    """What `draw` gives, or None as soon as `cancelled`: t-SNE cannot be stopped, so it is left behind in its thread."""
    drawn: list[Layout] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            drawn.append(draw())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name="map", daemon=True)
    thread.start()
    while thread.is_alive():
        if cancelled():
            return None
        thread.join(POLL_SECONDS)
    if failed:
        raise failed[0]
    return drawn[0]
