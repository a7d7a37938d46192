"""Writes uploaded files to disk: the file of a query, or the sources of an enrollment.

Names are cleaned, and contents are checked before a job is accepted, so that a wrong file is refused at once.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.archive import clean_name, free_path, unpack
from app.settings import Settings
from index.sources.base import InstrumentSource
from index.sources.folder import AUDIO_SUFFIXES
from index.sources.opening import LOOSE_FILES, open_upload
from index.sources.sfz.source import SUFFIXES as SFZ_SUFFIXES
from index.sources.sfz.source import SfzSource
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from index.sources.soundfont_file import read_soundfont
from models.audio_tracks import open_track
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
    """An uploaded file: the client's name for it, and its bytes as a binary file."""

    name: str
    file: BinaryIO


def upload_name(filename: str | None) -> str:
    """Return the client's file name without folders, in characters that every file system accepts."""
    return clean_name((filename or "").replace("\\", "/").rpartition("/")[2])


def save(upload: Upload, path: Path) -> Path:
    """Copy the upload to `path`, which must not exist."""
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
    take: Callable[[int], None] = lambda num_bytes: None,
) -> InstrumentSource:
    """Write `uploads` into the empty `folder` and open them as one source; `open_upload` opens the folder again.

    `take` is called with the size of each zip, unpacked, before it is, and may refuse it.

    Raises UnsupportedAudio for formats that cannot be enrolled, NotAudio and SourceError for broken files, AudioTooLarge
    for zips and SoundFonts above the limits, and InvalidRequest without files.
    """
    if not uploads:
        raise InvalidRequest("no files were sent", value=0, limit="at least 1 file in the field `files`")
    loose = folder / LOOSE_FILES
    stems = {LOOSE_FILES}
    for number, upload in enumerate(uploads):
        suffix = Path(upload.name).suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            open_track(upload.file, upload.name)
            loose.mkdir(exist_ok=True)
            save(upload, free_path(loose / upload.name))
        elif suffix in COLLECTIONS:
            place = folder / str(number)
            place.mkdir()
            path = save(upload, place / _distinct(upload.name, stems))
            if suffix == ZIP:
                _unpack(path, settings, take)
            elif suffix in SFZ_SUFFIXES:
                _check_lone_sfz(path)
            else:
                _check_presets(path, settings.max_presets)
        else:
            raise UnsupportedAudio(
                f"{upload.name} cannot be enrolled; send {ACCEPTED}",
                value=suffix or upload.name,
                limit=ACCEPTED,
            )
    return open_upload(folder, uploads[0].name)


def _distinct(name: str, stems: set[str]) -> str:
    """Return the file name with a number if its stem is among `stems`, to which the result is added."""
    path, number = Path(name), 1
    stem = path.stem
    while stem.lower() in stems:
        number += 1
        stem = f"{path.stem} ({number})"
    stems.add(stem.lower())
    return f"{stem}{path.suffix}"


def _check_lone_sfz(path: Path) -> None:
    """Refuse an .sfz without a zip, unless it plays generated waveforms only: it is alone in its folder."""
    try:
        SfzSource(path)
    except SourceError as error:
        message = f"{error.message}; send a zip that holds the .sfz and its samples"
        raise SourceError(message, value=error.value, limit=ACCEPTED) from error


def _check_presets(path: Path, limit: int) -> None:
    """Refuse a SoundFont of more presets than `limit`: a small file can hold 16,000, each of which takes as long as any."""
    number = len(read_soundfont(path).presets)
    if number > limit:
        raise AudioTooLarge(
            f"{path.name} has {number} presets; a SoundFont may have {limit} (SHOWME_MAX_PRESETS)",
            value=number,
            limit=limit,
        )


def _unpack(path: Path, settings: Settings, take: Callable[[int], None]) -> None:
    """Replace a zip by the folder of its files."""
    folder = path.with_suffix("")
    folder.mkdir()
    unpack(
        path,
        folder,
        suffixes=AUDIO_SUFFIXES,
        max_entries=settings.max_zip_entries,
        max_bytes=settings.max_unpacked_bytes,
        take=take,
    )
    path.unlink()
