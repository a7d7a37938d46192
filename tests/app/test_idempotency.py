"""Idempotency keys: what is sent again is answered as the first time and not done again; other content is refused."""

import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.idempotency import AnsweredKeys, KeyedRequest
from index.catalog import Catalog
from models.errors import KeyInUse, KeyReused
from tests.app.serving import HaltedPair, SteppedPair, finished_job, problem, running, until
from tests.app.sounds import audio, mixture, tone
from tests.databases import catalogue_at
from tests.encoders import random_pair_of

pytestmark = pytest.mark.both_databases

KEY = {"Idempotency-Key": "retry-1"}


def ask(client: httpx.Client, key: dict[str, str], seconds: float = 1.0, **fields: str) -> httpx.Response:
    return client.post("/v1/queries", files={"file": ("a.wav", mixture(seconds))}, data=fields, headers=key)


def add(client: httpx.Client, name: str, hz: float = 600.0, library: str = "One") -> httpx.Response:
    files = {"files": (name, audio(tone(hz)))}
    return client.post(f"/v1/libraries/{library}/instruments", files=files, headers=KEY)


def test_a_query_that_is_sent_again_is_not_asked_again(own: httpx.Client) -> None:
    first = ask(own, KEY)
    again = ask(own, KEY)
    assert (again.status_code, again.json(), again.headers["location"]) == (
        200,
        first.json(),
        first.headers["location"],
    )
    assert len(own.get("/v1/queries").json()["items"]) == 1
    for other in (ask(own, KEY, seconds=1.5), ask(own, KEY, top_k="3"), add(own, "a.wav")):
        assert problem(other, 422, "idempotency-key-reused")["value"] == "retry-1"
    assert ask(own, {"Idempotency-Key": "retry-2"}).json()["id"] != first.json()["id"]
    own.delete(f"/v1/queries/{first.json()['id']}")
    assert ask(own, KEY).json() == first.json()
    problem(ask(own, {"Idempotency-Key": "k" * 201}), 422, "invalid-request")


def test_what_failed_may_be_sent_again(own: httpx.Client) -> None:
    problem(ask(own, KEY, library="Two"), 404, "library-not-found")
    own.post("/v1/libraries", json={"name": "Two"})
    problem(ask(own, KEY, library="Two"), 409, "library-empty")
    assert ask(own, KEY, library="One").status_code == 200


def test_an_enrollment_that_is_sent_again_is_one_job(
    tmp_path: Path, stepped: SteppedPair, database: str | None
) -> None:
    with running(tmp_path, stepped) as client:
        for name in ("One", "Two"):
            client.post("/v1/libraries", json={"name": name})
        first = add(client, "a.wav")
        assert stepped.started.wait(30)
        again = add(client, "a.wav")
        assert (again.status_code, again.json()) == (202, first.json())
        assert again.headers["location"] == first.headers["location"]
        problem(add(client, "b.wav"), 422, "idempotency-key-reused")
        problem(add(client, "a.wav", library="Two"), 422, "idempotency-key-reused")
        stepped.allowed.set()
        assert finished_job(client, first.json())["message"] == "1 added"
    with running(tmp_path, stepped) as client:  # a restart forgets nothing
        assert add(client, "a.wav").json() == first.json()
        assert client.get("/v1/libraries/One").json()["num_instruments"] == 1


def test_a_request_that_is_being_answered_is_not_done_twice(tmp_path: Path, tones_dir: Path) -> None:
    shutil.copytree(tones_dir, tmp_path, dirs_exist_ok=True)
    halted = random_pair_of(HaltedPair)
    with running(tmp_path, halted) as client:
        answers: list[Any] = []
        first = threading.Thread(target=lambda: answers.append(ask(client, KEY).json()))
        first.start()
        until(lambda: "showme_queries_in_flight 1.0" in client.get("/metrics").text)
        problem(ask(client, KEY), 409, "idempotency-key-in-use")
        halted.release.set()
        first.join()
        assert [ask(client, KEY).json()] == answers


def test_keys_are_kept_for_their_time_and_stored_once(tmp_path: Path, database: str | None) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    catalog = Catalog(catalogue_at(tmp_path))
    catalog.migrate()
    keys = AnsweredKeys(catalog, keep_seconds=100.0, clock=lambda: now)
    request, other = KeyedRequest("k", "a" * 64), KeyedRequest("k", "b" * 64)
    with keys.using(request), pytest.raises(KeyInUse), keys.using(other):
        pass
    with catalog.write() as session:
        keys.store(session, request, "first")
    with pytest.raises(KeyInUse), catalog.write() as session:  # another process was quicker
        keys.store(session, request, "second")
    now += timedelta(seconds=99)
    keys.sweep()
    assert keys.first_answer(request) == "first"
    with pytest.raises(KeyReused):
        keys.first_answer(other)
    now += timedelta(seconds=2)
    assert keys.first_answer(request) is keys.first_answer(other) is None
    with catalog.write() as session:
        keys.store(session, other, "second")
    assert keys.first_answer(other) == "second"
    now += timedelta(seconds=101)
    keys.sweep()
    with catalog.session() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM answered_key").scalar() == 0
    catalog.close()
