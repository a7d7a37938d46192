"""The operations that a child performs on an index until it is killed: chosen from a seed, announced, done, acknowledged."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from index.catalog import Catalog, Instrument, Library
from index.enroll import enroll
from index.enrollment import batches
from index.instrument_index import InstrumentIndex
from index.reembed import reembed
from models.encoder_pair import EncoderPair
from models.error_kind import kind_of
from models.errors import EncoderMismatch, LibraryEmpty, ShowMeError
from tests.index.fake_source import FakeSource
from tests.torture.forked import Say
from tests.torture.ledger import KnownInstrument, KnownLibrary, Operation, State, after, instruments_of
from tests.torture.sounds import DrawnInstrument

FAMILIES = ("bass", "flute", "guitar", "organ", None)
WEIGHTS = {
    "enroll": 5,
    "correct": 3,
    "delete": 3,
    "restore": 3,
    "query": 3,
    "create": 1,
    "rename": 1,
    "delete library": 1,
    "restore library": 1,
    "rebuild": 1.5,
    "reembed": 1.5,
    "purge": 0.5,
    "sweep": 0.5,
}
MAX_LIBRARIES, MAX_INSTRUMENTS = 3, 12
REFUSALS = (EncoderMismatch, LibraryEmpty)


class OperationFailed(Exception):
    """An operation has failed; its child has told so."""


class Indexes:
    """The data folder, opened once for each pair of encoders."""

    def __init__(self, folder: Path, pairs: tuple[EncoderPair, ...]) -> None:
        self.pairs = pairs
        self.all = [InstrumentIndex(folder, pair.encoder_hash, pair.embedding_dim) for pair in pairs]

    def open(self) -> None:
        for index in self.all:
            index.open()

    def close(self) -> None:
        for index in self.all:
            index.close()

    def state(self) -> State:
        """Read all that is stored, deleted things too."""
        return stored_state(self.all[0].catalog, [pair.encoder_hash for pair in self.pairs])


@contextmanager
def opened(folder: Path, pairs: tuple[EncoderPair, ...]) -> Iterator[Indexes]:
    indexes = Indexes(folder, pairs)
    try:
        indexes.open()
        yield indexes
    finally:
        indexes.close()


def stored_state(catalog: Catalog, encoders: list[str]) -> State:
    """Read all libraries and instruments, deleted ones too; encoders are told by their place in `encoders`."""
    with catalog.session() as session:
        state = {
            row.id: KnownLibrary(row.name, encoders.index(row.encoder_hash), row.deleted_at is not None)
            for row in session.scalars(select(Library))
        }
        for row in session.scalars(select(Instrument)):
            sound = hashlib.sha256(row.embedding).hexdigest()[:16]
            encoder = encoders.index(row.encoder_hash)
            state[row.library_id].instruments[row.id] = KnownInstrument(
                row.name, row.family, row.deleted_at is not None, encoder, sound
            )
    return state


def choose(state: State, rng: np.random.Generator, without: Collection[str] = ()) -> Operation:
    """Choose an operation that the state allows, of all kinds `without` some."""
    chances = {kind: weight for kind, weight in WEIGHTS.items() if kind not in without}
    kinds, weights = list(chances), np.array(list(chances.values()))
    while True:
        chosen = _of_kind(str(rng.choice(kinds, p=weights / weights.sum())), state, rng)
        if chosen is not None:
            return chosen


def _of_kind(kind: str, state: State, rng: np.random.Generator) -> Operation | None:
    kept = [key for key, library in state.items() if not library.deleted]
    name = f"n{rng.integers(1 << 48):012x}"
    family = FAMILIES[rng.integers(len(FAMILIES))]
    if kind == "create":
        return Operation(kind, name=name) if len(kept) < MAX_LIBRARIES else None
    if kind in ("purge", "sweep"):
        return Operation(kind)
    if kind == "restore library":
        kept = [key for key, library in state.items() if library.deleted]
    if kind in ("correct", "delete", "restore"):
        found = list(instruments_of(state, deleted=kind == "restore"))
        if not found:
            return None
        library, instrument, _ = found[rng.integers(len(found))]
        return Operation(kind, library, instrument, name, family)
    if not kept:
        return None
    key = kept[rng.integers(len(kept))]
    present, encoder = state[key].present, state[key].encoder
    if kind == "enroll":
        room = MAX_INSTRUMENTS - len(present)
        names = tuple(f"{name}-{n}" for n in range(rng.integers(1, 4)))
        return Operation(kind, key, family=family, names=names, encoder=encoder) if room > 0 else None
    if kind in ("query", "reembed", "rebuild") and not any(
        one.encoder == encoder for one in present.values()
    ):
        return None
    return Operation(kind, key, name=name, encoder=1 - encoder if kind == "reembed" else encoder)


def perform(indexes: Indexes, operation: Operation) -> dict[str, Any]:
    """Perform an operation, and return what it made: ids by name, and the hashes of embeddings by id."""
    index, pair = indexes.all[operation.encoder], indexes.pairs[operation.encoder]
    library, instrument = operation.library, operation.instrument
    simple: dict[str, Callable[[], object]] = {
        "correct": lambda: index.instruments.correct(
            instrument, {"name": operation.name, "family": operation.family}
        ),
        "delete": lambda: index.instruments.delete(instrument),
        "restore": lambda: index.instruments.restore(instrument),
        "rename": lambda: index.libraries.change(library, operation.name),
        "delete library": lambda: index.libraries.delete(library),
        "restore library": lambda: index.libraries.restore(library),
        "rebuild": lambda: index.rebuild(library),
        "query": lambda: _query(index, library),
        "purge": lambda: _purge(index),
        "sweep": index.sweep,
    }
    if operation.kind == "create":
        return {"library": index.libraries.create(operation.name).id}
    if operation.kind == "enroll":
        source = FakeSource(*(_instrument(name, operation.family) for name in operation.names))  # type: ignore[arg-type]
        batches.BATCH_INSTRUMENTS = 1  # a kill may come between any two
        report = enroll(index, pair, library, source)
        assert not report.skipped
        return {"ids": {one.name: one.id for one in report.added}} | _heard(indexes, library)
    if operation.kind == "reembed":
        reembed(index, pair, library)  # what cannot be read is skipped, and stays as it was
        return _heard(indexes, library)
    simple[operation.kind]()
    return {}


def attempt(indexes: Indexes, operation: Operation, say: Say) -> dict[str, Any] | None:
    """Announce an operation, perform it, acknowledge it, and return what it made; None if its library's state forbids it.

    Raises OperationFailed, after it has told so, for any other error that is meant to happen.
    """
    say({"begin": vars(operation)})
    try:
        result = perform(indexes, operation)
    except REFUSALS as refusal:
        say({"refused": refusal.slug})
        return None
    except (ShowMeError, OSError) as error:
        say({"failed": kind_of(error)})
        raise OperationFailed from error
    say({"done": result})
    return result


def keep_going(
    indexes: Indexes,
    state: State,
    rng: np.random.Generator,
    say: Say,
    number: int,
    without: Collection[str] = (),
) -> None:
    """Attempt `number` operations. Raises OperationFailed if one fails."""
    for _ in range(number):
        operation = choose(state, rng, without)
        result = attempt(indexes, operation, say)
        if result is not None:
            state = after(state, operation, result)


def _instrument(name: str, family: str | None) -> DrawnInstrument:
    return DrawnInstrument(name, int(hashlib.sha256(name.encode()).hexdigest()[:8], 16), family)


def _query(index: InstrumentIndex, library: str) -> None:
    vectors = index.searchable(library)
    for row in vectors.rows[:3]:
        index.similar(row.instrument_id, 3)
    index.maps.get(library)


def _purge(index: InstrumentIndex) -> None:
    kept = index.libraries.undo_seconds
    index.libraries.undo_seconds = 0.0
    try:
        index.libraries.purge()
    finally:
        index.libraries.undo_seconds = kept


def _heard(indexes: Indexes, library: str) -> dict[str, Any]:
    """Read by which encoder a library is embedded now, and the embeddings of its instruments."""
    found = indexes.state()[library]
    return {
        "encoder": found.encoder,
        "encoders": {key: one.encoder for key, one in found.instruments.items()},
        "sounds": {key: one.sound for key, one in found.instruments.items()},
    }
