"""Checks a data folder from end to end and says what is wrong: the database, its embeddings, vector files, previews.

Reads only; `InstrumentIndex.rebuild` mends the vectors, and what the catalogue itself has lost must be enrolled again.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import select, text

from index.catalog import Clip, Instrument, from_bytes
from index.lookups import instruments_of
from index.records import LibraryInfo
from index.vector_store import Floats
from models.errors import IndexDamaged

if TYPE_CHECKING:
    from index.instrument_index import InstrumentIndex

_UNIT_TOLERANCE = 1e-3
_SAME_TOLERANCE = 1e-5


def faults_of(index: "InstrumentIndex", libraries: list[LibraryInfo]) -> list[str]:
    """All faults of the database and of these libraries, one sentence each."""
    faults = list(_database_faults(index))
    for library in libraries:
        faults += [f"library {library.name!r}: {fault}" for fault in _library_faults(index, library)]
    return faults


def _database_faults(index: "InstrumentIndex") -> Iterator[str]:
    with index.catalog.session() as session:
        for (message,) in session.execute(text("PRAGMA integrity_check")):
            if message != "ok":
                yield f"database: {message}"
        for table, row, parent, _ in session.execute(text("PRAGMA foreign_key_check")):
            yield f"database: row {row} of {table} refers to a row of {parent} that is not there"


def _library_faults(index: "InstrumentIndex", library: LibraryInfo) -> Iterator[str]:
    if library.encoder_hash != index.encoder_hash:
        yield f"embedded with another encoder ({library.encoder_hash}); enrol it again"
        return
    with index.catalog.session() as session:
        instruments = session.scalars(instruments_of(library.id)).all()
        clips_of: dict[int, list[Floats]] = {row.vector_id: [] for row in instruments}
        for clip in session.scalars(select(Clip).where(Clip.vector_id.in_(list(clips_of)))):
            clips_of[clip.vector_id].append(from_bytes(clip.embedding))
    expected: dict[int, Floats] = {}
    for row in instruments:
        fault = _embedding_fault(index, row, clips_of[row.vector_id])
        if fault:
            yield f"{row.name}: {fault}"
        else:
            expected[row.vector_id] = from_bytes(row.embedding)
        if not (index.previews_dir / f"{row.id}.mp3").is_file():
            yield f"{row.name}: its preview is missing"
    if instruments:
        yield from _file_faults(index, library, [row.vector_id for row in instruments], expected)


def _embedding_fault(index: "InstrumentIndex", row: Instrument, clips: list[Floats]) -> str | None:
    if row.encoder_hash != index.encoder_hash:
        return "embedded with another encoder than its library"
    is_whole = len(row.embedding) == 4 * index.embedding_dim
    embedding = from_bytes(row.embedding) if is_whole else np.zeros(0, np.float32)
    if not is_whole or not np.isfinite(embedding).all():
        return f"its embedding is not {index.embedding_dim} finite numbers"
    if abs(float(np.linalg.norm(embedding)) - 1.0) > _UNIT_TOLERANCE:
        return "its embedding is not of unit norm"
    if len(clips) != row.num_clips:
        return f"{len(clips)} of its {row.num_clips} clips are there"
    return None


def _file_faults(
    index: "InstrumentIndex", library: LibraryInfo, vector_ids: list[int], expected: dict[int, Floats]
) -> Iterator[str]:
    store = index.vectors.empty_store(library.id, library.encoder_hash)
    try:
        store.load()
    except IndexDamaged as error:
        yield f"vector file {error.message}; run `showme index rebuild`"
        return
    stored = set(store.ids.tolist())
    if stored != set(vector_ids):
        yield "the vector file holds other instruments than the catalogue; run `showme index rebuild`"
    both = np.array(sorted(stored & expected.keys()), np.int64)
    if len(both):
        difference = np.abs(
            store.vectors(both) - np.stack([expected[vector_id] for vector_id in both.tolist()])
        )
        if float(difference.max()) > _SAME_TOLERANCE:
            yield "the vector file differs from the catalogue's embeddings; run `showme index rebuild`"
