"""Reads the text of an SFZ instrument as headers with opcodes: comments removed, #define replaced, #include followed.

Follows the description of the format on sfzformat.com. Includes stay below the root folder; their depth, their number
and the size of the text are bounded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from index.sources.sfz.paths import SfzTree
from models.errors import SourceError

MAX_TEXT = 16 * 1024**2  # characters of one .sfz with its includes and expanded #defines
MAX_INCLUDES = 1000
MAX_DEPTH = 16  # of includes in includes
MAX_DEFINED = 1024  # characters of a #define's value
MAX_FAULTS = 5  # failed includes that are listed
MAX_NAME = 64  # characters of a #define's name

_COMMENT = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_DIRECTIVE = re.compile(
    r'#define[ \t]+\$(\w+)[ \t]+((?!#define\b|#include\b)\S+)|#include[ \t]*"([^"\n]*)"', re.ASCII
)
_VARIABLE = re.compile(r"\$(\w+)", re.ASCII)
_TOKEN = re.compile(r"<(\w+)>|(?:^|(?<=[\s>]))(\w+)=", re.ASCII)


@dataclass(slots=True)
class SfzHeader:
    """`<name>` and the (opcode, value) pairs after it; `place` is its file and line."""

    name: str
    place: str
    opcodes: list[tuple[str, str]] = field(default_factory=list)


class SfzText:
    """Reads one .sfz. `files` are the texts read so far, the .sfz itself first; `faults` are includes that failed."""

    def __init__(self, path: Path, tree: SfzTree) -> None:
        self.files: list[Path] = []
        self.faults: list[tuple[str, str]] = []
        self._path = path
        self._tree = tree
        self._defined: dict[str, str] = {}
        self._left = MAX_TEXT
        self._num_includes = 0

    def headers(self) -> Iterator[SfzHeader]:
        """Yield every header in order; opcodes before the first header are skipped.

        Raises SourceError if a file cannot be read, is not text, is too long or includes itself.
        """
        header: SfzHeader | None = None
        for place, name, value in self._tokens(self._path, ()):
            if value is None:
                if header is not None:
                    yield header
                header = SfzHeader(name, place)
            elif header is not None:
                header.opcodes.append((name, value))
        if header is not None:
            yield header

    def _tokens(self, path: Path, above: tuple[Path, ...]) -> Iterator[tuple[str, str, str | None]]:
        """Yield (place, header, None) and (place, opcode, value) of a file, its includes in place."""
        inside = (*above, path)
        for number, line in enumerate(self._read(path).split("\n"), 1):
            if not line or line.isspace():
                continue
            place, position = f"{path.name}:{number}", 0
            for directive in _DIRECTIVE.finditer(line) if "#" in line else ():
                yield from self._line(line[position : directive.start()], place)
                position = directive.end()
                name, value, included = directive.groups()
                if included is None:
                    self._define(name, value, place)
                elif (other := self._included(included, inside, place)) is not None:
                    yield from self._tokens(other, inside)
            yield from self._line(line[position:], place)

    def _read(self, path: Path) -> str:
        """Return the file without comments, line breaks kept; text that is not UTF-8 is read as Latin-1."""
        self.files.append(path)
        try:
            with path.open("rb") as file:
                data = file.read(self._left + 1)
        except OSError as error:
            raise SourceError(f"{path.name} cannot be read: {error.strerror}", value=path.name) from error
        self._spend(len(data))
        if b"\0" in data:
            self._refuse(f"{path.name} is not text", "a byte of 0", "an SFZ file")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        return _COMMENT.sub(lambda comment: " " + "\n" * comment[0].count("\n"), text)

    def _line(self, line: str, place: str) -> Iterator[tuple[str, str, str | None]]:
        if "$" in line:
            line = _VARIABLE.sub(self._replacement, line)
        name, start = "", 0
        for token in _TOKEN.finditer(line):
            if name:
                yield place, name, line[start : token.start()].strip()
            header, opcode = token.groups()
            name, start = opcode or "", token.end()
            if header:
                yield place, header.lower(), None
        if name:
            yield place, name, line[start:].strip()

    def _define(self, name: str, value: str, place: str) -> None:
        value = _VARIABLE.sub(self._replacement, value)
        if max(len(name), len(value)) > MAX_DEFINED or len(name) > MAX_NAME:
            self._refuse(f"the #define at {place} is too long", len(value), MAX_DEFINED)
        self._defined[name] = value

    def _replacement(self, variable: re.Match[str]) -> str:
        """Expand the longest defined prefix of `$word` and keep the rest; return the word itself if none is defined."""
        word = variable[1]
        for length in range(min(len(word), MAX_NAME), 0, -1):
            value = self._defined.get(word[:length])
            if value is not None:
                self._spend(len(value))
                return value + word[length:]
        return variable[0]

    def _included(self, reference: str, inside: tuple[Path, ...], place: str) -> Path | None:
        """Find the file of an #include: relative to the .sfz's folder, else to the including file's."""
        self._num_includes += 1
        if self._num_includes > MAX_INCLUDES:
            self._refuse("it includes too many files", self._num_includes, MAX_INCLUDES)
        reference = _VARIABLE.sub(self._replacement, reference)
        reason = "it does not exist"
        for folder in (self._path.parent, inside[-1].parent):
            try:
                path = self._tree.find(folder, reference)
            except SourceError as outside:
                path, reason = None, outside.message
            if path is None:
                continue
            if path in inside:
                self._refuse(f"{path.name}, included at {place}, includes itself", path.name, "no cycles")
            if len(inside) > MAX_DEPTH:
                self._refuse(f"includes are nested too deeply at {place}", len(inside), MAX_DEPTH)
            return path
        if len(self.faults) < MAX_FAULTS:
            self.faults.append((place, f"#include {reference[:80]}: {reason[:200]}"))
        return None

    def _spend(self, characters: int) -> None:
        self._tree.spend(characters=characters)
        self._left -= characters
        if self._left < 0:
            self._refuse("its text is too long", f"more than {MAX_TEXT}", MAX_TEXT)

    def _refuse(self, reason: str, value: object, limit: object) -> None:
        raise SourceError(f"{self._path.name} cannot be used: {reason}", value=value, limit=limit)
