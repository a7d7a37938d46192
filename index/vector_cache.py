"""The vectors of each library, held in memory and reconciled with the catalogue and the cache file.

docs/ARCHITECTURE.md, decision 1. Vectors in memory are never altered: when a library's revision rises, they are loaded
anew, so that searches under way are not disturbed.
"""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from index.catalog import Catalog, Instrument, Library
from index.records import Hit, likeliest, searchable_of
from index.search_space import SearchSpace
from index.stored_embeddings import from_bytes
from index.vector_store import Floats, Ids, VectorStore
from models.error_kind import kind_of
from models.errors import IndexDamaged, LibraryNotFound
from models.family import FamilyModel

log = logging.getLogger(__name__)

Bools = NDArray[np.bool_]

_BATCH = 500  # rows of embeddings read at once


@dataclass(frozen=True, slots=True)
class VectorRow:
    """The instrument that a vector stands for."""

    vector_id: int
    instrument_id: str
    name: str
    family: str | None
    source: str
    num_clips: int
    recognised_family: str | None = None

    def hit(self, similarity: float) -> Hit:
        """The hit of this instrument with this cosine."""
        return Hit(
            self.instrument_id, self.name, self.family, self.source, similarity, self.recognised_family
        )


@dataclass(frozen=True)
class LibraryVectors:
    """The vectors of one library at one revision, and their instruments in the order of enrollment (rising vector ids)."""

    revision: int
    store: VectorStore
    rows: tuple[VectorRow, ...]
    _shares: dict[FamilyModel, Floats] = field(default_factory=dict, repr=False, compare=False)

    def search(self, queries: Floats, k: int, shown: Bools | None = None) -> list[list[Hit]]:
        """For each query `[q, dim]` at most `k` hits, best first, among the instruments that `shown [n]` marks."""
        allowed = None if shown is None or shown.all() else self._ids[shown]
        ids, cosines = self.store.search(queries, k, allowed)
        return [
            [
                self._row_of[vector_id].hit(similarity)
                for vector_id, similarity in zip(row_ids.tolist(), row_cosines.tolist(), strict=True)
                if vector_id >= 0
            ]
            for row_ids, row_cosines in zip(ids, cosines, strict=True)
        ]

    def cosines(self, queries: Floats) -> Floats:
        """The cosine of every query `[q, dim]` with each instrument, `[q, n]`: column `j` belongs to `rows[j]`."""
        ids, cosines = self.store.cosines(queries)
        assert len(ids) == len(self.rows)
        return cosines

    def space(self, model: FamilyModel | None) -> SearchSpace:
        """Return the search space: cosines, and with a `model` the families that instruments have or sound like."""
        if model is None:
            return SearchSpace(self.cosines, len(self.rows))
        if model not in self._shares:
            families = [row.family for row in self.rows]
            self._shares[model] = model.shares(self.store.vectors(self._ids), families)
        return SearchSpace(self.cosines, len(self.rows), model, self._shares[model])

    @cached_property
    def num_clips(self) -> Ids:
        """The number of clips that each instrument was enrolled with, `[n]`, in the order of `rows`."""
        return np.array([row.num_clips for row in self.rows], np.int64)

    @cached_property
    def _row_of(self) -> dict[int, VectorRow]:
        return {row.vector_id: row for row in self.rows}

    @cached_property
    def _ids(self) -> Ids:
        return np.array([row.vector_id for row in self.rows], np.int64)


