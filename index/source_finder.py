"""Finds instruments that were enrolled once in their sources again, or their previews where the sources were not kept.

docs/ARCHITECTURE.md, decision 1: embeddings of another encoder are made anew, from the best audio that there is.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select

from index.catalog import Catalog, Instrument
from index.libraries import DataFolder
from index.records import no_instrument
from index.sources.base import InstrumentSource, SourceInstrument
from index.sources.opening import SourceOpener
from models.error_kind import kind_of
from models.errors import SourceError, SourceForbidden

log = logging.getLogger(__name__)


class EnrolledInstrument(NamedTuple):
    """The columns of `index.catalog.Instrument` that say what it was enrolled from."""

    vector_id: int
    id: str
    name: str
    source: str
    source_name: str | None
    source_key: str | None
    source_path: str | None


class GivenSource(NamedTuple):
    """An open source and its path, in which instruments are looked for before where they were enrolled from."""

    path: Path
    source: InstrumentSource


class FoundInstrument(NamedTuple):
    """An instrument that can be embedded; `source_path` is None where all of it there is, is its preview."""

    instrument: SourceInstrument
    source_path: str | None


class SourceFinder:
    """Finds enrolled instruments in the `given` sources, else where they were enrolled from.

    One source is held open beside the given ones: ask for instruments in the order of their `source_path`.
    """

    def __init__(
        self,
        folder: DataFolder,
        given: Sequence[GivenSource],
        opener: SourceOpener,
        roots: Sequence[Path] | None = None,
    ) -> None:
        """`roots` are the folders below which sources are read; None: anywhere. Kept uploads always are."""
        self.lost: set[Path] = set()  # of sources that could not be opened
        self._folder = folder
        self._opener = opener
        self._roots = roots
        self._given = [(folder.stored_path(path), _Instruments(source)) for path, source in given]
        self._opened: tuple[str, _Instruments | SourceError] | None = None
        self._recordings: tuple[str, _Instruments | None] | None = None

    def find(self, row: EnrolledInstrument) -> FoundInstrument:
        """Return the instrument in its source. Raises SourceError if it is not known or not there."""
        for path, instruments in self._given:
            if (found := instruments.find(row)) is not None:
                return FoundInstrument(found, path)
        if row.source_path is None:
            raise SourceError("where its source is was not recorded", value=row.source)
        try:
            found = self._open(row.source_path).find(row)
        except SourceError:
            if (found := self._find_recording(row, row.source_path)) is None:
                raise
        found = found or self._find_recording(row, row.source_path)
        if found is None:
            raise SourceError(f"{row.source} is not in its source any more", value=row.source)
        return FoundInstrument(found, row.source_path)

    def find_preview(self, row: EnrolledInstrument) -> FoundInstrument:
        """Return the instrument's preview, at most six seconds, as an instrument. Raises SourceError if there is none."""
        path = self._folder.preview_file(row.id)
        if not path.is_file():
            raise SourceError("neither its source nor a preview was kept", value=row.source)
        (instrument,) = self._opener.open_source(path)
        return FoundInstrument(instrument, None)

    def _open(self, stored: str) -> "_Instruments":
        """Open the source at a stored path, unless it was the last one opened."""
        if self._opened is None or self._opened[0] != stored:
            self._opened = stored, self._try_to_open(stored)
        if isinstance(self._opened[1], SourceError):
            raise self._opened[1]
        return self._opened[1]

    def _find_recording(self, row: EnrolledInstrument, stored: str) -> SourceInstrument | None:
        """Find an instrument among the recordings of a watched folder, where other sources may lie beside them."""
        path = self._folder.source_path(stored)
        if not path.is_dir() or path.is_relative_to(self._folder.uploads_dir):
            return None
        if self._recordings is None or self._recordings[0] != stored:
            self._recordings = stored, None
            with suppress(SourceError, OSError):
                check_readable(self._folder, path, self._roots)
                self._recordings = stored, _Instruments(self._opener.open_recordings(path))
        instruments = self._recordings[1]
        return instruments.find(row) if instruments else None

    def _try_to_open(self, stored: str) -> "_Instruments | SourceError":
        try:
            return _Instruments(open_stored(self._folder, stored, self._opener, self._roots))
        except SourceError as error:
            log.warning("a source cannot be opened: %s", kind_of(error))
            self.lost.add(self._folder.source_path(stored))
            return error


