"""Finds the licence file of a folder of sounds, beside the sounds or above them.

Banks are published with a LICENSE or COPYING file in one of their folders (GNU's convention, kept by SFZ authors).
"""

import re
from functools import lru_cache
from pathlib import Path

_LICENCE_FILE = re.compile(r"(licen[sc]e|copying)[^.]*(\.(txt|md))?", re.IGNORECASE)


def licence_beside(path: Path, root: Path) -> str | None:
    """Return a note such as "see LICENSE.txt", of the nearest licence file from the folder of `path` up to `root`.

    `path` and `root` are files or folders. None if there is no such file or a folder cannot be read.
    """
    folder = path if path.is_dir() else path.parent
    top = root if root.is_dir() else root.parent
    for place in (folder, *folder.parents):
        if not place.is_relative_to(top):
            break
        if (name := _licence_file(place)) is not None:
            return f"see {name}"
    return None


def _licence_file(folder: Path) -> str | None:
    try:
        return _listed(folder, folder.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=1024)  # a thousand instruments of a source ask for the same folders
def _listed(folder: Path, changed: int) -> str | None:
    """Return the first licence file of a folder whose last change was at `changed` (part of the cache's key)."""
    names = sorted(entry.name for entry in folder.iterdir() if _LICENCE_FILE.fullmatch(entry.name))
    return names[0] if names else None
