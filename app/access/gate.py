"""Middleware that asks every request who it is, before its body is read: a key, the session of the page, or nobody.

Keys are needed as soon as the service is reached from beyond this machine. All addresses but those of OPEN are closed, so a new
route is, too. Reading needs the scope `read`, all else `write`. RFC 6750 for the header and the refusals.
"""

from typing import NamedTuple, Self

from anyio import to_thread
from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from app.access.authenticator import Authenticator
from app.access.keys import PREFIX
from app.access.ownership import MACHINE_OWNER, NOBODY, Caller
from app.errors import http_problem_response, our_problem_response
from app.logs import REQUEST_ID
from app.origins import READING, check_own_page
from app.request_bodies import BodyLimit, BodySizes, has_body, refuse
from index.deletions import ACTOR, Actor
from models.errors import AccessError, KeyRefused, KeyRequired, ShowMeError

SESSION_PATH = "/v1/session"
OPEN = ("/", "/docs", "/healthz", "/readyz", "/openapi.json", SESSION_PATH)
OPEN_FOLDER = "/web/"  # the page's scripts and styles
COOKIE = "showme_session"
MAX_SIGN_IN_BYTES = 4096  # of a body that anybody may send


class AccessGate:
    """Puts the caller into `request.state.caller`, or refuses the request: 401, 403 or 429."""

    def __init__(self, app: ASGIApp, keys_required: bool, max_bytes: int) -> None:
        self.app = app
        self.keys_required = keys_required
        self.max_bytes = max_bytes
        self._sign_in = BodyLimit(app, BodySizes(MAX_SIGN_IN_BYTES, MAX_SIGN_IN_BYTES))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
        except (ShowMeError, HTTPException) as error:
            answer = _refusal(scope, error)
            if has_body(scope):
                await refuse(scope, receive, send, answer, self.max_bytes)
            else:
                await answer(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        ACTOR.set(Actor(caller.key_id, REQUEST_ID.get() or None))
        app = self._sign_in if scope["path"] == SESSION_PATH else self.app
        await app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller:
        """Return who asks. Raises AccessError, CrossOrigin, and the faults of the database."""
        path, sent = scope["path"], _Credentials.of(Headers(scope=scope))
        if not self.keys_required and not sent.has_key:
            return MACHINE_OWNER
        if path == SESSION_PATH:
            try:
                return await _identified(scope, sent)
            except AccessError:
                return NOBODY
        if path in OPEN or path.startswith(OPEN_FOLDER):
            return NOBODY if self.keys_required else MACHINE_OWNER
        caller = await _identified(scope, sent)
        is_reading = scope["method"] in READING
        if not is_reading and not sent.has_key:
            check_own_page(Headers(scope=scope))
        caller.check_scope("read" if is_reading else "write")
        return caller


class _Credentials(NamedTuple):
    """The tokens of a request: a bearer token, which may be for a proxy in front, and that of a session."""

    bearer: str
    session: str

    @classmethod
    def of(cls, headers: Headers) -> Self:
        kind, _, token = headers.get("authorization", "").partition(" ")
        session = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return cls(token.strip() if kind.lower() == "bearer" else "", session)

    @property
    def has_key(self) -> bool:
        return self.bearer.startswith(PREFIX)


async def _identified(scope: Scope, sent: _Credentials) -> Caller:
    """Return the caller of a key, or else of a session. Raises KeyRequired without either, KeyRefused, TooManyAttempts."""
    authenticator: Authenticator = scope["app"].state.service.authenticator
    if sent.session and not sent.has_key:
        key = await to_thread.run_sync(authenticator.session_of, sent.session)
    elif sent.bearer:
        key = await to_thread.run_sync(authenticator.key_of, sent.bearer, address_of(scope))
    else:
        message = "this service needs a key: send it as `Authorization: Bearer …`, or sign in on the page"
        raise KeyRequired(message, limit="a key that `showme keys create` has made")
    return Caller(key.id, key.scope, key.name)


def address_of(scope: Scope) -> str:
    """Return the address of the client; that of a proxy which the server does not trust is the proxy's."""
    return scope["client"][0] if scope.get("client") else ""


def _refusal(scope: Scope, error: ShowMeError | HTTPException) -> Response:
    request = Request(scope)
    if isinstance(error, HTTPException):
        return http_problem_response(request, error)
    answer = our_problem_response(request, error)
    if isinstance(error, KeyRefused):
        forget_session(answer)
    return answer


def forget_session(answer: Response) -> None:
    """Let the browser forget a session that has ended."""
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