def check_root(path: Path, roots: Sequence[Path]) -> Path:
    """Return the path without links. Raises SourceForbidden unless it is absolute and below a root, and SourceError."""
    shown, names = str(path)[:200], ", ".join(map(str, roots))
    if not roots:
        message = (
            "the service reads no paths of its machine; its operator can name folders in SHOWME_SOURCE_ROOTS"
        )
        raise SourceForbidden(message, value=shown, limit="a path below SHOWME_SOURCE_ROOTS")
    try:
        found = path.resolve()
        if not path.is_absolute() or not any(found.is_relative_to(root.resolve()) for root in roots):
            message = (
                f"{shown} lies outside the folders that the service may read (SHOWME_SOURCE_ROOTS): {names}"
            )
            raise SourceForbidden(message, value=shown, limit=names)
        if not found.exists():
            raise SourceError(f"{shown} does not exist", value=shown)
    except (OSError, RuntimeError) as error:  # it cannot be entered, or its links lead to each other
        raise SourceError(f"{shown} cannot be read: {error}", value=shown) from error
    return found


def open_stored(
    folder: DataFolder, stored: str, opener: SourceOpener, roots: Sequence[Path] | None
) -> InstrumentSource:
    """Open the source of a stored path: a kept upload, or one below a root (None: anywhere). Raises SourceError."""
    path = folder.source_path(stored)
    try:
        check_readable(folder, path, roots)
        if not path.exists():
            raise SourceError("its source is not there any more", value=path.name)
        if path.is_relative_to(folder.uploads_dir):
            return opener.open_upload(path, path.name)
        return opener.open_source(path)
    except OSError as error:
        raise SourceError(f"its source cannot be read: {error.strerror}", value=path.name) from error


def check_readable(folder: DataFolder, path: Path, roots: Sequence[Path] | None) -> None:
    """Raise SourceError unless a path leads to a kept upload or below a root (None: anywhere)."""
    allowed = None if roots is None else [root.resolve() for root in (folder.uploads_dir, *roots)]
    if allowed is not None and not any(map(path.resolve().is_relative_to, allowed)):
        message = "its source lies outside the folders that the service may read (SHOWME_SOURCE_ROOTS)"
        raise SourceError(message, value=path.name)


def enrolled_instrument(catalog: Catalog, instrument_id: str) -> EnrolledInstrument:
    """Read what an instrument was enrolled from. Raises InstrumentNotFound."""
    columns = [getattr(Instrument, name) for name in EnrolledInstrument._fields]
    chosen = select(*columns).where(Instrument.id == instrument_id, Instrument.deleted_at.is_(None))
    with catalog.session() as session:
        found = session.execute(chosen).first()
    if found is None:
        raise no_instrument(instrument_id)
    return EnrolledInstrument(*found)


class _Instruments:
    """The instruments of a source by what the catalogue knows of them."""

    def __init__(self, source: InstrumentSource) -> None:
        self._of_key: dict[tuple[str, str], list[SourceInstrument]] = defaultdict(list)
        self._of_name: dict[tuple[str, str], list[SourceInstrument]] = defaultdict(list)
        for instrument in source:
            self._of_key[instrument.source, instrument.id].append(instrument)
            self._of_name[instrument.source, instrument.name].append(instrument)

    def find(self, row: EnrolledInstrument) -> SourceInstrument | None:
        """Return the only instrument with the row's id in its source, or else the only one with its name there."""
        for instruments, key in ((self._of_key, row.source_key), (self._of_name, row.source_name)):
            found = instruments.get((row.source, key), []) if key is not None else []
            if len(found) == 1:
                return found[0]
        return None
