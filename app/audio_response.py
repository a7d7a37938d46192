"""Sends an audio file, whole or in the byte range that a player requests.

RFC 9110, section 14: a range in an unknown unit is ignored; a range outside the file is answered with 416.
"""

import re
from pathlib import Path

from fastapi import Request
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

MEDIA_TYPES = {
    ".wav": "audio/wav",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
}
UNKNOWN_TYPE = "application/octet-stream"
_RANGES = re.compile(
    r"bytes\s*=\s*(\d{0,18}-\d{0,18}(?:\s*,\s*\d{0,18}-\d{0,18}){0,99})\s*", re.ASCII | re.IGNORECASE
)


def audio_response(request: Request, path: Path) -> FileResponse:
    """Return `path` as the response to `request`. Raises a 416 for a range that is malformed or outside the file."""
    asked = request.headers.get("range")
    if asked is not None:
        if not asked.strip().lower().startswith("bytes"):
            request.scope["headers"] = [item for item in request.scope["headers"] if item[0] != b"range"]
        else:
            _check_range(asked, path.stat().st_size)
    media_type = MEDIA_TYPES.get(path.suffix, UNKNOWN_TYPE)
    return FileResponse(path, media_type=media_type, filename=path.name)  # a tab saves it and shows nothing


def _check_range(asked: str, size: int) -> None:
    match = _RANGES.fullmatch(asked)
    ranges = [part.strip().partition("-") for part in match[1].split(",")] if match else []
    for first, _, last in ranges or [("", "", "")]:
        sensible = bool(first or last) and not (first and last and int(first) > int(last))
        inside = int(first) < size if first else int(last or 0) > 0
        if not sensible or not inside:
            raise _OutsideFile(asked, size)


class _OutsideFile(HTTPException):
    def __init__(self, asked: str, size: int) -> None:
        super().__init__(416, f"the file has {size} bytes", {"Content-Range": f"bytes */{size}"})
        self.value = asked
        self.limit = f"bytes 0-{size - 1}"
