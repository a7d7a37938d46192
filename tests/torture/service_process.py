"""The whole service in a forked process, with small encoders, on a free port of loopback."""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from app.connections import ServerConfig
from app.main import create_app
from app.stopping import STOP_SECONDS, StoppableServer
from index.enrollment import batches
from models.encoder_pair import EncoderPair
from tests.app.serving import settings_for
from tests.torture.forked import Forked, Say

START_SECONDS = 60.0


class ServiceProcess:
    """A service over `folder`, in a process that can be killed; `changes` are of its settings."""

    def __init__(
        self,
        folder: Path,
        pair: Callable[[], EncoderPair],
        *,
        stop_seconds: float = STOP_SECONDS,
        **changes: Any,
    ) -> None:
        def work(say: Say) -> None:
            batches.BATCH_INSTRUMENTS = 1  # a kill may come between any two
            settings = settings_for(folder, **changes)
            listener = socket.create_server(("127.0.0.1", 0), backlog=256)
            say({"port": listener.getsockname()[1]})
            config = ServerConfig(create_app(settings, pair=pair()), settings, log_level="critical")
            StoppableServer(config, stop_seconds).run(sockets=[listener])

        logging.getLogger("httpx").setLevel(logging.WARNING)
        self.process = Forked(work)
        self.port = int((self.process.hear() or {})["port"])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def client(self, seconds: float = START_SECONDS) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, timeout=seconds) as client:
            yield client

    def wait_until_ready(self) -> None:
        """Wait for `/readyz`. Raises RuntimeError if the service ends, TimeoutError if it takes too long."""
        deadline = monotonic() + START_SECONDS
        with self.client() as client:
            while monotonic() < deadline:
                try:
                    if client.get("/readyz").status_code == 200:
                        return
                except httpx.TransportError:
                    if self.process.wait(0.0):
                        raise RuntimeError("the service has ended while it started") from None
                sleep(0.02)
        raise TimeoutError(f"the service is not ready after {START_SECONDS:g} s")

    def end(self) -> int:
        """Kill the service if it is still there; return its status."""
        self.process.kill()
        return self.process.close()
