"""Lists the entries of a watched folder that become instruments, with size and time of each of their files.

An entry is a file or folder directly in it, read as `index/sources/opening.py` reads folders: recordings are one instrument, a
SoundFont, an .sfz or a folder with such files are banks of them.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Literal, NamedTuple

from index.sources.folder import is_audio_file
from index.sources.note_bank import INDEX
from index.sources.nsynth import nsynth_folders
from index.sources.opening import is_folder_of_audio
from index.sources.sfz.source import SUFFIXES as SFZ_SUFFIXES
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from models.errors import SourceError

EntryKind = Literal["recordings", "bank"]
DIGEST_BYTES = 32
MAX_SFZ_BYTES = 4 << 20  # of which an .sfz is searched for the names of its samples
_SKIPPED = (".", "__MACOSX")  # beginnings of names


class FolderGone(SourceError):
    """A watched folder that is away, as with its disk: nothing is known of what was in it."""

    slug = "folder-gone"
    title = "The watched folder is gone"


class FileState(NamedTuple):
    """By these a changed file is told from an unchanged one; `changed_ns` is the later of its two times."""

    num_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileState":
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns, max(found.st_mtime_ns, found.st_ctime_ns))


@dataclass(frozen=True)
class ScannedEntry:
    """A file or folder directly in a watched folder, and the files that it is made of, by their paths in that folder."""

    path: str
    kind: EntryKind
    files: dict[str, FileState]

    @property
    def changed_ns(self) -> int:
        """When the last of its files has changed."""
        return max(state.changed_ns for state in self.files.values())

    def digest(self, digest_of: Callable[[str], str]) -> str:
        """Hash its content; `digest_of` gives that of a file. Names of recordings, and its own, do not matter."""
        parts = []
        for path in self.files:
            name = path.removeprefix(self.path) if self.kind == "bank" else ""
            parts.append(f"{name}\0{digest_of(path)}\n")
        content = "".join([self.kind, "\n", *sorted(parts)])
        return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


@dataclass
class FolderScan:
    """The entries of a folder by their paths, and why others of it cannot be read now."""

    entries: dict[str, ScannedEntry] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def is_as_scanned(root: Path, entry: ScannedEntry) -> bool:
    """Whether all files of an entry are there, as they were when it was scanned."""
    try:
        return all(FileState.of(root / path) == state for path, state in entry.files.items())
    except OSError:
        return False


def check_watchable(root: Path) -> None:
    """Raise SourceError unless a path is a folder whose entries can be followed one by one."""
    if not root.is_dir():
        raise SourceError(f"{root.name} is not a folder, and only folders can be watched", value=str(root))
    if nsynth_folders(root) or (root / INDEX).is_file():
        message = f"{root.name} is a data set and no folder of samples; add it with `showme index add`"
        raise SourceError(message, value=str(root))


def scan_folder(root: Path) -> FolderScan:
    """Look at all files of a folder, whose contents are not read. Raises FolderGone if it cannot be listed."""
    try:
        found = sorted(path for path in root.iterdir() if not path.name.startswith(_SKIPPED))
    except OSError as error:
        message = f"the folder {root} is gone ({error.strerror}); nothing is removed until it is back"
        raise FolderGone(message, value=str(root)) from error
    scan = FolderScan()
    for path in found:
        try:
            entry = _entry(path)
        except (OSError, SourceError, UnicodeEncodeError) as error:
            name = path.name.encode("utf-8", "replace").decode()
            scan.unreadable[name] = f"cannot be read: {_reason(error)}"
        else:
            if entry is not None:
                scan.entries[path.name] = entry
    _give_samples_to_sfz(root, scan)
    return scan


def file_digest_of(path: Path) -> str:
    """Hash the content of a file. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=DIGEST_BYTES)).hexdigest()


def _entry(path: Path) -> ScannedEntry | None:
    """Return the entry at a path, None if it holds nothing to enroll.

    Raises OSError, SourceError, and UnicodeEncodeError for names that are no text.
    """
    path.name.encode()
    if path.is_symlink() and not path.exists():
        raise SourceError("a broken link", value=path.name)
    if not path.is_dir():
        is_bank = path.suffix.lower() in (*SFZ_SUFFIXES, *SOUNDFONT_SUFFIXES)
        if not is_bank and not is_audio_file(path):
            return None
        return ScannedEntry(path.name, "bank" if is_bank else "recordings", {path.name: FileState.of(path)})
    is_bank = not is_folder_of_audio(path)
    files = {}
    for file in _files_below(path):
        if file.is_file() and (is_bank or is_audio_file(file)):
            name = file.relative_to(path.parent).as_posix()
            name.encode()
            files[name] = FileState.of(file)
    return ScannedEntry(path.name, "bank" if is_bank else "recordings", files) if files else None


def _reason(error: OSError | SourceError | UnicodeEncodeError) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "its name, or that of a file in it, is no text"
    return error.message if isinstance(error, SourceError) else error.strerror or str(error)


def _files_below(folder: Path) -> list[Path]:
    """Return all files of a folder. Raises OSError if a part of it cannot be read: nothing may look removed then."""

    def fail(error: OSError) -> None:
        raise error

    walked = os.walk(folder, onerror=fail)
    return [Path(place) / name for place, _, names in walked for name in names if not name.startswith(".")]


def _give_samples_to_sfz(root: Path, scan: FolderScan) -> None:
    """Make the recordings that an .sfz beside them names its files: they are no instruments of their own."""
    taken: set[str] = set()
    for name in [name for name in scan.entries if Path(name).suffix.lower() in SFZ_SUFFIXES]:
        entry = scan.entries[name]
        if not (root / name).is_file():
            continue
        try:
            with (root / name).open("rb") as file:
                text = file.read(MAX_SFZ_BYTES).decode("utf-8", "ignore").replace("\\", "/").lower()
        except OSError:  # it is looked at again when it is opened
            continue
        for other in scan.entries.values():
            is_named = (f"{other.path}/" if (root / other.path).is_dir() else other.path).lower() in text
            if other.kind == "recordings" and is_named:
                entry.files.update(other.files)
                taken.add(other.path)
    for name in taken:
        del scan.entries[name]
