"""Problem documents: the form of every error on the wire, and the exception that lists invalid parameters.

Follows RFC 9457 (`application/problem+json`); the value seen, the limit and the request id are its extensions.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic_core import ErrorDetails

from app.logs import REQUEST_ID
from models.errors import InvalidRequest

MEDIA_TYPE = "application/problem+json"
PROBLEM_REFERENCE = (
    "#/components/schemas/Problem"  # the answer of a batch brings it among OpenAPI's components
)
TYPE_PREFIX = "urn:showme:problem:"
MAX_SHOWN = 200  # characters of a value that are echoed back
MAX_DETAIL = 1000  # characters
MAX_FIELDS = 5  # of the invalid ones, that the detail spells out

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


class FieldProblem(BaseModel):
    """One parameter that is not valid."""

    field: str = Field(description="Name of the parameter.")
    detail: str = Field(description="The rule that it breaks, for people.")
    value: JsonValue = Field(default=None, description="The value that was sent.")
    limit: JsonValue = Field(default=None, description="The values that are allowed.")


class Problem(BaseModel):
    """An error in the form of RFC 9457. `type` is stable; `detail` is for people."""

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

    type: str = Field(description="Stable name of the kind of problem.")
    title: str = Field(description="Short name of the kind of problem, for people.")
    status: int = Field(description="HTTP status code of the response.")
    detail: str = Field(description="Explanation of this occurrence, for people.")
    value: JsonValue = Field(description="The value that caused the problem.")
    limit: JsonValue = Field(description="The values that are allowed.")
    instance: str = Field(description="Path of the request.")
    request_id: str = Field(description="The X-Request-ID of the response.")
    errors: list[FieldProblem] | None = Field(
        default=None,
        description="One entry per invalid parameter; left out for other kinds of problems.",
        exclude_if=lambda errors: errors is None,
    )


class InvalidFields(InvalidRequest):
    """One or more parameters are not valid: `fields` lists them all, `value` and `limit` are those of the first."""

    def __init__(self, fields: Sequence[FieldProblem]) -> None:
        detail = "; ".join(_sentence(field) for field in fields[:MAX_FIELDS])
        super().__init__(detail, value=fields[0].value, limit=fields[0].limit)
        self.fields = list(fields)

    @classmethod
    def of(cls, errors: Sequence[ErrorDetails], skipped: int = 0) -> Self:
        """Translate pydantic's errors; `skipped` parts of each location are not part of a parameter's name."""
        return cls([_field_problem(error, skipped) for error in errors])


def _field_problem(error: ErrorDetails, skipped: int) -> FieldProblem:
    context = error.get("ctx") or {}
    limit = next((context[key] for key in LIMIT_KEYS if key in context), LIMIT_OF_KIND.get(error["type"]))
    location = error["loc"]
    name = ".".join(map(str, location[skipped:] or location[:1]))
    detail = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    value = None if error["type"] == "missing" else shown(error["input"])
    return FieldProblem(field=_text(name), detail=_text(detail), value=value, limit=shown(limit))


def _sentence(field: FieldProblem) -> str:
    return f"{field.field}{' ' if field.detail.startswith('must be') else ': '}{field.detail}"


def shown(value: object) -> JsonValue:
    """Return `value` as JSON can carry it: finite, short, valid Unicode. Never raises."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) < 2**53:
            return value
        return _text(str(value) if abs(value) < 10**MAX_SHOWN else "a huge number")
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


def make_problem(
    slug: str,
    title: str,
    status: int,
    detail: str,
    *,
    instance: str = "",
    request_id: str | None = None,
    value: object = None,
    limit: object = None,
    errors: list[FieldProblem] | None = None,
) -> Problem:
    """Make a document whose texts and values are short enough and safe to send, for the request that is being answered."""
    return Problem(
        type=TYPE_PREFIX + slug,
        title=title,
        status=status,
        detail=_text(detail, MAX_DETAIL),
        value=shown(value),
        limit=shown(limit),
        instance=_text(instance),
        request_id=REQUEST_ID.get() if request_id is None else request_id,
        errors=errors,
    )
