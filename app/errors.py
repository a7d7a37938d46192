"""The table from exceptions to HTTP status codes, and the handlers that answer with problem documents.

Follows RFC 9457 for the body and RFC 9110 for the codes. `models/errors.py` draws the tree of exceptions.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.metrics import method_of, route_of
from app.problems import MEDIA_TYPE, PROBLEM_REFERENCE, InvalidFields, Problem, make_problem
from index.disk import is_full, storage_full
from models import errors
from models.error_kind import kind_of
from models.errors import StorageFull

log = logging.getLogger("showme")

STATUS: dict[type[errors.ShowMeError], int] = {
    errors.AudioTooLarge: 413,
    errors.NotAudio: 415,
    errors.UnsupportedAudio: 415,
    errors.AudioError: 422,
    errors.LibraryNotFound: 404,
    errors.InstrumentNotFound: 404,
    errors.QueryNotFound: 404,
    errors.SlotNotFound: 404,
    errors.JobNotFound: 404,
    errors.UploadNotFound: 404,
    errors.WatchNotFound: 404,
    errors.LibraryError: 409,
    errors.JobConflict: 409,
    errors.UploadConflict: 409,
    errors.PartError: 409,
    errors.KeyInUse: 409,
    errors.KeyRequired: 401,
    errors.KeyRefused: 401,
    errors.TooManyAttempts: 429,
    errors.TooManyRequests: 429,
    errors.KeyNotFound: 404,
    errors.AccessError: 403,
    errors.EncoderMismatch: 409,
    errors.RecogniserMissing: 409,
    errors.SourceError: 422,
    errors.ArchiveError: 422,
    errors.InvalidRequest: 422,
    errors.Busy: 503,
    StorageFull: 507,
    errors.CheckpointError: 503,
    errors.IndexDamaged: 503,
    errors.ShowMeError: 500,
}
HTTP_PROBLEMS: dict[int, tuple[str, str]] = {  # raised by Starlette and FastAPI themselves
    400: ("bad-request", "The request cannot be read"),
    403: ("cross-origin", "The request comes from another site"),
    404: ("not-found", "Nothing is served at this address"),
    405: ("method-not-allowed", "This address does not take this method"),
    408: ("body-too-slow", "The request body comes too slowly"),
    412: ("tus-version", "The request is of no known version of tus"),
    413: ("body-too-large", "The request body is too large"),
    415: ("media-type", "The request body is of another media type"),
    416: ("range-not-satisfiable", "The byte range lies outside the file"),
    421: ("unknown-host", "The service is not known by this name"),
}
BODY_STATUSES = (408, 413)  # of every route that reads a body
RETRY_AFTER_SECONDS = 2  # when the exception does not know better
Responses = dict[int | str, dict[str, Any]]  # the type of FastAPI's `responses=`


class BodyTooLarge(HTTPException):
    """The request body exceeds the limit. Raised while it is being received, so nothing has been stored."""

    def __init__(self, seen_bytes: int, limit_bytes: int) -> None:
        headers = {"Connection": "close"}  # the rest of the body may still be on its way
        super().__init__(413, f"the request body is larger than {limit_bytes} bytes", headers)
        self.value = seen_bytes
        self.limit = limit_bytes


class BodyTooSlow(HTTPException):
    """The request body comes too slowly. Raised while it is being received, so nothing has been stored."""

    def __init__(self, seen_bytes: int, least_bytes: int, seconds: float) -> None:
        detail = f"{seen_bytes} bytes of the request body came in {seconds:g} s; at least {least_bytes} must"
        super().__init__(408, detail, {"Connection": "close"})
        self.value = seen_bytes
        self.limit = least_bytes


class BodyCutOff(HTTPException):
    """The client went away before its request was complete; nobody reads the answer."""

    def __init__(self) -> None:
        super().__init__(400, "the request body was cut off")


class UnknownTusVersion(HTTPException):
    """A request for a resumable upload that names no version of the protocol which the service speaks."""

    def __init__(self, version: str | None, known: str) -> None:
        detail = f"the header Tus-Resumable must be {known}" + (f", not {version!r}" if version else "")
        super().__init__(412, detail, {"Tus-Version": known})
        self.value = version
        self.limit = known


class UnknownMediaType(HTTPException):
    """A request body of another media type than the one that the route takes."""

    def __init__(self, seen: str | None, known: str) -> None:
        super().__init__(415, f"the Content-Type must be {known}" + (f", not {seen!r}" if seen else ""))
        self.value = seen
        self.limit = known


class UnknownHost(HTTPException):
    """The Host of a request is none of those that the service answers for."""

    def __init__(self, host: str, hosts: Sequence[str]) -> None:
        detail = (
            f"the service does not answer for host {host!r}; its operator can name it in SHOWME_ALLOWED_HOSTS"
        )
        super().__init__(421, detail)
        self.value = host
        self.limit = ", ".join(hosts)


class CrossOrigin(HTTPException):
    """A browser sent a request that writes, for a page of another site; `origin` is what tells so."""

    def __init__(self, origin: str) -> None:
        super().__init__(
            403, f"only the service's own page and programs may write, not a page of another site ({origin})"
        )
        self.value = origin
        self.limit = "the service's own origin"


def status_of(error: type[errors.ShowMeError]) -> int:
    """Return the HTTP status of an exception class: its own row of the table, or its nearest ancestor's."""
    return next(STATUS[base] for base in error.__mro__ if base in STATUS)


