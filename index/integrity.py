"""Integrity check of a data folder: the database, its embeddings, the vector files and the previews.

It reads only. `InstrumentIndex.rebuild` mends the vectors; an embedding that is damaged in the catalogue must be enrolled
again, one of another encoder embedded again (`index/reembed.py`).
"""

from collections.abc import Callable, Iterator

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from index.catalog import Catalog, Clip, Instrument, Library
from index.libraries import DataFolder
from index.records import LibraryInfo, instruments_of
from index.stored_embeddings import from_bytes
from index.vector_cache import VectorCache
from index.vector_store import Floats
from models.errors import IndexDamaged

UPDATE = "run `showme index reembed`"
# a damaged value is of another type, or of none, and a damaged schema lacks tables
_UNREADABLE = (IndexDamaged, SQLAlchemyError, ValueError, TypeError, LookupError)
_UNIT_TOLERANCE = 1e-3
_SAME_TOLERANCE = 1e-5


def find_faults(
    catalog: Catalog, folder: DataFolder, vectors: VectorCache, libraries: Callable[[], list[LibraryInfo]]
) -> list[str]:
    """All faults of the database and of these libraries, one sentence each."""
    faults = list(_as_far_as_readable(catalog.database.faults()))
    try:
        chosen = libraries()
    except _UNREADABLE as error:
        return [*faults, f"the libraries cannot be listed: {error}"]
    for library in chosen:
        found = _as_far_as_readable(_library_faults(catalog, folder, vectors, library))
        faults += [f"library {library.name!r}: {fault}" for fault in found]
    return faults


def _as_far_as_readable(faults: Iterator[str]) -> Iterator[str]:
    """Yield the faults; the last one is what keeps the others from being found, if anything does."""
    try:
        yield from faults
    except _UNREADABLE as error:
        yield f"rows cannot be read: {error}"


def _library_faults(
    catalog: Catalog, folder: DataFolder, vectors: VectorCache, library: LibraryInfo
) -> Iterator[str]:
    if library.encoder_hash != vectors.encoder_hash:
        yield f"embedded with another encoder ({library.encoder_hash}); {UPDATE}"
        return
    with catalog.session() as session:
        row_of_library = session.get_one(Library, library.id)
        instruments = session.scalars(instruments_of(library.id)).all()
        intact = select(Clip.vector_id, func.count()).join_from(Clip, Instrument)
        intact = intact.where(Instrument.library_id == library.id)
        intact = intact.where(func.length(Clip.embedding) == 4 * vectors.dim).group_by(Clip.vector_id)
        num_clips = dict(session.execute(intact).all())
    expected: dict[int, Floats] = {}
    for row in instruments:
        fault = _embedding_fault(row, vectors.encoder_hash, vectors.dim, num_clips.get(row.vector_id, 0))
        if fault:
            yield f"{row.name}: {fault}"
        else:
            expected[row.vector_id] = from_bytes(row.embedding)
        if not folder.preview_file(row.id).is_file():
            yield f"{row.name}: its preview is missing"
    searchable = {row.vector_id for row in instruments if row.encoder_hash == library.encoder_hash}
    if searchable:
        yield from _vector_file_faults(vectors, row_of_library, searchable, expected)


def _embedding_fault(row: Instrument, encoder_hash: str, dim: int, num_clips: int) -> str | None:
    if row.encoder_hash != encoder_hash:
        return f"embedded with another encoder than its library; {UPDATE}"
    try:
        embedding = from_bytes(row.embedding).reshape(dim)
    except (IndexDamaged, ValueError):
        return f"its embedding is not {dim} finite numbers"
    if abs(float(np.linalg.norm(embedding.astype(np.float64))) - 1.0) > _UNIT_TOLERANCE:
        return "its embedding is not of unit norm"
    if num_clips != row.num_clips:
        return f"{num_clips} of its {row.num_clips} clips are intact"
    return None


def _vector_file_faults(
    vectors: VectorCache, library: Library, vector_ids: set[int], expected: dict[int, Floats]
) -> Iterator[str]:
    """Compare the library's vector file with the ids and the sound embeddings `expected` of the catalogue."""
    store = vectors.empty_store(library)
    try:
        store.load()
    except IndexDamaged as error:
        yield f"vector file {error.message}; run `showme index rebuild`"
        return
    stored = set(store.ids.tolist())
    if stored != vector_ids:
        yield "the vector file holds other instruments than the catalogue; run `showme index rebuild`"
    both = np.array(sorted(stored & expected.keys()), np.int64)
    if len(both):
        wanted = np.stack([expected[vector_id] for vector_id in both.tolist()])
        if float(np.abs(store.vectors(both) - wanted).max()) > _SAME_TOLERANCE:
            yield "the vector file differs from the catalogue's embeddings; run `showme index rebuild`"
