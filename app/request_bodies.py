"""Middleware that guards request bodies before they fill disk and memory: their number, room, pace and size.

Plain ASGI. The limits hold for the bytes that arrive, since a Content-Length may be missing or wrong (RFC 9110, 8.6).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import anyio
from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BodyCutOff, BodyTooLarge, BodyTooSlow, our_problem_response
from index.disk import free_bytes, nearly_full
from models.errors import Busy, ShowMeError

_LINGER_SECONDS = (
    5.0  # spent on discarding the body of a refused request, so that the client reads the answer
)
_UNREAD: Message = {"type": "http.request", "more_body": True}
PIECE = "application/offset+octet-stream"  # the media type of a piece of a resumable upload
_FOR_LIBRARIES = re.compile(r"/v1/(libraries/[^/]+/instruments|uploads/[^/]+)")


@dataclass(frozen=True)
class BodySizes:
    """The largest request bodies in bytes: of files for a library, and of all else."""

    library: int
    other: int

    def of(self, scope: Scope) -> int:
        """Return the limit for a request."""
        return self.library if _FOR_LIBRARIES.fullmatch(scope["path"]) else self.other


class UploadSlots:
    """Admits so many uploads, and bytes of them, at a time: further ones are refused (503) before their bodies are read.

    An upload counts from its head to its answer, with the bytes that it announces, or else with the most that it may have.
    `check(scope)` may refuse it for a reason of its own, by raising one of our errors.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_uploads: int,
        max_bytes_of_all: int,
        sizes: BodySizes,
        check: Callable[[Scope], None],
    ) -> None:
        self.app = app
        self.max_uploads = max_uploads
        self.max_bytes_of_all = max_bytes_of_all
        self.sizes = sizes
        self.check = check
        self._number = self._bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_upload(scope):
            await self.app(scope, receive, send)
            return
        most = self.sizes.of(scope)
        size = min(_announced_bytes(Headers(scope=scope)) or most, most)
        try:
            self._check_room(size)
            self.check(scope)
        except ShowMeError as error:
            answer = our_problem_response(Request(scope), error)
            await refuse(scope, receive, send, answer, most)
            return
        self._number, self._bytes = self._number + 1, self._bytes + size
        try:
            await self.app(scope, receive, send)
        finally:
            self._number, self._bytes = self._number - 1, self._bytes - size

    def _check_room(self, size: int) -> None:
        """Raise Busy if one more upload would be too many. One that is alone never is."""
        if self._number >= self.max_uploads:
            message = f"{self._number} uploads are already in flight; try again"
            raise Busy(message, value=self._number, limit=self.max_uploads)
        total = self._bytes + size
        if self._number and total > self.max_bytes_of_all:
            message = f"uploads in flight would be {total} bytes; try again"
            raise Busy(message, value=total, limit=self.max_bytes_of_all)


class FreeSpace:
    """Refuses uploads (507) before they are read where the disk of `folder` would keep less than `min_free_bytes`."""

    def __init__(self, app: ASGIApp, folder: Path, min_free_bytes: int, sizes: BodySizes) -> None:
        self.app = app
        self.folder = folder
        self.min_free_bytes = min_free_bytes
        self.sizes = sizes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _is_upload(scope):
            left = free_bytes(self.folder) - _announced_bytes(Headers(scope=scope))
            if left < self.min_free_bytes:
                error = nearly_full(self.min_free_bytes, left)
                answer = our_problem_response(Request(scope), error)
                await refuse(scope, receive, send, answer, self.sizes.of(scope))
                return
        await self.app(scope, receive, send)


class BodyPace:
    """Gives up bodies that bring fewer than `min_bytes` in `seconds` of waiting: raises BodyTooSlow (408) where they are read.

    Only waiting for the client counts, and only until the body is complete or the answer has begun. A client that goes away
    raises BodyCutOff there: an HTTPException passes FastAPI unchanged, while its own in place of another would hold the files
    that were received in a circle of references, until the garbage is collected.
    """

    def __init__(self, app: ASGIApp, seconds: float, min_bytes: int) -> None:
        self.app = app
        self.seconds = seconds
        self.min_bytes = min_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not has_body(scope):
            await self.app(scope, receive, send)
            return
        is_over = False
        waited, seen = 0.0, 0  # in the present stretch of `seconds`

        async def paced() -> Message:
            nonlocal is_over, waited, seen
            while not is_over:
                began = monotonic()
                message: Message | None = None
                with anyio.move_on_after(self.seconds - waited):
                    message = await receive()
                waited += monotonic() - began
                if message is not None:
                    if message["type"] == "http.disconnect":
                        raise BodyCutOff
                    seen += len(message.get("body", b""))
                    is_over = not message.get("more_body", False)
                if waited >= self.seconds and not is_over:
                    if seen < self.min_bytes:
                        raise BodyTooSlow(seen, self.min_bytes, self.seconds)
                    waited, seen = 0.0, 0
                if message is not None:
                    return message
            return await receive()

        async def noticed(message: Message) -> None:
            nonlocal is_over
            is_over = True
            await send(message)

        await self.app(scope, paced, noticed)


class BodyLimit:
    """Refuses request bodies above their size: raises BodyTooLarge (413) where the body is read."""

    def __init__(self, app: ASGIApp, sizes: BodySizes) -> None:
        self.app = app
        self.sizes = sizes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most, headers = self.sizes.of(scope), Headers(scope=scope)
        announced = _announced_bytes(headers)
        waits_for_permission = _waits_for_permission(headers)
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            if announced > most and waits_for_permission:
                raise BodyTooLarge(announced, most)
            message = await receive()
            seen += len(message.get("body", b""))
            if max(seen, announced) > most:
                await _drain(receive, message, most)
                raise BodyTooLarge(max(seen, announced), most)
            return message

        await self.app(scope, limited, send)


def has_body(scope: Scope) -> bool:
    """Whether a request says that it has a body."""
    headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _is_upload(scope: Scope) -> bool:
    headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
    return headers.get("content-type", "").lower().startswith(("multipart/", PIECE))


def _waits_for_permission(headers: Headers) -> bool:
    return "100-continue" in headers.get("expect", "").lower()


def _announced_bytes(headers: Headers) -> int:
    """Return the size that a request states for its body; 0 without a sensible one."""
    stated = headers.get("content-length", "")
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 20 else 0


async def refuse(scope: Scope, receive: Receive, send: Send, answer: Response, max_bytes: int) -> None:
    """Answer a request with a body at once, and only then read what the client is still sending."""
    answer.headers["Connection"] = "close"
    if _waits_for_permission(Headers(scope=scope)):
        await answer(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    await _drain(receive, _UNREAD, max_bytes)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _drain(receive: Receive, message: Message, max_bytes: int) -> None:
    """Discard the rest of the body, within bounds: with unread data the connection is reset and the answer lost."""
    seen = 0
    with anyio.move_on_after(_LINGER_SECONDS):
        while message.get("more_body", False) and seen <= max_bytes:
            message = await receive()
            seen += len(message.get("body", b""))
