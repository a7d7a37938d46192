"""The lines of the service's log, as text or as JSON: those of a request carry its id.

A log is kept and read by others than the people whose music it tells of. Names that these gave to files, libraries and
instruments stay out of it: ids and routes stand in their place, and of an exception its kind and where it arose.
"""

import json
import logging
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from models.error_kind import kind_of

LogFormat = Literal["text", "json"]
MAX_FRAMES = 50  # of a traceback, the last ones
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")  # of the request that is being answered


class TextLines(logging.Formatter):
    """Lines for people, in the given form, with the request's id at the end."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        line = self.formatMessage(record)
        if request_id := REQUEST_ID.get():
            line += f" · request {request_id}"
        error = _error_of(record)
        return f"{line}\n{traceback_of(error)}" if error else line


class JsonLines(logging.Formatter):
    """One JSON object a line, for programs; the named arguments of a message are members of it."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": REQUEST_ID.get() or None,
        }
        if isinstance(record.args, Mapping):
            line |= record.args
        if error := _error_of(record):
            line["exception"] = traceback_of(error)
        return json.dumps(line, ensure_ascii=False, default=str)


def traceback_of(error: BaseException) -> str:
    """Return where an exception and those that led to it arose, the first one first, with their kinds for messages."""
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    parts = [traceback_of(before), ""] if before else []
    frames = "".join(traceback.format_tb(error.__traceback__, -MAX_FRAMES))
    parts.append(f"Traceback (most recent call last):\n{frames}{kind_of(error)}")
    if isinstance(error, BaseExceptionGroup):
        parts += map(traceback_of, error.exceptions)
    return "\n".join(parts)


def _error_of(record: logging.LogRecord) -> BaseException | None:
    return record.exc_info[1] if record.exc_info else None
