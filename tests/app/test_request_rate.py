"""Limits of each key: who floods the service is answered with 429, and others are served meanwhile."""

import threading
from functools import partial
from pathlib import Path

import httpx
import pytest

from app.access.request_rate import WINDOW_SECONDS, RequestRate
from models.encoder_pair import EncoderPair
from models.errors import TooManyRequests
from tests.app.keyed import FILE, TONE, KeyedService, keyed, made
from tests.app.serving import HaltedPair, enrolled, problem, running, until
from tests.encoders import random_pair_of

PER_MINUTE = 6


def emptied(rate: RequestRate, key: str | None) -> int:
    """Take tokens until there are none; return how many there were."""
    for number in range(1000):
        try:
            rate.take(key)
        except TooManyRequests:
            return number
    raise AssertionError("the bucket has no bottom")


def test_a_bucket_empties_and_fills_again_over_a_minute() -> None:
    now = [100.0]
    rate = RequestRate(PER_MINUTE, clock=lambda: now[0])
    assert emptied(rate, "a") == PER_MINUTE
    with pytest.raises(TooManyRequests) as refused:
        rate.check("a")
    assert (refused.value.value, refused.value.limit) == (PER_MINUTE, PER_MINUTE)
    one = WINDOW_SECONDS / PER_MINUTE
    assert refused.value.retry_after_seconds == one
    rate.check("b")
    assert emptied(rate, "b") == PER_MINUTE
    now[0] += one
    assert emptied(rate, "a") == 1
    now[0] += 10 * WINDOW_SECONDS
    assert emptied(rate, "a") == PER_MINUTE


def test_a_batch_is_admitted_as_a_whole_and_paid_for_afterwards() -> None:
    now = [0.0]
    rate = RequestRate(PER_MINUTE, clock=lambda: now[0])
    rate.take("a", 2 * PER_MINUTE)
    with pytest.raises(TooManyRequests) as refused:
        rate.take("a")
    assert refused.value.value == 2 * PER_MINUTE
    now[0] += refused.value.retry_after_seconds
    assert emptied(rate, "a") == 1


def test_who_is_counted() -> None:
    never, without_keys = RequestRate(0, counts_unkeyed=True), RequestRate(PER_MINUTE)
    for _ in range(2 * PER_MINUTE):
        never.take("a")
        never.take(None)
        without_keys.take(None)
    assert emptied(RequestRate(PER_MINUTE, counts_unkeyed=True), None) == PER_MINUTE


def refused(answer: httpx.Response, limit: int) -> None:
    body = problem(answer, 429, "too-many-requests")
    assert body["value"] >= limit == body["limit"]
    assert int(answer.headers["retry-after"]) > 0


def test_a_key_that_asks_too_often_is_refused_everywhere_and_others_are_not(
    tmp_path: Path, pair: EncoderPair
) -> None:
    """The files of a batch put the key minutes into debt, which no slow machine waits for."""
    limit = 3
    with keyed(tmp_path, pair, key_requests_per_minute=limit) as service:
        flooding, other = service.client("flooding"), service.client("other")
        own = made(flooding)  # an enrollment and a query
        files = [("files", file) for file in 8 * [FILE["file"]]]
        batch = flooding.post("/v1/queries/batch", files=files, data={"library": own.library})
        assert batch.status_code == 200, batch.text
        for path in ("/v1/queries", "/v1/recognise"):
            refused(flooding.post(path, files=FILE), limit)
        refused(flooding.post("/v1/queries", files={"query": (None, own.query)}), limit)
        refused(flooding.post(f"/v1/libraries/{own.library}/instruments", files={"files": TONE}), limit)
        for path in ("parts", "slots/0/midi"):
            refused(flooding.get(f"/v1/queries/{own.query}/{path}"), limit)
        assert flooding.get(f"/v1/libraries/{own.library}/instruments").status_code == 200
        assert flooding.get(f"/v1/queries/{own.query}").status_code == 200
        made(other)


def test_a_key_does_not_fill_the_queue(tmp_path: Path) -> None:
    halted = random_pair_of(HaltedPair)
    with keyed(tmp_path, halted, max_waiting_queries=3, max_waiting_queries_per_key=2) as service:
        flooding, other = service.client("flooding"), service.client("other")
        flooding.post("/v1/libraries", json={"name": "L"})
        enrolled(flooding, "L", TONE)
        flooding.patch("/v1/libraries/L", json={"shared": True})
        answers: list[int] = []

        def ask(client: httpx.Client) -> None:
            answers.append(client.post("/v1/queries", files=FILE, data={"library": "L"}).status_code)

        waiting = [threading.Thread(target=ask, args=(client,)) for client in (flooding, flooding)]
        for thread in waiting:
            thread.start()
        until(partial(_in_flight, service, 2))
        body = problem(
            flooding.post("/v1/queries", files=FILE, data={"library": "L"}), 429, "too-many-requests"
        )
        assert (body["value"], body["limit"]) == (2, 2)
        waiting.append(threading.Thread(target=ask, args=(other,)))
        waiting[-1].start()
        until(partial(_in_flight, service, 3))
        halted.release.set()
        for thread in waiting:
            thread.join()
        assert answers == [200, 200, 200]
        ask(flooding)
        assert answers[-1] == 200


def _in_flight(service: KeyedService, number: int) -> bool:
    reader = service.client("reader", "read")
    return f"showme_queries_in_flight {number}.0" in reader.get("/metrics").text


def test_without_keys_the_limit_counts_only_if_it_is_set(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, key_requests_per_minute=1) as client:
        problem(client.post("/v1/queries", files=FILE), 404, "library-not-found")
        refused(client.post("/v1/queries", files=FILE), 1)


def test_the_document_tells_of_the_refusal(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        paths = client.get("/openapi.json").json()["paths"]
    counted = {
        (path, method)
        for path, methods in paths.items()
        for method, operation in methods.items()
        for answer in [operation["responses"].get("429", {})]
        if "too-many-requests" in str(answer)
    }
    assert counted == {
        ("/v1/queries", "post"),
        ("/v1/queries/batch", "post"),
        ("/v1/recognise", "post"),
        ("/v1/similar", "post"),
        ("/v1/instruments/{instrument_id}/keys", "get"),
        ("/v1/instruments/{instrument_id}/note", "get"),
        ("/v1/queries/{query_id}/export", "get"),
        ("/v1/libraries/{library_id}/instruments", "post"),
        ("/v1/queries/{query_id}/timeline", "get"),
        ("/v1/queries/{query_id}/parts", "get"),
        ("/v1/queries/{query_id}/slots/{slot}/midi", "get"),
        ("/v1/queries/{query_id}/slots/{slot}/render", "get"),
        ("/v1/queries/{query_id}/slots/{slot}/isolated", "get"),
        ("/v1/queries/{query_id}/slots/{slot}/isolated", "head"),
    }
