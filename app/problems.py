"""Problem documents: how every error of the service looks on the wire, and how OpenAPI describes it.

Follows RFC 9457 (`application/problem+json`), with the value seen, the limit and the request id as extensions.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"
PROBLEM_REFERENCE = "#/components/schemas/Problem"  # where `app/main.py` puts the model in OpenAPI
TYPE_PREFIX = "urn:showme:problem:"
MAX_SHOWN = 200  # characters of a value that are echoed back
MAX_DETAIL = 1000  # characters


class FieldProblem(BaseModel):
    """One parameter that is not valid."""

    field: str
    detail: str
    value: Any = None
    limit: Any = None


class Problem(BaseModel):
    """An error, as RFC 9457 writes it; `type` is stable, `detail` is for people."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:showme:problem:not-audio",
                "title": "Not an audio file",
                "status": 415,
                "detail": "notes.txt is not an audio file",
                "value": "notes.txt",
                "limit": "wav, aiff, flac, ogg, opus, mp3, m4a, aac",
                "instance": "/v1/queries",
                "request_id": "0f8fad5bd9cb469fa16570867728950e",
            }
        }
    )

    type: str = Field(description="stable name of the kind of problem")
    title: str
    status: int
    detail: str
    value: Any = Field(default=None, description="what was seen")
    limit: Any = Field(default=None, description="what is allowed")
    instance: str = Field(description="path of the request")
    request_id: str = Field(description="the X-Request-ID of the response")
    errors: list[FieldProblem] | None = Field(
        default=None, description="one entry per parameter that is not valid"
    )


def shown(value: object) -> Any:
    """`value` as JSON can carry it: finite, short, valid Unicode; never raises."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return (
            value
            if abs(value) < 2**53
            else _text(str(value) if abs(value) < 10**MAX_SHOWN else "a huge number")
        )
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, PurePath):
        return _text(value.name)
    if isinstance(value, Mapping):
        return {_text(str(key)): shown(item) for key, item in list(value.items())[:20]}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        return [shown(item) for item in list(value)[:20]]
    return _text(str(value))


def _text(text: str, longest: int = MAX_SHOWN) -> str:
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def problem_body(
    slug: str,
    title: str,
    status: int,
    detail: str,
    *,
    instance: str = "",
    request_id: str = "",
    value: object = None,
    limit: object = None,
    errors: list[FieldProblem] | None = None,
) -> dict[str, Any]:
    """The document itself, ready for JSON."""
    body = Problem(
        type=TYPE_PREFIX + slug,
        title=title,
        status=status,
        detail=_text(detail, MAX_DETAIL),
        value=shown(value),
        limit=shown(limit),
        instance=shown(instance),
        request_id=request_id,
        errors=errors,
    )
    return body.model_dump(exclude=None if errors else {"errors"})


def problem_response(body: dict[str, Any], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The document as a response of its own status."""
    return JSONResponse(body, body["status"], dict(headers or {}), media_type=MEDIA_TYPE)
