"""Reads the entries of a large JSON object one by one, so that the whole text is never in memory.

Follows RFC 8259; NSynth's largest `examples.json` holds 289,205 entries in more than 200 MB.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from models.errors import SourceError

BLOCK_CHARACTERS = 1 << 20
MAX_ENTRY_CHARACTERS = 1 << 22  # a longer entry is refused
_SPACE = " \t\n\r"


class _TextWindow:
    """The part of a file that is read but not yet parsed; parsing goes on at `position`."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._before = 0  # characters dropped so far
        self.text = ""
        self.position = 0

    def more(self) -> bool:
        """Read another block; return False at the end of the file."""
        block = self._file.read(BLOCK_CHARACTERS)
        self._before += self.position
        self.text = self.text[self.position :] + block
        self.position = 0
        return bool(block)

    def next(self) -> str:
        """Move `position` to the next non-space character and return it; "" at the end of the file."""
        while True:
            while self.position < len(self.text) and self.text[self.position] in _SPACE:
                self.position += 1
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.more():
                return ""

    def where(self) -> int:
        return self._before + self.position


def object_entries(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of each entry of the JSON object in `path`.

    Raises SourceError if the file cannot be read, or at the place where it is not valid JSON.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = _TextWindow(file)
            if text.next() != "{":
                raise _damaged(path, "no object starts", 0)
            text.position += 1
            if text.next() == "}":
                return
            while True:
                yield _entry(text, path)
                text.position += 1
                if text.text[text.position - 1] == "}":
                    return
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read: {error.strerror}", value=path.name) from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path.name} is not JSON: it is not UTF-8", value=path.name) from error


_decode = json.JSONDecoder().raw_decode


def _entry(text: _TextWindow, path: Path) -> tuple[str, Any]:
    """Parse the entry at the text's position and move to the comma or brace after it."""
    text.next()
    while True:
        try:
            name, at = _decode(text.text, text.position)
            at = _skip(text.text, at)
            if at < len(text.text) and (text.text[at] != ":" or not isinstance(name, str)):
                raise _damaged(path, "an entry has no name", text.where())
            value, at = _decode(text.text, _skip(text.text, at + 1))
            at = _skip(text.text, at)
            if text.text[at : at + 1] in (",", "}"):  # else a number may go on
                text.position = at
                return name, value
        except (ValueError, RecursionError):
            pass  # the text may be cut off here
        if len(text.text) - text.position > MAX_ENTRY_CHARACTERS or not text.more():
            raise _damaged(path, "an entry cannot be read", text.where())


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _damaged(path: Path, what: str, where: int) -> SourceError:
    message = f"{path.name} is not a JSON object: {what} at character {where}"
    return SourceError(message, value=path.name, limit="a JSON object")
