"""A real service for the tests: uvicorn on a free port in a thread, reached over HTTP.

Only the encoders are replaced: they are small and random.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from app.connections import ServerConfig
from app.main import create_app
from app.settings import Settings
from models.encoder_pair import EncoderPair, Floats

DEADLINE_SECONDS = 60.0
LogLines = Callable[[], list[dict[str, Any]]]


class SteppedPair(EncoderPair):
    """Embeds one instrument each time it is allowed to."""

    def pause(self) -> None:
        self.started, self.allowed = threading.Event(), threading.Event()

    def embed(self, clips: Floats) -> Floats:
        self.started.set()
        assert self.allowed.wait(DEADLINE_SECONDS)
        return super().embed(clips)


class HaltedPair(EncoderPair):
    """Encodes mixtures while `release` is set; each pair has its own, and begins halted."""

    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        self.release = threading.Event()

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        assert self.release.wait(2 * DEADLINE_SECONDS)
        return super().encode(windows)


def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`. Raises AssertionError if it does not become true in time."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def settings_for(data_dir: Path, **changes: Any) -> Settings:
    """Settings for a test: no default library unless requested, and no data from the environment."""
    values: dict[str, Any] = {"data_dir": data_dir, "default_library": "none", "device": "cpu"}
    return Settings(**values | changes)


@contextmanager
def serving(app: FastAPI, settings: Settings | None = None) -> Iterator[httpx.Client]:
    """Run `app` until the block ends, on a free port."""
    options: dict[str, Any] = {"port": 0, "log_level": "critical", "timeout_graceful_shutdown": 2}
    server = uvicorn.Server(ServerConfig(app, settings or Settings(), **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive())
    assert server.started
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_SECONDS) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


@contextmanager
def running(data_dir: Path, pair: EncoderPair, **changes: Any) -> Iterator[httpx.Client]:
    """A service over `data_dir`."""
    settings = settings_for(data_dir, **changes)
    with serving(create_app(settings, pair=pair), settings) as client:
        yield client


def finished_job(client: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    """Wait until the job has ended, and return it."""
    until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] not in ("queued", "running"))
    ended: dict[str, Any] = client.get(f"/v1/jobs/{job['id']}").json()
    return ended


def enrolled(client: httpx.Client, library: str, *files: tuple[str, bytes]) -> dict[str, Any]:
    """Upload `files` (name, content) to a library and wait; return the finished job."""
    answer = client.post(f"/v1/libraries/{library}/instruments", files=[("files", file) for file in files])
    assert answer.status_code == 202, answer.text
    return finished_job(client, answer.json())


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    """Check that `answer` is a complete problem document of this kind, and return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:showme:problem:{slug}", body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["instance"] == answer.request.url.path
    assert body["request_id"] == answer.headers["x-request-id"]
    assert {"value", "limit"} <= body.keys()
    return body
