"""Slow and silent clients: they are closed in time, give way to others, and nobody else notices them.

A small application stands for the service where only its connections matter; all go over real sockets.
"""

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI, Response

from app.connections import ServerConfig, raise_descriptor_limit
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running, serving, settings_for, until
from tests.app.sounds import audio, mixture, tone

TIMEOUT_SECONDS = 1.0
HALF_HEAD = b"GET /quick HTTP/1.1\r\nHost: localhost\r\n"
PART = b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
SPOOLED = 3 << 20  # bytes, more than are kept in memory


def upload_head(length: int = 1 << 22, path: str = "/v1/queries") -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    ).encode()


def make_small_app() -> FastAPI:
    """Answers quickly, at length, or when it is told to."""
    app = FastAPI()
    app.state.release, app.state.num_waiting = threading.Event(), 0

    @app.get("/quick")
    async def quick() -> str:
        return "yes"

    @app.get("/large")
    async def large() -> Response:
        return Response(bytes(50_000_000))

    @app.get("/wait")
    async def wait() -> str:
        app.state.num_waiting += 1
        while not app.state.release.is_set():
            await anyio.sleep(0.01)
        return "at last"

    return app


@contextmanager
def small_service(tmp_path: Path, **changes: Any) -> Iterator[httpx.Client]:
    settings = settings_for(tmp_path, client_timeout_seconds=TIMEOUT_SECONDS, **changes)
    with serving(make_small_app(), settings) as client:
        yield client


def connected(client: httpx.Client, begun: bytes = b"") -> socket.socket:
    """Open a connection and send the beginning of a request."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=30)
    connection.sendall(begun)
    return connection


def received(connection: socket.socket) -> bytes:
    """Everything until the service closes the connection."""
    parts = []
    try:
        while part := connection.recv(1 << 16):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def asked(client: httpx.Client, path: str = "/quick") -> int:
    """The status that a client of its own gets, on a new connection."""
    return httpx.get(f"{client.base_url}{path}", timeout=30).status_code


def test_a_half_sent_head_is_given_up(tmp_path: Path) -> None:
    with small_service(tmp_path) as client, connected(client, HALF_HEAD) as connection:
        head, _, body = received(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in head
        assert json.loads(body)["type"] == "urn:showme:problem:head-too-slow"


@pytest.mark.parametrize("begun", [b"", b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_silent_connection_is_closed_without_a_word(tmp_path: Path, begun: bytes) -> None:
    with small_service(tmp_path) as client, connected(client, begun) as connection:
        answered = received(connection)
        assert answered.count(b"HTTP/1.1") == (1 if begun else 0)


def seconds_of_dripping(connection: socket.socket, byte: bytes) -> float:
    """Send a byte now and then until the service closes the connection; return how long that took."""
    began = time.monotonic()
    while time.monotonic() < began + 20:
        time.sleep(TIMEOUT_SECONDS / 10)
        try:
            connection.sendall(byte)
        except OSError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize("before", [b"", b"GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_a_dripping_head_gains_no_time(tmp_path: Path, before: bytes) -> None:
    with small_service(tmp_path) as client, connected(client, before) as connection:
        answered = b""
        while before and b"yes" not in answered:
            answered += connection.recv(1 << 16)
        assert seconds_of_dripping(connection, b"E") < 10


def test_a_client_that_does_not_take_its_answer_is_closed(tmp_path: Path) -> None:
    asking = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with small_service(tmp_path) as client, connected(client, asking) as connection:
        time.sleep(3 * TIMEOUT_SECONDS)
        assert len(received(connection)) < 50_000_000


def test_silent_connections_give_way_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Four times the allowed number of silent clients leave others answered and the log short."""
    settings = settings_for(tmp_path, max_connections=8)
    with serving(make_small_app(), settings) as client, ExitStack() as stack:
        for number in range(32):
            stack.enter_context(connected(client, HALF_HEAD if number % 2 else b""))
            if number % 8 == 0:
                assert asked(client) == 200
        assert [asked(client) for _ in range(5)] == [200] * 5
    assert len(caplog.records) < 32


