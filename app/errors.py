"""The only table from exceptions to HTTP status codes, and the handlers that answer with problem documents.

Follows RFC 9457 for the body and RFC 9110 for the codes; the exceptions themselves are drawn in `models/errors.py`.
"""

import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app.problems import MEDIA_TYPE, PROBLEM_REFERENCE, FieldProblem, problem_body, problem_response, shown
from models import errors

log = logging.getLogger("showme")

STATUS: dict[type[errors.ShowMeError], int] = {
    errors.AudioTooLarge: 413,
    errors.NotAudio: 415,
    errors.UnsupportedAudio: 415,
    errors.AudioError: 422,
    errors.LibraryNotFound: 404,
    errors.InstrumentNotFound: 404,
    errors.QueryNotFound: 404,
    errors.JobNotFound: 404,
    errors.LibraryError: 409,
    errors.JobConflict: 409,
    errors.EncoderMismatch: 409,
    errors.SourceError: 422,
    errors.InvalidRequest: 422,
    errors.Busy: 503,
    errors.CheckpointError: 503,
    errors.IndexDamaged: 503,
    errors.ShowMeError: 500,
}
HTTP_PROBLEMS: dict[int, tuple[str, str]] = {  # what Starlette and FastAPI raise by themselves
    400: ("bad-request", "The request cannot be read"),
    404: ("not-found", "Nothing is served at this address"),
    405: ("method-not-allowed", "This address does not take this method"),
    413: ("body-too-large", "The request body is too large"),
    416: ("range-not-satisfiable", "The byte range lies outside the file"),
}
RETRY_AFTER_SECONDS = 2  # when the exception does not know better
LIMIT_KEYS = ("ge", "gt", "le", "lt", "expected", "min_length", "max_length", "multiple_of", "error")
LIMIT_OF_KIND = {  # where the validator gives words but no limit
    "missing": "required",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number of reasonable size",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "value_error": "a file",
}


class BodyTooLarge(HTTPException):
    """The request's body passes the limit; raised while it is being received, so nothing has been stored."""

    def __init__(self, seen_bytes: int, limit_bytes: int) -> None:
        headers = {"Connection": "close"}  # the rest of the body may still be on its way
        super().__init__(413, f"the request body is larger than {limit_bytes} bytes", headers)
        self.value = seen_bytes
        self.limit = limit_bytes


def status_of(error: type[errors.ShowMeError]) -> int:
    """The HTTP status of an exception class: its own row, else its nearest ancestor's."""
    return next(STATUS[base] for base in error.__mro__ if base in STATUS)


def problem_of(error: errors.ShowMeError, *, instance: str = "", request_id: str = "") -> dict[str, Any]:
    """The problem document of one of our exceptions."""
    return problem_body(
        error.slug,
        error.title,
        status_of(type(error)),
        error.message,
        instance=instance,
        request_id=request_id,
        value=error.value,
        limit=error.limit,
    )


def documented(*kinds: type[errors.ShowMeError]) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route that may raise `kinds`, for OpenAPI: one entry per status, one example per kind."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        status = status_of(kind)
        entry = responses.setdefault(status, {"description": "", "content": {MEDIA_TYPE: {}}})
        entry["description"] = " · ".join(filter(None, (entry["description"], kind.title)))
        content = entry["content"][MEDIA_TYPE]
        content["schema"] = {"$ref": PROBLEM_REFERENCE}
        body = problem_body(kind.slug, kind.title, status, kind.title, instance="/v1/…", request_id="…")
        content.setdefault("examples", {})[kind.slug] = {"value": body}
    return responses


def install_handlers(app: FastAPI) -> None:
    """Answer every exception of the service, of FastAPI and of Starlette with a problem document."""
    app.add_exception_handler(errors.ShowMeError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def internal_error(path: str, request_id: str) -> JSONResponse:
    """The answer to a bug: says nothing of the inside, but names the request so that the log can be searched."""
    body = problem_body(
        "internal-error",
        "Something went wrong on our side",
        500,
        "an unexpected error; the log of the service names this request id",
        instance=path,
        request_id=request_id,
    )
    return problem_response(body)


def request_id_of(request: Request) -> str:
    return str(getattr(request.state, "request_id", ""))


def _on_our_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.ShowMeError)
    body = problem_of(error, instance=request.url.path, request_id=request_id_of(request))
    headers = {}
    if body["status"] == 503:
        headers["Retry-After"] = str(getattr(error, "retry_after_seconds", RETRY_AFTER_SECONDS))
    if body["status"] >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    return problem_response(body, headers)


def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    fields = [_field_problem(item) for item in error.errors()]
    first = fields[0]
    body = problem_body(
        errors.InvalidRequest.slug,
        errors.InvalidRequest.title,
        status_of(errors.InvalidRequest),
        "; ".join(f"{field.field}: {field.detail}" for field in fields[:5]),
        instance=request.url.path,
        request_id=request_id_of(request),
        value=first.value,
        limit=first.limit,
        errors=fields,
    )
    return problem_response(body)


def _field_problem(item: Mapping[str, Any]) -> FieldProblem:
    context = item.get("ctx") or {}
    limit = next((context[key] for key in LIMIT_KEYS if key in context), LIMIT_OF_KIND.get(item["type"]))
    name = ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0])
    detail = str(item["msg"])
    value = None if item["type"] == "missing" else shown(item.get("input"))
    return FieldProblem(field=shown(name), detail=shown(detail), value=value, limit=shown(limit))


def _methods_at(request: Request) -> str:
    """Every method that the path takes; Starlette names those of the first route only (RFC 9110, 10.2.1: all)."""
    methods: set[str] = set()
    for template, operations in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), request.url.path):
            methods.update(method.upper() for method in operations)
    return ", ".join(sorted(methods)) or "GET"


def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    slug, title = HTTP_PROBLEMS.get(error.status_code, (f"http-{error.status_code}", error.detail))
    detail = error.detail if error.detail != HTTPStatus(error.status_code).phrase else title
    value, limit = getattr(error, "value", None), getattr(error, "limit", None)
    if error.status_code == 405:
        value, limit = request.method, _methods_at(request)
        error.headers = {"Allow": limit}
    elif error.status_code == 404:
        value = request.url.path
    body = problem_body(
        slug,
        title,
        error.status_code,
        detail,
        instance=request.url.path,
        request_id=request_id_of(request),
        value=value,
        limit=limit,
    )
    return problem_response(body, error.headers)
