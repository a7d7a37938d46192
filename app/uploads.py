"""Writes uploaded files to disk: the file of a query, or the sources of an enrollment.

Names are cleaned, and contents are checked before a job is accepted, so that a wrong file is refused at once.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.archive import clean_name, free_path, unpack
from app.settings import Settings
from index.decoding.remote_source import DecodingOpener
from index.decoding.workers import DecodeWorkers
from index.sources.base import InstrumentSource
from index.sources.folder import AUDIO_SUFFIXES
from index.sources.opening import LOOSE_FILES, CombinedSource
from index.sources.sfz.source import SUFFIXES as SFZ_SUFFIXES
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from models.errors import AudioTooLarge, InvalidRequest, SourceError, UnsupportedAudio

ZIP = ".zip"
COLLECTIONS = (ZIP, *SFZ_SUFFIXES, *SOUNDFONT_SUFFIXES)  # a file of these may hold several instruments
ACCEPTED = ", ".join(
    (
        *AUDIO_SUFFIXES,
        ".zip of folders of these",
        ".zip of .sfz files with their samples",
        *SOUNDFONT_SUFFIXES,
    )
)


class Upload(NamedTuple):
    """An uploaded file: the client's name for it, and its bytes as a binary file.

    `path` is where a resumable upload lies, whose bytes were counted when it was created.
    """

    name: str
    file: BinaryIO
    path: Path | None = None


def upload_name(filename: str | None) -> str:
    """Return the client's file name without folders, in characters that every file system accepts."""
    return clean_name((filename or "").replace("\\", "/").rpartition("/")[2])


def save(upload: Upload, path: Path) -> Path:
    """Copy the upload to `path`, which must not exist; one that is on the disk already is linked where that is possible."""
    if upload.path is not None:
        with suppress(OSError):
            path.hardlink_to(upload.path)
            return path
    upload.file.seek(0)
    with path.open("xb") as target:
        shutil.copyfileobj(upload.file, target, 1 << 20)
    return path


def size_of(upload: Upload) -> int:
    """Return the size of an upload in bytes."""
    size = upload.file.seek(0, os.SEEK_END)
    upload.file.seek(0)
    return size


def stage(
    uploads: Sequence[Upload],
    folder: Path,
    settings: Settings,
    opener: DecodingOpener,
    take: Callable[[int], None] = lambda num_bytes: None,
) -> InstrumentSource:
    """Write `uploads` into the empty `folder` and open them as one source; `opener.open_upload` opens the folder again.

    `take` is called with the size of each zip, unpacked, before it is, and may refuse it.

    Raises UnsupportedAudio for formats that cannot be enrolled, NotAudio and SourceError for broken files, DecodingStopped
    for those that make their decoder fail, AudioTooLarge for zips and SoundFonts above the limits, and InvalidRequest
    without files.
    """
    if not uploads:
        raise InvalidRequest("no files were sent", value=0, limit="at least 1 file in the field `files`")
    loose = folder / LOOSE_FILES
    stems = {LOOSE_FILES}
    sources: list[InstrumentSource] = []
    for number, upload in enumerate(uploads):
        suffix = Path(upload.name).suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            loose.mkdir(exist_ok=True)
            opener.workers.check(save(upload, free_path(loose / upload.name)), upload.name)
        elif suffix in COLLECTIONS:
            place = folder / str(number)
            place.mkdir()
            path = save(upload, place / _distinct(upload.name, stems))
            if suffix == ZIP:
                sources.append(opener.open_place(_unpacked(path, settings, opener.workers, take)))
            elif suffix in SFZ_SUFFIXES:
                sources.append(_lone_sfz(path, opener))
            else:
                sources.append(_soundfont(path, opener, settings.max_presets))
        else:
            raise UnsupportedAudio(
                f"{upload.name} cannot be enrolled; send {ACCEPTED}",
                value=suffix or upload.name,
                limit=ACCEPTED,
            )
    if loose.is_dir():
        sources.insert(0, opener.open_place(loose))
    return CombinedSource(uploads[0].name, sources)


def _distinct(name: str, stems: set[str]) -> str:
    """Return the file name with a number if its stem is among `stems`, to which the result is added."""
    path, number = Path(name), 1
    stem = path.stem
    while stem.lower() in stems:
        number += 1
        stem = f"{path.stem} ({number})"
    stems.add(stem.lower())
    return f"{stem}{path.suffix}"


def _lone_sfz(path: Path, opener: DecodingOpener) -> InstrumentSource:
    """Open an .sfz without a zip, which must play generated waveforms only: it is alone in its folder."""
    try:
        return opener.open_place(path)
    except SourceError as error:
        message = f"{error.message}; send a zip that holds the .sfz and its samples"
        raise SourceError(message, value=error.value, limit=ACCEPTED) from error


def _soundfont(path: Path, opener: DecodingOpener, limit: int) -> InstrumentSource:
    """Open a SoundFont of at most `limit` presets: a small file can hold 16,000, each of which takes as long as any."""
    source = opener.open_place(path)
    number = len(source) + len(source.faults)  # a preset that no key plays is a fault
    if number > limit:
        raise AudioTooLarge(
            f"{path.name} has {number} presets; a SoundFont may have {limit} (SHOWME_MAX_PRESETS)",
            value=number,
            limit=limit,
        )
    return source


def _unpacked(path: Path, settings: Settings, workers: DecodeWorkers, take: Callable[[int], None]) -> Path:
    """Replace a zip by the folder of its files, and return it."""
    folder = path.with_suffix("")
    folder.mkdir()
    unpack(
        path,
        folder,
        workers,
        suffixes=AUDIO_SUFFIXES,
        max_entries=settings.max_zip_entries,
        max_bytes=settings.max_unpacked_bytes,
        take=take,
    )
    path.unlink()
    return folder
