"""The look at a data folder after an attack, in a fresh process: what is stored, and every fault that is found.

Nothing half may be there: each instrument has its preview, clips and vector, finds itself first, and `verify` finds no fault.
Files that belong to nothing are allowed until they are a day old; then a sweep leaves none.
"""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from index.catalog import Instrument, Query
from index.instrument_index import InstrumentIndex
from index.integrity import UPDATE
from index.records import searchable_of
from index.stored_embeddings import from_bytes
from models.encoder_pair import EncoderPair
from models.errors import EncoderMismatch, LibraryEmpty
from tests.torture.forked import fresh
from tests.torture.ledger import Operation, State, as_state, as_values, differences
from tests.torture.operations import Indexes, opened

OLD_SECONDS = 3 * 24 * 3600.0


def inspect(folder: Path, pairs: tuple[EncoderPair, ...]) -> tuple[State, list[str]]:
    """Open the folder in a process of its own; return its state and the faults."""
    try:
        found = fresh(lambda: _look(folder, pairs))
    except (RuntimeError, TimeoutError) as error:
        return {}, [f"it cannot be opened: {error}"]
    return as_state(found["state"]), found["faults"]


def compared(
    known: State, pending: list[Operation], folder: Path, pairs: tuple[EncoderPair, ...]
) -> tuple[State, list[str], list[str]]:
    """Return what is stored in the folder, what was acknowledged and is lost, and every other fault."""
    actual, faults = inspect(folder, pairs)
    lost, strange = differences(known, pending, actual)
    return actual, lost, strange + faults


def _look(folder: Path, pairs: tuple[EncoderPair, ...]) -> dict[str, Any]:
    with opened(folder, pairs) as indexes:
        faults = [fault for index in indexes.all for fault in _faults_of(index)]
        faults += _half_there(indexes.all[0])
        faults += _leftovers(indexes)
        return {"state": as_values(indexes.state()), "faults": faults}


def _faults_of(index: InstrumentIndex) -> list[str]:
    """The faults of the libraries that this index's encoder has embedded."""
    ours = [library.id for library in index.libraries.all() if library.encoder_hash == index.encoder_hash]
    faults = [fault for library in ours for fault in index.verify(library) if not fault.endswith(UPDATE)]
    return faults + not_found_first(index)


def not_found_first(index: InstrumentIndex) -> list[str]:
    """The instruments of this index's encoder that are not the nearest to their own embeddings."""
    faults = []
    for library in index.libraries.all():
        try:
            vectors = index.searchable(library.id)
        except (EncoderMismatch, LibraryEmpty):
            continue
        with index.catalog.session() as session:
            rows = session.scalars(searchable_of(library.id)).all()
        if [row.id for row in rows] != [row.instrument_id for row in vectors.rows]:
            faults.append(
                f"the instruments that are searched in {library.name} are not those of the catalogue"
            )
        hits = vectors.search(np.stack([from_bytes(row.embedding) for row in rows]), 1) if rows else []
        for row, (first, *_) in zip(rows, hits, strict=True):
            if first.instrument_id != row.id:
                faults.append(f"{row.name} of {library.name} finds {first.name} first, not itself")
    return faults


def _half_there(index: InstrumentIndex) -> list[str]:
    """Instruments without their previews, deleted ones too, and queries without their audio."""
    with index.catalog.session() as session:
        instruments = session.execute(select(Instrument.name, Instrument.id)).all()
        queries = session.execute(select(Query.id, Query.audio)).all()
    silent = [name for name, key in instruments if not index.folder.preview_file(key).is_file()]
    mute = [key for key, audio in queries if audio and not (index.folder.queries_dir / audio).is_file()]
    return [f"{name} has no preview" for name in silent] + [f"query {key} has no audio" for key in mute]


def _leftovers(indexes: Indexes) -> list[str]:
    """What belongs to nothing and is still there after it has grown old and been swept."""
    index, moment = indexes.all[0], time.time() - OLD_SECONDS
    for folder in (
        index.folder.previews_dir,
        index.folder.tmp_dir,
        index.folder.vectors_dir,
        index.folder.uploads_dir,
    ):
        for path in folder.iterdir():
            os.utime(path, (moment, moment))
    index.sweep()
    state = indexes.state()
    instruments = {key for library in state.values() for key in library.instruments}
    left = [path.name for path in index.folder.tmp_dir.iterdir()]
    previews = list(index.folder.previews_dir.iterdir())
    strange = [path.name for path in previews if path.stem not in instruments]
    if 2 * len(strange) <= len(
        previews
    ):  # where most are strange, they are kept: the database may be put back
        left += strange
        left += [path.name for path in index.folder.vectors_dir.iterdir() if path.stem not in state]
    return [f"{name} is left over" for name in left]
