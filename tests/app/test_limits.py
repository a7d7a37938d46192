"""The limit on request bodies, and the bounded queues: refused early, with a clear message, and nothing is stored."""

import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest

from app.query_queue import QueryQueue, QueueFull
from models.encoder_pair import EncoderPair
from tests.app.serving import HaltedPair, enrolled, problem, running, until
from tests.app.sounds import audio, mixture, tone
from tests.encoders import random_pair_of

LIMIT = 50_000


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> Iterator[httpx.Client]:
    with running(tmp_path_factory.mktemp("small"), pair, max_upload_bytes=LIMIT) as client:
        yield client


def test_announced_body_above_the_limit(small: httpx.Client) -> None:
    answer = small.post("/v1/queries", files={"file": ("big.wav", bytes(3 * LIMIT))})
    body = problem(answer, 413, "body-too-large")
    assert body["limit"] == LIMIT
    assert body["value"] > 3 * LIMIT


def test_chunked_body_above_the_limit(small: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(30):
            yield bytes(5000)

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = small.post("/v1/queries", content=chunks(), headers=headers)
    body = problem(answer, 413, "body-too-large")
    assert body["value"] > LIMIT == body["limit"]


def test_json_body_above_the_limit(small: httpx.Client) -> None:
    problem(small.post("/v1/libraries", json={"name": "a" * LIMIT}), 413, "body-too-large")


def test_a_client_that_waits_for_permission_sends_nothing(small: httpx.Client) -> None:
    head = (
        f"POST /v1/queries HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10 * LIMIT}\r\nExpect: 100-continue\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection((small.base_url.host, small.base_url.port or 80), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_body_within_the_limit_passes(small: httpx.Client) -> None:
    problem(small.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}), 404, "library-not-found")


def test_queue_is_bounded_and_says_when_to_come_back() -> None:
    queue = QueryQueue(max_waiting=2)
    release = threading.Event()
    running_at_once: list[int] = []

    def work() -> None:
        running_at_once.append(1)
        assert release.wait(10)

    async def one() -> None:
        async with queue.admit():
            await queue.infer(work)

    async def scenario() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
            with anyio.fail_after(10):
                while queue.in_flight < 2 or not running_at_once:
                    await anyio.sleep(0.001)
            with pytest.raises(QueueFull) as refused:
                await one()
            assert (refused.value.value, refused.value.limit) == (2, 2)
            assert 1 <= refused.value.retry_after_seconds <= 120
            assert len(running_at_once) == 1
            release.set()
        assert queue.in_flight == 0
        await one()

    anyio.run(scenario)


def test_full_queue_is_a_503(tmp_path: Path) -> None:
    halted = random_pair_of(HaltedPair)
    with running(tmp_path, halted, max_waiting_queries=1) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))
        answers: list[httpx.Response] = []
        ask = partial(client.post, "/v1/queries", files={"file": ("a.wav", mixture(1.0))})
        first = threading.Thread(target=lambda: answers.append(ask()))
        first.start()
        until(lambda: "showme_queries_in_flight 1.0" in client.get("/metrics").text)
        refused = ask()
        assert problem(refused, 503, "busy")["limit"] == 1
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/healthz").status_code == 200
        halted.release.set()
        first.join()
        assert [answer.status_code for answer in answers] == [200]
        assert ask().status_code == 200
