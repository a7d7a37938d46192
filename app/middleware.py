"""Middleware of every request: its id, its duration in the metrics, the answer to bugs, and the limit on its body.

Plain ASGI. The limit holds for the bytes that arrive, since a Content-Length may be missing or wrong (RFC 9110, 8.6).
"""

import logging
import re
import time
import uuid

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLarge, internal_error
from app.metrics import Metrics

log = logging.getLogger("showme")

REQUEST_ID = "X-Request-ID"
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LINGER_SECONDS = 5.0  # spent on discarding an oversized body, so that the client reads the answer


class RequestContext:
    """Gives each request an id (the client's own if it is valid), measures it, and answers bugs with a problem."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = asked if _ACCEPTED_ID.fullmatch(asked) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("request %s: %s %s failed", request_id, scope["method"], scope["path"])
            if status:
                raise  # the answer has begun: only a broken connection can tell the client
            await internal_error(scope["path"], request_id)(scope, receive, send_with_id)
        finally:
            self.metrics.request(scope, status, time.perf_counter() - started)


class BodyLimit:
    """Refuses request bodies above `max_bytes`: raises BodyTooLarge (413) where the body is read."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        announced = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 20 else 0
        waits_for_permission = "100-continue" in headers.get("expect", "").lower()
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            if announced > self.max_bytes and waits_for_permission:
                raise BodyTooLarge(announced, self.max_bytes)
            message = await receive()
            seen += len(message.get("body", b""))
            if max(seen, announced) > self.max_bytes:
                await _drain(receive, message, self.max_bytes)
                raise BodyTooLarge(max(seen, announced), self.max_bytes)
            return message

        await self.app(scope, limited, send)


async def _drain(receive: Receive, message: Message, max_bytes: int) -> None:
    """Discard the rest of the body, within bounds: with unread data the connection is reset and the answer lost."""
    seen = 0
    with anyio.move_on_after(_LINGER_SECONDS):
        while message.get("more_body", False) and seen <= max_bytes:
            message = await receive()
            seen += len(message.get("body", b""))
