"""The acknowledged state of a data folder: what was heard to be done, and how it compares with what is there.

A state is held in plain values. Ids and embeddings that an operation would have made, of which nobody has heard, are UNHEARD.
"""

import json
import os
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO

UNHEARD = "?"
UNKNOWN = -1  # the encoder of a deleted instrument, which may take part in an embedding again or not


@dataclass
class KnownInstrument:
    """An instrument: `sound` is the hash of its embedding by the encoder number `encoder`."""

    name: str
    family: str | None
    deleted: bool
    encoder: int
    sound: str


@dataclass
class KnownLibrary:
    """A library and its instruments by id."""

    name: str
    encoder: int
    deleted: bool = False
    instruments: dict[str, KnownInstrument] = field(default_factory=dict)

    @property
    def present(self) -> dict[str, KnownInstrument]:
        return {key: one for key, one in self.instruments.items() if not one.deleted}


State = dict[str, KnownLibrary]  # by id


@dataclass(frozen=True)
class Operation:
    """A change, or a reading, of one library; `names` are those of the instruments that it adds."""

    kind: str
    library: str = ""
    instrument: str = ""
    name: str = ""
    family: str | None = None
    names: tuple[str, ...] = ()
    encoder: int = 0


def as_state(values: dict[str, Any]) -> State:
    """Return the state that was sent as JSON."""
    return {
        key: KnownLibrary(
            value["name"],
            value["encoder"],
            value["deleted"],
            {one: KnownInstrument(**found) for one, found in value["instruments"].items()},
        )
        for key, value in values.items()
    }


def as_values(state: State) -> dict[str, Any]:
    return {key: asdict(library) for key, library in state.items()}


def after(state: State, done: Operation, result: dict[str, Any] | None = None) -> State:
    """Return the state after an operation, with the ids and hashes of `result`, or UNHEARD ones."""
    state = deepcopy(state)
    told = result or {}
    library = state.get(done.library)
    if done.kind == "create":
        state[told.get("library", UNHEARD + done.name)] = KnownLibrary(done.name, done.encoder)
    elif done.kind == "purge":
        return _purged(state)
    elif library is not None:
        _change(library, done, told)
    return state


def _change(library: KnownLibrary, done: Operation, told: dict[str, Any]) -> None:
    instrument = library.instruments.get(done.instrument)
    if done.kind == "enroll":
        ids, sounds = told.get("ids", {}), told.get("sounds", {})
        for name in done.names:
            key = ids.get(name, UNHEARD + name)
            library.instruments[key] = KnownInstrument(
                name, done.family, False, done.encoder, sounds.get(key, UNHEARD)
            )
        library.encoder = done.encoder
    elif done.kind == "reembed":
        library.encoder = told.get("encoder", done.encoder)
        for key, one in library.instruments.items():
            if told:
                one.encoder, one.sound = told["encoders"][key], told["sounds"][key]
            elif one.encoder != done.encoder:
                one.encoder, one.sound = UNKNOWN if one.deleted else done.encoder, UNHEARD
    elif done.kind == "rename":
        library.name = done.name
    elif done.kind in ("delete library", "restore library"):
        library.deleted = done.kind == "delete library"
    elif instrument is not None and done.kind == "correct":
        instrument.name, instrument.family = done.name, done.family
    elif instrument is not None and done.kind == "delete":
        instrument.deleted = True
    elif instrument is not None and done.kind == "restore":
        if not library.present:
            library.encoder = instrument.encoder
        instrument.deleted = False


def _purged(state: State) -> State:
    kept = {key: library for key, library in state.items() if not library.deleted}
    for library in kept.values():
        library.instruments = library.present
    return kept


def differences(known: State, pending: Sequence[Operation], actual: State) -> tuple[list[str], list[str]]:
    """Return what was acknowledged and is lost, and what else differs; nothing if each pending operation is done or not.

    An enrollment may also have stored its first batches.
    """
    for done in product(*map(_stages, pending)):
        expected = known
        for operation in (one for one in done if one is not None):
            expected = after(expected, operation)
        if _as_heard(expected, actual) == expected:
            return [], []
    return _explained(known, pending, actual)


def _stages(pending: Operation) -> list[Operation | None]:
    """Return what may be there of an unfinished operation: nothing, all, or the first batches of an enrollment."""
    if pending.kind != "enroll":
        return [None, pending]
    parts = [replace(pending, names=pending.names[:number]) for number in range(1, len(pending.names) + 1)]
    return [None, *parts]


def _as_heard(expected: State, actual: State) -> State:
    """Return `actual` with UNHEARD in the places where `expected` has it."""
    found: State = {}
    for key, library in deepcopy(actual).items():
        place = key if key in expected else UNHEARD + library.name
        found[place] = library
        wanted = expected[place].instruments if place in expected else {}
        library.instruments = {
            one if one in wanted else UNHEARD + instrument.name: instrument
            for one, instrument in library.instruments.items()
        }
        for one, instrument in library.instruments.items():
            if one in wanted and wanted[one].sound == UNHEARD:
                instrument.sound = UNHEARD
            if one in wanted and wanted[one].encoder == UNKNOWN:
                instrument.encoder = UNKNOWN
    return found


def _explained(known: State, pending: Sequence[Operation], actual: State) -> tuple[list[str], list[str]]:
    lost, strange = [], [f"unfinished: {asdict(one)}" for one in pending]
    for key, library in known.items():
        found = actual.get(key)
        if found is None:
            lost.append(f"library {library.name} with {len(library.instruments)} instruments")
            continue
        if (found.name, found.encoder, found.deleted) != (library.name, library.encoder, library.deleted):
            strange.append(f"library {library.name} is {found.name}, {found.encoder}, {found.deleted}")
        for one, instrument in library.instruments.items():
            if one not in found.instruments:
                lost.append(f"{instrument} of {library.name}")
            elif found.instruments[one] != instrument:
                lost.append(f"{instrument} of {library.name} is {found.instruments[one]}")
        strange += [
            f"{library.name} has {found.instruments[one]}"
            for one in found.instruments.keys() - library.instruments
        ]
    strange += [f"library {actual[key].name} of nobody" for key in actual.keys() - known.keys()]
    return lost, strange


class Journal:
    """The lines of what was begun and what was heard to be done, on the disk before anything else happens."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("ab")

    def write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def instruments_of(state: State, *, deleted: bool) -> Iterator[tuple[str, str, KnownInstrument]]:
    """Yield library id, id and instrument of the libraries that are not deleted."""
    for key, library in state.items():
        if not library.deleted:
            for one, instrument in library.instruments.items():
                if instrument.deleted == deleted:
                    yield key, one, instrument