def test_a_request_that_is_being_answered_never_gives_way(tmp_path: Path) -> None:
    app = make_small_app()
    with serving(app, settings_for(tmp_path, max_connections=2)) as client, ExitStack() as stack:
        waiting = [
            stack.enter_context(connected(client, b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            for _ in range(2)
        ]
        until(lambda: app.state.num_waiting == len(waiting))
        with connected(client) as refused:
            head, _, body = received(refused).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        (request_id,) = re.findall(rb"x-request-id: ([0-9a-f]{32})", head)
        assert b"retry-after: 1" in head
        assert json.loads(body)["type"] == "urn:showme:problem:busy"
        assert json.loads(body)["request_id"] == request_id.decode()
        app.state.release.set()
        for connection in waiting:
            answer = b""
            while b"at last" not in answer:  # head and body may come one after the other
                part = connection.recv(1 << 16)
                assert part, answer
                answer += part


def spool_files() -> int:
    """The number of this process's open files without a name: uploads that are being received."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        try:
            found += str(path.readlink()).endswith("(deleted)")
        except FileNotFoundError:
            continue
    return found


def test_a_half_sent_upload_is_given_up_and_releases_its_file(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, client_timeout_seconds=TIMEOUT_SECONDS, max_uploads=1) as client:
        before = spool_files()
        with connected(client, upload_head() + PART + bytes(SPOOLED)) as connection:
            head, _, body = received(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        answer = json.loads(body)
        assert answer["type"] == "urn:showme:problem:body-too-slow"
        assert answer["value"] < answer["limit"]
        until(lambda: spool_files() <= before)
        assert client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}).status_code == 404
        dripping = connected(
            client, b"POST /v1/libraries HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
        )
        with dripping:
            assert seconds_of_dripping(dripping, b" ") < 10


def test_a_slow_but_steady_upload_is_received(tmp_path: Path, pair: EncoderPair) -> None:
    def slowly() -> Iterator[bytes]:
        for chunk in (PART, *[bytes(200)] * 12, b"\r\n--x--\r\n"):
            yield chunk
            time.sleep(TIMEOUT_SECONDS / 5)

    changes = {"client_timeout_seconds": 2 * TIMEOUT_SECONDS, "min_body_bytes_per_second": 100}
    with running(tmp_path, pair, **changes) as client:
        headers = {"content-type": "multipart/form-data; boundary=x"}
        problem(client.post("/v1/queries", content=slowly(), headers=headers), 404, "library-not-found")


def test_half_sent_uploads_are_limited_before_they_are_received(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, max_uploads=2, max_connections=12) as client, ExitStack() as stack:
        client.post("/v1/libraries", json={"name": "One"})
        before = spool_files()
        begun = upload_head() + PART + bytes(SPOOLED)
        admitted = [stack.enter_context(connected(client, begun)) for _ in range(2)]
        until(lambda: spool_files() == before + 2)
        for _ in range(20):
            refused = stack.enter_context(connected(client, begun))
            answer = refused.recv(1 << 16)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: " in answer.lower()
        assert spool_files() == before + 2
        for path in ("/healthz", "/v1/libraries"):
            assert asked(client, path) == 200
        problem(client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}), 503, "busy")
        for connection in admitted:
            connection.close()
        until(lambda: spool_files() == before)
        assert enrolled(client, "One", ("a.wav", audio(tone(110.0))))["state"] == "done"


def test_bytes_of_uploads_in_flight_are_limited(tmp_path: Path, pair: EncoderPair) -> None:
    limits = {"max_received_bytes": 1_500_000, "max_upload_bytes": 1_000_000}
    with running(tmp_path, pair, **limits) as client, connected(client, upload_head(900_000) + PART):
        until(
            lambda: client.post("/v1/queries", files={"file": ("a.wav", bytes(700_000))}).status_code == 503
        )
        refused = client.post("/v1/queries", files={"file": ("a.wav", bytes(700_000))})
        body = problem(refused, 503, "busy")
        assert body["limit"] == 1_500_000 < body["value"]
        small = client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))})
        problem(small, 404, "library-not-found")


def test_descriptors_limit_connections(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 900), hard))
    try:
        most = raise_descriptor_limit()
        assert most == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 900 or hard <= 900
        config = ServerConfig(FastAPI(), settings_for(tmp_path, max_connections=10**9))
        assert config.max_connections == most // 2
        assert config.backlog < most // 8
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_log_says_once_in_a_while_that_no_connection_is_accepted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServerConfig(FastAPI(), settings_for(tmp_path))
    logger = logging.getLogger("asyncio")
    for _ in range(1000):
        logger.error("socket.accept() out of system resource\nsocket: 7")
    logger.error("something else")
    assert [record.getMessage().split()[0] for record in caplog.records] == ["socket.accept()", "something"]
