"""`kill -9` of the whole service while clients enroll, correct, delete, restore and ask, while it starts, migrates an older
schema, or embeds every library again for other encoders.

After each kill a fresh process compares the folder with what the clients heard; the next service must show the same over HTTP,
once it has gone on with the enrollments that were cut off: each of their instruments is there once.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import httpx
import numpy as np

from models.encoder_pair import EncoderPair
from tests.encoders import random_pair
from tests.torture.forked import fresh
from tests.torture.index_kills import OLDER, downgrade
from tests.torture.inspection import compared
from tests.torture.ledger import Operation, State, after
from tests.torture.outcome import Options, Outcome
from tests.torture.over_http import Client, asked, content_of
from tests.torture.service_process import ServiceProcess

TRIES, SHORT_TRIES, TRIES_PER_FOLDER, CLIENTS = 200, 2, 10, 3
LONGEST_SECONDS = {"working": 0.15, "starting": 1.0, "updating": 1.5}  # until the kill, once it is due
MOST_DONE = 15  # acknowledged operations before the kill is due, while the service works
PATIENCE_SECONDS = 20.0  # for so many
CHANCES = {"working": 0.7, "starting": 0.15, "updating": 0.15}
MIGRATED_SHARE = 0.2  # of the tries, which begin with an older schema
SETTINGS = {"job_lease_seconds": 0.5, "max_stored_queries": 10_000}


@dataclass
class _Folder:
    """A data folder, what is known to be in it, whose libraries are whose, and by which encoder it was served last."""

    path: Path
    state: State = field(default_factory=dict)
    owner_of: dict[str, int] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    encoder: int = 0
    cut_off: list[Operation] = field(default_factory=list)  # enrollments with which the next service goes on


def attack(options: Options) -> Outcome:
    outcome, rng = Outcome("service kills"), options.generator()
    pairs, phases, num_done = (random_pair(0), random_pair(1)), Counter[str](), 0
    data = _Folder(options.folder / "service-0")
    for number in options.numbers(TRIES, SHORT_TRIES):
        if number % TRIES_PER_FOLDER == 0:
            data = _Folder(options.folder / f"service-{number}")
        phase = str(rng.choice(list(CHANCES), p=list(CHANCES.values()))) if data.state else "working"
        if data.state and rng.random() < MIGRATED_SHARE:
            fresh(partial(downgrade, data.path, str(rng.choice(OLDER))))  # enrollments cannot go on after it
            phases["after a downgrade"] += 1
        phases[phase] += 1
        if phase == "updating":
            data.encoder = 1 - data.encoder
        pending, faults, done = _until_killed(data, phase, pairs[data.encoder], rng)
        num_done += done
        data.state, lost, strange = compared(data.state, pending, data.path, pairs)
        data.cut_off = _rest_of(pending, data.state)
        outcome.count(f"{data.path.name}, try {number}, {phase}", lost, strange + faults)
    where = ", ".join(f"{phase} {count}" for phase, count in phases.most_common())
    outcome.detail = f"{num_done:,} operations acknowledged to {CLIENTS} clients; killed while {where}"
    return outcome


def _until_killed(
    data: _Folder, phase: str, pair: EncoderPair, rng: np.random.Generator
) -> tuple[list[Operation], list[str], int]:
    """Serve the folder and kill the service; return what was unfinished, faults, and how much was acknowledged."""
    seconds, seeds = float(rng.uniform(0, LONGEST_SECONDS[phase])), rng.integers(1 << 32, size=CLIENTS)
    service = ServiceProcess(data.path, lambda: pair, **SETTINGS)
    try:
        if phase != "working":
            sleep(seconds)
            return _gone_on_with(data), [], 0
        service.wait_until_ready()
        if _updates(data):  # interrupted before; clients would be refused
            sleep(seconds)
            return _gone_on_with(data), [], 0
        faults = _gone_on(service, data) + _shown_otherwise(service, data)
        clients = _start_clients(service, data, seeds)
        _wait_for(clients, int(rng.integers(MOST_DONE + 1)))
        sleep(seconds)
    except (RuntimeError, TimeoutError, httpx.TransportError) as error:
        return [], [str(error)], 0
    finally:
        service.end()
    for client in clients:
        client.join(60.0)
        faults += client.faults
        data.queries |= client.queries
    _collect(data, clients)
    return (
        [one for client in clients for one in client.pending],
        faults,
        sum(client.num_done for client in clients),
    )


def _updates(data: _Folder) -> list[Operation]:
    """The libraries that the service embeds again by itself, because its encoders are others."""
    return [
        Operation("reembed", key, encoder=data.encoder)
        for key, library in data.state.items()
        if not library.deleted and any(one.encoder != data.encoder for one in library.present.values())
    ]


def _rest_of(pending: list[Operation], state: State) -> list[Operation]:
    """The enrollments among the unfinished operations, without the instruments that are stored."""
    rest = []
    for one in (one for one in pending if one.kind == "enroll" and one.library in state):
        stored = {found.name for found in state[one.library].instruments.values()}
        rest.append(replace(one, names=tuple(name for name in one.names if name not in stored)))
    return [one for one in rest if one.names]


def _gone_on_with(data: _Folder) -> list[Operation]:
    """Runs what the service does by itself: enrollments that were cut off, before or after the updates of their libraries."""
    updates = _updates(data)
    enrolled = [replace(one, encoder=data.encoder) for one in data.cut_off]
    kept = [one for one in data.cut_off if one.encoder != data.encoder]
    return [*kept, *updates, *enrolled] if updates else enrolled


def _gone_on(service: ServiceProcess, data: _Folder) -> list[str]:
    """Wait until the service fills no library, and enter in the books what it has added; return faults."""
    deadline = monotonic() + PATIENCE_SECONDS
    with service.client() as http:
        while monotonic() < deadline:
            items = asked(http, "GET", "/v1/libraries", params={"limit": 100})["items"]
            if not any(one["filling"] for one in items):
                break
            sleep(0.05)
        else:
            return ["an enrollment that was cut off has not come to its end"]
        for one in data.cut_off:
            path = f"/v1/libraries/{one.library}/instruments"
            found = {
                item["name"]: item["id"] for item in asked(http, "GET", path, params={"limit": 100})["items"]
            }
            added = tuple(name for name in one.names if name in found)
            if added:
                done = replace(one, names=added, encoder=data.encoder)
                data.state = after(data.state, done, {"ids": {name: found[name] for name in added}})
    data.cut_off = []
    return []


def _start_clients(service: ServiceProcess, data: _Folder, seeds: np.ndarray) -> list[Client]:
    clients = []
    for number, seed in enumerate(seeds.tolist()):
        own = {key: library for key, library in data.state.items() if data.owner_of.get(key, 0) == number}
        clients.append(
            Client(service.url, own, data.encoder, seed, data.path.with_suffix(f".journal-{number}"))
        )
    for client in clients:
        client.start()
    return clients


def _wait_for(clients: list[Client], num_done: int) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while sum(client.num_done for client in clients) < num_done and monotonic() < deadline:
        sleep(0.005)


def _collect(data: _Folder, clients: list[Client]) -> None:
    data.state = {key: library for client in clients for key, library in client.state.items()}
    data.owner_of |= {key: number for number, client in enumerate(clients) for key in client.state}


def _shown_otherwise(service: ServiceProcess, data: _Folder) -> list[str]:
    """Return in what the service's answers differ from the state that is known."""
    with service.client() as http:
        shown = {
            one["id"]: one for one in asked(http, "GET", "/v1/libraries", params={"limit": 100})["items"]
        }
        known = {key: library for key, library in data.state.items() if not library.deleted}
        faults = [] if shown.keys() == known.keys() else [f"it lists {shown.keys()}, not {known.keys()}"]
        for key in shown.keys() & known.keys():
            items = asked(http, "GET", f"/v1/libraries/{key}/instruments", params={"limit": 100})["items"]
            found = {one["id"]: one["name"] for one in items}
            if found != {one: instrument.name for one, instrument in known[key].present.items()}:
                faults.append(f"{known[key].name} is shown with {found}")
            previews = [http.get(f"/v1/instruments/{one}/preview").status_code for one in found]
            faults += [f"a preview is answered with {status}" for status in previews if status != 200]
        return faults + _other_queries(http, data)


def _other_queries(http: httpx.Client, data: _Folder) -> list[str]:
    changed = []
    for key, content in data.queries.items():
        if content_of(asked(http, "GET", f"/v1/queries/{key}")) != content:
            changed.append(f"query {key} has another answer")
        if http.get(f"/v1/queries/{key}/audio").status_code != 200:
            changed.append(f"query {key} has lost its audio")
    return changed