class VectorCache:
    """The vectors of all libraries, loaded on first use and again after each change of a library.

    `encoder_hash` and `dim` are those of the encoder in use.
    """

    def __init__(self, catalog: Catalog, folder: Path, encoder_hash: str, dim: int, device: str) -> None:
        self.encoder_hash = encoder_hash
        self.dim = dim
        self._catalog = catalog
        self._folder = folder
        self._device = device
        self._held: dict[str, LibraryVectors] = {}
        self._lock = threading.Lock()  # around loading

    def file(self, library_id: str) -> Path:
        """The path of a library's cache file."""
        return self._folder / f"{library_id}.faiss"

    def get(self, library_id: str, revision: int) -> LibraryVectors:
        """The library at this revision or a later one. Raises LibraryNotFound if it was deleted meanwhile."""
        held = self._held.get(library_id)
        if held is None or held.revision < revision:
            with self._lock:
                held = self._held.get(library_id)
                if held is None or held.revision < revision:
                    held = self._held[library_id] = self._reconcile(library_id)
        return held

    def follow(self, library: Library) -> None:
        """Load the vectors of a library that was just changed. The change is stored, so a failure here is only logged.

        Libraries of another encoder are left to the processes that use it.
        """
        if library.encoder_hash != self.encoder_hash:
            return
        try:
            self.get(library.id, library.revision)
        except IndexDamaged as error:  # the other libraries can be used
            log.error(
                "library %s cannot be searched (%s); `showme index verify` tells why",
                library.id,
                kind_of(error),
            )
        except LibraryNotFound:
            log.info("library %s was deleted meanwhile", library.id)

    def forget(self, library_id: str) -> None:
        """Drop a library's vectors from memory, and its file."""
        with self._lock:
            self._held.pop(library_id, None)
            self.file(library_id).unlink(missing_ok=True)

    def empty_store(self, library: Library) -> VectorStore:
        """A store for the library's cache file, not yet loaded."""
        return VectorStore(
            self.file(library.id),
            self.dim,
            encoder_hash=library.encoder_hash,
            vectors_revision=library.vectors_revision,
            device=self._device,
        )

    def _reconcile(self, library_id: str) -> LibraryVectors:
        """Load the cache file, mend it from the catalogue, and write it again if it had to be mended."""
        with self._catalog.session() as session:
            library = session.get(Library, library_id)
            if library is None or library.deleted_at is not None:
                raise LibraryNotFound(f"library {library_id} is gone", value=library_id)
            columns = (
                Instrument.vector_id,
                Instrument.id,
                Instrument.name,
                Instrument.family,
                Instrument.source,
                Instrument.num_clips,
                Instrument.families,
                Instrument.family.is_not(None) | Instrument.family_corrected,
            )
            found = session.execute(searchable_of(library_id).with_only_columns(*columns)).all()
            rows = tuple(VectorRow(*row[:6], _recognised(row[6], row[7])) for row in found)
            store = self.empty_store(library)
            try:
                store.load()
                is_sound = True
            except IndexDamaged as error:
                is_sound = False
                if rows:
                    log.info("building the vectors of library %s: %s", library_id, error)
            wanted, held = np.array([row.vector_id for row in rows], np.int64), store.ids
            missing, extra = np.setdiff1d(wanted, held), np.setdiff1d(held, wanted)
            store.remove(extra)
            _add_from_catalog(session, store, missing)
        if not is_sound or len(missing) or len(extra):
            _save_if_possible(store)
        return LibraryVectors(library.revision, store, rows)


def _add_from_catalog(session: Session, store: VectorStore, ids: Ids) -> None:
    """Add the catalogue's embeddings of these instruments to the store. Raises IndexDamaged if they are damaged there."""
    for start in range(0, len(ids), _BATCH):
        chosen = Instrument.vector_id.in_(ids[start : start + _BATCH].tolist())
        columns = (Instrument.vector_id, Instrument.id, Instrument.name, Instrument.embedding)
        rows = session.execute(select(*columns).where(chosen)).all()
        vectors = np.empty((len(rows), store.dim), np.float32)
        for place, (_, instrument_id, name, embedding) in enumerate(rows):
            try:
                vectors[place] = from_bytes(embedding).reshape(store.dim)
            except (IndexDamaged, ValueError) as error:
                message = f"the embedding of {name!r} is damaged; remove {instrument_id} and enrol it again"
                raise IndexDamaged(message, value=name, limit=f"{store.dim} finite numbers") from error
        store.add(np.array([vector_id for vector_id, *_ in rows], np.int64), vectors)


def _save_if_possible(store: VectorStore) -> None:
    """Save the store, or log why not: search works without the file, and the next start makes it again."""
    try:
        store.save()
    except OSError as error:
        log.warning("the vectors could not be saved to %s: %s", store.path.name, kind_of(error))


def _recognised(families: Mapping[str, float] | None, is_told: bool) -> str | None:
    """The most probable family of an instrument, unless its source or a person tells one, or that none fits."""
    return None if is_told else likeliest(families)