def problem_of(error: errors.ShowMeError, *, instance: str = "") -> Problem:
    """Return the problem document of one of our exceptions."""
    return make_problem(
        error.slug,
        error.title,
        status_of(type(error)),
        error.message,
        instance=instance,
        value=error.value,
        limit=error.limit,
        errors=error.fields if isinstance(error, InvalidFields) else None,
    )


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the document as a response with its own status."""
    return Response(problem.model_dump_json(), problem.status, dict(headers or {}), media_type=MEDIA_TYPE)


def documented(*kinds: type[errors.ShowMeError], http: Sequence[int] = ()) -> Responses:
    """Return the `responses=` of a route that may raise `kinds`, or answer with a status of HTTP_PROBLEMS.

    There is one entry per status, with one example per kind.
    """
    rows = [(status_of(kind), kind.slug, kind.title) for kind in kinds]
    rows += [(status, *HTTP_PROBLEMS[status]) for status in http]
    responses: Responses = {}
    for status, slug, title in rows:
        entry = responses.setdefault(status, {"description": "", "content": {MEDIA_TYPE: {}}})
        entry["description"] = " · ".join(filter(None, (entry["description"], title)))
        content = entry["content"][MEDIA_TYPE]
        content["schema"] = {"$ref": PROBLEM_REFERENCE}
        example = make_problem(slug, title, status, title, instance="/v1/…", request_id="…")
        content.setdefault("examples", {})[slug] = {"value": example.model_dump()}
    return responses


def install_handlers(app: FastAPI) -> None:
    """Answer every exception of the service, of FastAPI and of Starlette with a problem document."""
    app.add_exception_handler(errors.ShowMeError, our_problem_response)
    app.add_exception_handler(OSError, _on_os_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, http_problem_response)


def internal_error(path: str) -> Response:
    """Answer a bug: reveal nothing of the inside, but name the request so that the log can be searched."""
    problem = make_problem(
        "internal-error",
        "Something went wrong on our side",
        500,
        "An unexpected error occurred. The service's log names this request id.",
        instance=path,
    )
    return problem_response(problem)


def our_problem_response(request: Request, error: Exception) -> Response:
    """Return the problem document of one of our exceptions, with the headers that belong to it."""
    assert isinstance(error, errors.ShowMeError)
    problem = problem_of(error, instance=request.url.path)
    headers = {}
    if challenge := _challenge(error):
        headers["WWW-Authenticate"] = challenge
    if problem.status in (429, 503):
        headers["Retry-After"] = str(getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS))
    is_back_pressure = isinstance(error, errors.Busy) and not isinstance(error, errors.DatabaseUnavailable)
    if problem.status >= 500 and not is_back_pressure:  # which must not fill the log
        log.warning("%s %s: %s", method_of(request.scope), route_of(request.scope), kind_of(error))
    return problem_response(problem, headers)


def _challenge(error: errors.ShowMeError) -> str | None:
    """Return the WWW-Authenticate of a refusal (RFC 6750, section 3); None for other errors."""
    if isinstance(error, errors.KeyRequired):
        return 'Bearer realm="showme"'
    if isinstance(error, errors.KeyRefused):
        return 'Bearer realm="showme", error="invalid_token"'
    if isinstance(error, errors.ScopeTooSmall):
        return f'Bearer realm="showme", error="insufficient_scope", scope="{error.limit}"'
    return None


def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return our_problem_response(request, InvalidFields.of(error.errors(), skipped=1))


def _on_os_error(request: Request, error: Exception) -> Response:
    if is_full(error):
        return our_problem_response(request, storage_full(error))
    raise error


def _methods_at(request: Request) -> str:
    """Return every method that the path takes (RFC 9110, 10.2.1); Starlette names only those of the first route."""
    methods: set[str] = set()
    paths = request.app.openapi()["paths"]
    if request.url.path in paths:  # `/v1/queries/batch` is no query
        paths = {request.url.path: paths[request.url.path]}
    for template, operations in paths.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), request.url.path):
            methods.update(method.upper() for method in operations)
    return ", ".join(sorted(methods)) or "GET"


def http_problem_response(request: Request, error: Exception) -> Response:
    """Return the problem document of an exception that Starlette, FastAPI or a middleware raises."""
    assert isinstance(error, HTTPException)
    if is_full(error.__cause__):  # while an upload was being received
        return our_problem_response(request, storage_full(error.__cause__))
    slug, title = HTTP_PROBLEMS.get(error.status_code, (f"http-{error.status_code}", error.detail))
    detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else title
    value, limit = getattr(error, "value", None), getattr(error, "limit", None)
    if error.status_code == 405:
        value, limit = request.method, _methods_at(request)
        error.headers = {"Allow": limit}
    elif error.status_code == 404:
        value = request.url.path
    problem = make_problem(
        slug,
        title,
        error.status_code,
        detail,
        instance=request.url.path,
        value=value,
        limit=limit,
    )
    return problem_response(problem, error.headers)
