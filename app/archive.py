"""Unpacks an uploaded zip into a folder of instruments without trusting its own figures.

Each top-level folder is one instrument with the folder's name, unless there are .sfz files, which name their samples by
path. Names, sizes and counts are checked before and while unpacking: a zip may point outside its folder or unpack to a
thousand times its size.
"""

import re
import stat
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from index.decoding.archives import BROKEN, RemoteEntry, RemoteZip
from index.decoding.workers import DecodeWorkers
from index.disk import is_full
from index.sources.sfz.paths import portable_name
from index.sources.sfz.source import SUFFIXES as SFZ_SUFFIXES
from models.errors import AudioTooLarge, SourceError

CHUNK_BYTES = 1 << 20
ENTRY_SIGNATURE = b"PK\x01\x02"  # of a record in the zip's central directory
MAX_NAME = 100  # characters of an instrument's name
_ABSOLUTE = re.compile(r"/|[A-Za-z]:(?:/|$)")  # a path of this system, or of Windows


def unpack(
    archive: Path,
    target: Path,
    workers: DecodeWorkers,
    *,
    suffixes: Collection[str],
    max_entries: int,
    max_bytes: int,
    take: Callable[[int], None] = lambda num_bytes: None,
) -> int:
    """Write the audio files of `archive` to `target/<instrument>/` and return the number of files written.

    Other files are skipped. A zip with .sfz files keeps its folders and all files, since an .sfz may include files of any
    name. `take` is called with their size before anything is written. Raises SourceError for a zip that is broken,
    encrypted, holds no audio or points outside itself, AudioTooLarge above `max_entries` files or `max_bytes` unpacked,
    DecodingStopped if it makes the worker fail that decompresses it.
    """
    check_entry_count(archive, max_entries)
    try:
        with workers.zip(archive) as zipped:
            entries = list(_entries(zipped))
            is_sfz = any(_suffix(parts) in SFZ_SUFFIXES for _, parts in entries)
            if is_sfz:
                places = [target.joinpath(*map(_tree_name, parts)) for _, parts in entries]
            else:
                entries = [(entry, parts) for entry, parts in entries if _suffix(parts) in suffixes]
                places = [_place(target, parts, number) for number, (_, parts) in enumerate(entries)]
            _check_no_file_is_a_folder(entries, places)
            left = declared = _declared_size([entry for entry, _ in entries], max_bytes)
            take(declared)
            for (entry, _), place in zip(entries, places, strict=True):
                place.parent.mkdir(parents=True, exist_ok=True)
                path = place if is_sfz else free_path(place)
                with zipped.open(entry) as source:
                    left -= _copy(source, path, left, declared)
    except BROKEN as error:
        raise _broken(archive, str(error)) from error
    except OSError as error:
        if is_full(error):
            raise
        raise _broken(
            archive, error.strerror or "an unknown fault"
        ) from error  # its text would name our folders
    if not entries:
        raise SourceError(
            "the zip holds no audio files", value=archive.name, limit=", ".join(sorted(suffixes))
        )
    return len(entries)


def _broken(archive: Path, reason: str) -> SourceError:
    return SourceError(f"the zip cannot be read: {reason}", value=archive.name, limit="a valid zip")


def clean_name(name: str) -> str:
    """Return `name` as a file name for every system: no separators, no control characters, not too long."""
    kept = portable_name(name)
    stem, dot, suffix = kept.rpartition(".")
    if dot and len(suffix) <= 5:
        return f"{stem[: MAX_NAME - len(suffix) - 1].strip(' .') or 'upload'}.{suffix}"
    return kept[:MAX_NAME].strip(" .") or "upload"


def check_entry_count(archive: Path, max_entries: int) -> None:
    """Raise AudioTooLarge above `max_entries` directory records.

    They are counted in the raw bytes, since `zipfile` would read all of them into memory first.
    """
    count, tail = 0, b""
    with archive.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            window = tail + chunk
            count += window.count(ENTRY_SIGNATURE)
            if count > max_entries:
                raise AudioTooLarge(
                    f"the zip holds more than {max_entries} files", value=count, limit=max_entries
                )
            tail = window[-(len(ENTRY_SIGNATURE) - 1) :]


def _entries(zipped: RemoteZip) -> Iterator[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """Yield (entry, path in parts) of every file, sorted by name; hidden files are left out."""
    for entry in sorted(zipped.infolist(), key=lambda item: item.filename):
        parts = _safe_parts(entry)
        if parts and not entry.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in parts):
            yield entry, parts


def _suffix(parts: tuple[str, ...]) -> str:
    return PurePosixPath(parts[-1]).suffix.lower()


def _safe_parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """Return the entry's path in parts. Raises SourceError if it leaves the folder, is a link or is encrypted."""
    name = entry.filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if _ABSOLUTE.match(name) or ".." in parts:
        raise SourceError(
            "the zip points outside its own folder", value=entry.filename, limit="relative paths"
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise SourceError("the zip holds a link", value=entry.filename, limit="files and folders")
    if entry.flag_bits & 0x1:
        raise SourceError("the zip is encrypted", value=entry.filename, limit="a zip without a password")
    return tuple(part for part in parts if part not in ("", "."))


def _check_no_file_is_a_folder(
    entries: Sequence[tuple[zipfile.ZipInfo, tuple[str, ...]]], places: Sequence[Path]
) -> None:
    """Refuse `a.wav` beside `a.wav/b.wav`, which no folder can hold."""
    files = set(places)
    for (entry, _), place in zip(entries, places, strict=True):
        if not files.isdisjoint(place.parents):
            raise SourceError(
                "the zip holds a file and a folder of the same name",
                value=entry.filename,
                limit="one of them",
            )


def _declared_size(entries: list[zipfile.ZipInfo], max_bytes: int) -> int:
    declared = sum(entry.file_size for entry in entries)
    if declared > max_bytes:
        raise AudioTooLarge(f"the zip unpacks to {declared} bytes", value=declared, limit=max_bytes)
    return declared


def _tree_name(part: str) -> str:
    """Return a portable name; SFZ files find it, since the reader makes the names it looks for portable too."""
    return portable_name(part) or "_"


def _place(target: Path, parts: tuple[str, ...], number: int) -> Path:
    """Return the target of an audio file: directly in its top-level folder, or at the top if it is in none."""
    name = clean_name(parts[-1])
    return target / name if len(parts) == 1 else target / clean_name(parts[0]) / f"{number:05d}_{name}"


def free_path(path: Path) -> Path:
    """Return `path`, or the first of `name (2).ext`, `name (3).ext`, … that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return candidate


def _copy(source: RemoteEntry, path: Path, left: int, declared: int) -> int:
    """Copy at most `left` bytes and return their number. Raises AudioTooLarge for more."""
    written = 0
    with path.open("wb") as target:
        while chunk := source.read():
            written += len(chunk)
            if written > left:
                raise AudioTooLarge(
                    "the zip unpacks to more bytes than it declares",
                    value=declared - left + written,
                    limit=declared,
                )
            target.write(chunk)
    return written
