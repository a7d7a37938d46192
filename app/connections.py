"""Connections of clients: how many there may be at once, and how long one may keep the service waiting.

uvicorn closes a kept connection that stays silent after an answer, and bounds a request's head (16 KiB). It waits for ever for
a head, and at its `limit_concurrency` it refuses everybody, so that silent clients would lock the others out. Here the longest
silent one gives way to a new one. `app/request_bodies.py` guards the bodies.
"""

import asyncio
import logging
import sys
from time import monotonic
from typing import Any
from uuid import uuid4

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from app.access.headers import SECURITY_HEADERS
from app.problems import MEDIA_TYPE, make_problem
from app.settings import Settings

log = logging.getLogger("showme")

MAX_DESCRIPTORS = 65_536  # more are of no use to one process
DESCRIPTORS_PER_CONNECTION = 2  # its own, and that of a file which is sent or received
ACCEPTED_AT_ONCE = (
    1 / 16
)  # of the descriptors: connections that are accepted before the first of them is looked at
MAX_BACKLOG = 256
GRACE_SECONDS = 5  # for requests in progress when the service is asked to stop
_SECURITY = "".join(f"{name.lower()}: {value}\r\n" for name, value in SECURITY_HEADERS.items())
FAULT_SECONDS = 10.0  # between two lines about connections that the system cannot accept


def raise_descriptor_limit() -> int:
    """Raise the number of files and connections that this process may open to the most allowed, and return it."""
    if sys.platform == "win32":
        return 512
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MAX_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return MAX_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS allows fewer than it says
        return soft
    return most


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration for the service, with limits on its connections; `options` are uvicorn's own."""

    def __init__(self, app: FastAPI, settings: Settings, **options: Any) -> None:
        descriptors = raise_descriptor_limit()
        self.max_connections = max(
            1, min(settings.max_connections, descriptors // DESCRIPTORS_PER_CONNECTION)
        )
        self.client_timeout_seconds = settings.client_timeout_seconds
        logging.getLogger("asyncio").addFilter(_ACCEPT_FAULTS)
        chosen: dict[str, Any] = {
            "host": settings.host,
            "port": settings.port,
            "http": ClientConnection,
            "access_log": False,  # it holds raw addresses: `app/middleware.py` writes the lines of requests
            "ws": "none",
            "backlog": max(1, min(MAX_BACKLOG, int(ACCEPTED_AT_ONCE * descriptors))),
            "timeout_graceful_shutdown": GRACE_SECONDS,
        }
        super().__init__(app, **chosen | options)


class ClientConnection(H11Protocol):
    """A connection that is closed when its client is too slow, and that gives way to others while it waits for its client."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(config, ServerConfig)
        self._max_connections = config.max_connections
        self._timeout_seconds = config.client_timeout_seconds
        self._head_timer: asyncio.TimerHandle | None = None
        self._answer_timer: asyncio.TimerHandle | None = None
        self.heard_at = self.loop.time()

    @property
    def waits_for_client(self) -> bool:
        """Whether the client has to do something: send a head or a body, or take on an answer."""
        return self._is_idle or self.cycle.more_body or self.flow.write_paused

    @property
    def receives_body(self) -> bool:
        """Whether a body is being received that nobody has answered yet."""
        return not self._is_idle and self.cycle.more_body and not self.cycle.response_started

    @property
    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= self._max_connections and not self._displace_another():
            self.transport = transport
            self._say(503, "busy", "The service is busy", "too many clients are being answered; try again")
            return
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        super().data_received(data)
        if not self._is_idle:
            self._stop_head_timer()
        elif self._head_timer is None and not self.transport.is_closing():
            self._start_head_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_timer = self.loop.call_later(self._timeout_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        self.heard_at = self.loop.time()
        self._stop_answer_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_answer_timer()
        super().connection_lost(exc)

    def _displace_another(self) -> bool:
        """Close the connection that has been silent longest among those that wait for their clients, if there is one.

        Those that send a body go last: they have been admitted.
        """
        waiting = [
            other
            for other in self.connections
            if isinstance(other, ClientConnection) and other.waits_for_client
        ]
        if not waiting:
            return False
        silent = min(waiting, key=lambda other: (other.receives_body, other.heard_at))
        self.connections.discard(silent)
        silent.transport.abort()
        return True

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._timeout_seconds, self._give_up_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
        self._head_timer = None

    def _stop_answer_timer(self) -> None:
        if self._answer_timer:
            self._answer_timer.cancel()
        self._answer_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem, in place of uvicorn's plain text."""
        self._say(400, "bad-request", "The request cannot be read", msg)

    def _give_up_head(self) -> None:
        if self.transport.is_closing():
            return
        begun, _ = self.conn.trailing_data
        if begun:
            detail = f"the head of a request did not arrive within {self._timeout_seconds:g} s"
            self._say(408, "head-too-slow", "The request's head comes too slowly", detail)
        else:
            self.transport.close()

    def _say(self, status: int, slug: str, title: str, detail: str) -> None:
        """Send a problem document, without the application, and close the connection."""
        request_id = uuid4().hex
        body = make_problem(slug, title, status, detail, request_id=request_id).model_dump_json().encode()
        head = (
            f"HTTP/1.1 {status} \r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nretry-after: 1\r\nconnection: close\r\n{_SECURITY}\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


class _AcceptFaults(logging.Filter):
    """Lets one line in a while through of those that say that the system accepts no more connections.

    asyncio writes one for each connection that it tries to accept, without a pause.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next_at = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith("socket.accept() out of system resource"):
            return True
        if monotonic() < self._next_at:
            return False
        self._next_at = monotonic() + FAULT_SECONDS
        return True


_ACCEPT_FAULTS = _AcceptFaults()
