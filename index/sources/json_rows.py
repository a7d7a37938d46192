"""Reads the entries of a large JSON object one after the other, so that the whole text is never held in memory.

Form after RFC 8259; NSynth's largest `examples.json` holds 289,205 entries in more than 200 MB.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from models.errors import SourceError

BLOCK_CHARACTERS = 1 << 20
MAX_ENTRY_CHARACTERS = 1 << 22  # an entry that is longer is not what we read
_SPACE = " \t\n\r"


class _Text:
    """The part of a file that has been read and not been used; `position` is where to go on."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._before = 0  # characters dropped so far
        self.text = ""
        self.position = 0

    def more(self) -> bool:
        """Read on; False at the end of the file."""
        block = self._file.read(BLOCK_CHARACTERS)
        self._before += self.position
        self.text = self.text[self.position :] + block
        self.position = 0
        return bool(block)

    def next(self) -> str:
        """The next character that is no space, "" at the end of the file; `position` stands on it."""
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
    """(name, value) of each entry of the JSON object that `path` holds.

    Raises SourceError when it cannot be read or, on the way, where it is no JSON object.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = _Text(file)
            if text.next() != "{":
                raise _damaged(path, "no object begins", 0)
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
        raise SourceError(f"{path.name} is no JSON: not UTF-8", value=path.name) from error


_decode = json.JSONDecoder().raw_decode


def _entry(text: _Text, path: Path) -> tuple[str, Any]:
    """The entry at the text's position, which moves to the comma or brace behind it."""
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
    message = f"{path.name} is no JSON object: {what} at character {where}"
    return SourceError(message, value=path.name, limit="a JSON object")
