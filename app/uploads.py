"""Writes uploaded files to disk: the file of a query, or the sources of an enrollment.

Names are cleaned, and contents are checked before a job is accepted, so that a wrong file is refused at once.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.archive import clean_name, free_path, unpack
from app.settings import Settings
from index.sources.base import InstrumentSource
from index.sources.folder import AUDIO_SUFFIXES, FolderSource
from index.sources.opening import CombinedSource
from index.sources.sfz.source import SUFFIXES as SFZ_SUFFIXES
from index.sources.sfz.source import SfzSource, sfz_files
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from index.sources.soundfont import SoundFontSource
from models.audio_tracks import open_track
from models.errors import InvalidRequest, SourceError, UnsupportedAudio

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


def stage(uploads: Sequence[Upload], folder: Path, settings: Settings) -> InstrumentSource:
    """Write `uploads` into the empty `folder` and open them as one source of instruments.

    Raises UnsupportedAudio for formats that cannot be enrolled, NotAudio and SourceError for broken files, AudioTooLarge
    for zips above the limits, and InvalidRequest without files.
    """
    if not uploads:
        raise InvalidRequest("no files were sent", value=0, limit="at least 1 file in the field `files`")
    loose = folder / "files"
    loose.mkdir()
    sources: list[InstrumentSource] = []
    for number, upload in enumerate(uploads):
        suffix = Path(upload.name).suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            open_track(upload.file, upload.name)
            save(upload, free_path(loose / upload.name))
        elif suffix in OPENED:
            place = folder / str(number)
            place.mkdir()
            sources.append(OPENED[suffix](save(upload, place / upload.name), settings))
        else:
            raise UnsupportedAudio(
                f"{upload.name} cannot be enrolled; send {ACCEPTED}",
                value=suffix or upload.name,
                limit=ACCEPTED,
            )
    if any(loose.iterdir()):
        sources.insert(0, FolderSource(loose))
    return CombinedSource(uploads[0].name, sources)


def _open_soundfont(path: Path, settings: Settings) -> InstrumentSource:
    return SoundFontSource(path)


def _open_lone_sfz(path: Path, settings: Settings) -> InstrumentSource:
    """Open an .sfz without a zip: it can play generated waveforms only, since it is alone in its folder."""
    try:
        return SfzSource(path)
    except SourceError as error:
        message = f"{error.message}; send a zip that holds the .sfz and its samples"
        raise SourceError(message, value=error.value, limit=ACCEPTED) from error


def _open_zip(path: Path, settings: Settings) -> InstrumentSource:
    """Open an unpacked zip; data-set layouts are not detected."""
    folder = _unpacked(path, settings)
    return SfzSource(folder) if sfz_files(folder) else FolderSource(folder)


OPENED: dict[str, Callable[[Path, Settings], InstrumentSource]] = {
    ".zip": _open_zip,
    **dict.fromkeys(SFZ_SUFFIXES, _open_lone_sfz),
    **dict.fromkeys(SOUNDFONT_SUFFIXES, _open_soundfont),
}


def _unpacked(path: Path, settings: Settings) -> Path:
    folder = path.with_suffix("")
    folder.mkdir()
    unpack(
        path,
        folder,
        suffixes=AUDIO_SUFFIXES,
        max_entries=settings.max_zip_entries,
        max_bytes=settings.max_unpacked_bytes,
    )
    path.unlink()
    return folder
