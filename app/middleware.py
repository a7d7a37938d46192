"""Middleware of every request: its id, its duration in the metrics, the answer to bugs, and the limits on its body.

Plain ASGI. The limit holds for the bytes that arrive, since a Content-Length may be missing or wrong (RFC 9110, 8.6).
"""

import logging
import re
import time
import uuid
from pathlib import Path

import anyio
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyTooLarge, internal_error, our_problem_response
from app.metrics import Metrics
from index.disk import free_bytes
from models.errors import StorageFull

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
        announced = _announced_bytes(headers)
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


class FreeSpace:
    """Refuses uploads (507) before they are read where the disk of `folder` would keep less than `min_free_bytes`."""

    def __init__(self, app: ASGIApp, folder: Path, min_free_bytes: int, max_bytes: int) -> None:
        self.app = app
        self.folder = folder
        self.min_free_bytes = min_free_bytes
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if headers.get("content-type", "").lower().startswith("multipart/"):
            left = free_bytes(self.folder) - _announced_bytes(headers)
            if left < self.min_free_bytes:
                if "100-continue" not in headers.get("expect", "").lower():
                    await _drain(receive, {"type": "http.request", "more_body": True}, self.max_bytes)
                error = StorageFull.below(self.min_free_bytes, left)
                await our_problem_response(Request(scope), error)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _announced_bytes(headers: Headers) -> int:
    """Return the size that a request states for its body; 0 without a sensible one."""
    stated = headers.get("content-length", "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 else 0


async def _drain(receive: Receive, message: Message, max_bytes: int) -> None:
    """Discard the rest of the body, within bounds: with unread data the connection is reset and the answer lost."""
    seen = 0
    with anyio.move_on_after(_LINGER_SECONDS):
        while message.get("more_body", False) and seen <= max_bytes:
            message = await receive()
            seen += len(message.get("body", b""))
