"""Finds the files that SFZ instruments name, in any case and with any slashes, but never outside a root folder.

Most SFZ files are written on systems that treat `Piano C4.WAV` and `piano c4.wav` as one name.
"""

import os
import unicodedata
from pathlib import Path

from models.errors import SourceError

FORBIDDEN = '/\\:*?"<>|'  # characters that some system forbids in a name
MAX_REFERENCE = 2000  # characters
MAX_TEXTS = 64 * 1024**2  # characters of all SFZ texts of a source
MAX_OPCODES = 5_000_000  # of all regions of a source, inherited ones included


def portable_name(name: str) -> str:
    """Return `name` as every system accepts it: composed Unicode, no separators, control characters or outer dots."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    return "".join("_" if char in FORBIDDEN or not char.isprintable() else char for char in text).strip(" .")


def _folded(name: str) -> str:
    return portable_name(name).casefold()


class SfzTree:
    """The files below `root`, and a budget of text and opcodes that all SFZ files of a source share.

    Each folder is listed once; files that appear later are not seen.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._characters_left, self._opcodes_left = MAX_TEXTS, MAX_OPCODES
        self._listings: dict[tuple[str, ...], dict[str, os.DirEntry[str]]] = {}
        self._found: dict[tuple[Path, str], Path | None] = {}

    @property
    def is_spent(self) -> bool:
        """Return whether the budget is exceeded."""
        return min(self._characters_left, self._opcodes_left) < 0

    def spend(self, *, characters: int = 0, opcodes: int = 0) -> None:
        """Spend from the budget. Raises SourceError when it is exceeded."""
        self._characters_left -= characters
        self._opcodes_left -= opcodes
        if self.is_spent:
            limit = f"{MAX_TEXTS} characters, {MAX_OPCODES} opcodes"
            message = f"the SFZ texts of {self.root.name} are too long together"
            raise SourceError(message, value="more than the limit", limit=limit)

    def find(self, folder: Path, reference: str) -> Path | None:
        """Find the file that `reference` names, relative to `folder` (resolved, inside the root); None if missing.

        The exact name wins over names that differ in case, Unicode composition or forbidden characters. Raises
        SourceError for a reference that leaves the root, directly or by a link.
        """
        key = (folder, reference)
        if key not in self._found:
            self._found[key] = self._find(folder.relative_to(self.root).parts, reference)
        return self._found[key]

    def _find(self, parts: tuple[str, ...], reference: str) -> Path | None:
        path = reference.replace("\\", "/")
        if path.startswith("/") or path[1:2] == ":":
            raise self._outside(reference)
        if len(path) > MAX_REFERENCE:
            return None
        steps = [step for step in path.split("/") if step not in ("", ".")]
        for number, step in enumerate(steps):
            if step == "..":
                if not parts:
                    raise self._outside(reference)
                parts = parts[:-1]
                continue
            is_last = number == len(steps) - 1
            entry = self._entry(parts, step)
            if entry is None or not _is_there(entry, is_last):
                return None
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self.root):
                raise self._outside(reference)
            parts = (*parts, entry.name)
            if is_last:
                return self.root.joinpath(*parts)
        return None

    def _entry(self, parts: tuple[str, ...], name: str) -> os.DirEntry[str] | None:
        if parts not in self._listings:
            listing: dict[str, os.DirEntry[str]] = {}
            try:
                with os.scandir(self.root.joinpath(*parts)) as entries:
                    for entry in sorted(entries, key=lambda entry: entry.name):
                        listing.setdefault(_folded(entry.name), entry)
                        listing[f"/{entry.name}"] = entry  # the exact name; no folded one begins like this
            except OSError:
                listing = {}
            self._listings[parts] = listing
        listing = self._listings[parts]
        return listing.get(f"/{name}") or listing.get(_folded(name))

    def _outside(self, reference: str) -> SourceError:
        message = f"{reference} lies outside the folder {self.root.name}"
        return SourceError(message, value=reference, limit=f"files inside {self.root.name}")


def _is_there(entry: os.DirEntry[str], as_file: bool) -> bool:
    """Return whether it is a file (or a folder); a broken or circular link is neither."""
    try:
        return entry.is_file() if as_file else entry.is_dir()
    except OSError:
        return False
