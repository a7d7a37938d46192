"""Puts uploaded files where the rest can read them: a query's file, or the sources of an enrollment.

Names from the network are cleaned and contents are looked at before a job is accepted, so that a wrong file is refused at once.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from app.archive import clean_name, free_path, unpack
from app.settings import Settings
from index.sources import open_source
from index.sources.base import InstrumentSource, SourceInstrument
from index.sources.folder import AUDIO_SUFFIXES
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from models.audio_tracks import open_track
from models.errors import InvalidRequest, UnsupportedAudio

ACCEPTED = ", ".join((*AUDIO_SUFFIXES, ".zip of folders of these", *SOUNDFONT_SUFFIXES))


class Upload(NamedTuple):
    """An uploaded file: the client's name for it, and its bytes as a binary file."""

    name: str
    file: BinaryIO


class SeveralSources:
    """The sources of one upload as one, in the order sent."""

    def __init__(self, name: str, sources: Sequence[InstrumentSource]) -> None:
        self.name = name
        self._sources = sources

    def __len__(self) -> int:
        return sum(len(source) for source in self._sources)

    def __iter__(self) -> Iterator[SourceInstrument]:
        for source in self._sources:
            yield from source


def upload_name(filename: str | None) -> str:
    """The client's file name, without its folders and without anything a file system might take amiss."""
    return clean_name((filename or "").replace("\\", "/").rpartition("/")[2])


def save(upload: Upload, path: Path) -> Path:
    """Copy the upload to `path`, which must not exist."""
    upload.file.seek(0)
    with path.open("xb") as target:
        shutil.copyfileobj(upload.file, target, 1 << 20)
    return path


def stage(uploads: Sequence[Upload], folder: Path, settings: Settings) -> InstrumentSource:
    """Write `uploads` into the empty `folder` and open them as one source of instruments.

    Raises UnsupportedAudio for kinds that cannot be enrolled, NotAudio and SourceError for broken files, AudioTooLarge for
    zips above their limits, InvalidRequest when there is nothing.
    """
    if not uploads:
        raise InvalidRequest("no files were sent", value=0, limit="at least 1 file in the field `files`")
    loose = folder / "files"
    loose.mkdir()
    sources = []
    for number, upload in enumerate(uploads):
        suffix = Path(upload.name).suffix.lower()
        if suffix in AUDIO_SUFFIXES:
            open_track(upload.file, upload.name)
            save(upload, free_path(loose / upload.name))
        elif suffix in SOUNDFONT_SUFFIXES or suffix == ".zip":
            place = folder / str(number)
            place.mkdir()
            path = save(upload, place / upload.name)
            sources.append(open_source(_unpacked(path, settings) if suffix == ".zip" else path))
        else:
            raise UnsupportedAudio(
                f"{upload.name} cannot be enrolled; send {ACCEPTED}",
                value=suffix or upload.name,
                limit=ACCEPTED,
            )
    if any(loose.iterdir()):
        sources.insert(0, open_source(loose))
    return SeveralSources(uploads[0].name, sources)


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
