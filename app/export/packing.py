"""Zips of a query's chosen instruments: their lists, previews, sure parts as MIDI, and what they were enrolled from."""

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import IO

from app.archive import CHUNK_BYTES, clean_name
from app.export.document import ExportedSet, as_json
from app.export.source_files import SOURCE_GONE
from app.export.tables import as_csv
from index.instrument_index import InstrumentIndex


def as_zip(
    chosen: ExportedSet,
    index: InstrumentIndex,
    midi: Mapping[str, bytes] = MappingProxyType({}),
    sources: Mapping[str, Path] = MappingProxyType({}),
) -> IO[bytes]:
    """Return a zip of one folder, named as the mixture: `set.json`, `set.csv`, `midi` and `sources`, files by their paths.

    Under `previews/` is the mp3 of every instrument that is still there. The zip is a file without a name, at its end: nothing
    of it is left however the download ends.
    """
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=index.folder.tmp_dir))
        with zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            folder = clean_name(Path(chosen.name).stem)
            _add_previews(archive, folder, chosen, index)
            _add_sources(archive, folder, chosen, sources)
            for path, content in {**midi, "set.json": as_json(chosen), "set.csv": as_csv(chosen)}.items():
                archive.writestr(f"{folder}/{path}", content)
        stack.pop_all()
    return file


def files_as_zip(paths: Sequence[Path], folder: Path) -> IO[bytes]:
    """Return a zip of files, by their paths below the folder of all of them; it is as that of `as_zip`, made in `folder`."""
    common = Path(os.path.commonpath([path.parent for path in paths]))
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        with zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
            for path in paths:
                name = path.relative_to(common).as_posix().encode("utf-8", "replace").decode()
                archive.write(path, name)
        stack.pop_all()
    return file


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the content of `file` from its beginning, and close it."""
    with file:
        file.seek(0)
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _add_previews(archive: zipfile.ZipFile, folder: str, chosen: ExportedSet, index: InstrumentIndex) -> None:
    for item in chosen.instruments:
        if item.preview:
            try:
                archive.write(index.folder.preview_file(item.instrument_id), f"{folder}/{item.preview}")
            except FileNotFoundError:  # purged meanwhile
                item.preview = None


def _add_sources(
    archive: zipfile.ZipFile, folder: str, chosen: ExportedSet, sources: Mapping[str, Path]
) -> None:
    gone = set()
    for path, file in sources.items():
        try:
            archive.write(file, f"{folder}/{path}")
        except FileNotFoundError:  # moved meanwhile
            gone.add(path)
    for item in chosen.instruments:
        if gone.intersection(item.files):
            item.files, item.no_files = [path for path in item.files if path not in gone], SOURCE_GONE
