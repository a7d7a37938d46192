"""The default library: a new service starts with it, and queries that name no library use it.

docs/ARCHITECTURE.md, decisions 6 and 8: it holds TimGM6mb, 128 presets and 8 drum kits, on which no encoder is ever
trained.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.job_store import JobStore
from index.decoding.remote_source import DecodingOpener
from index.instrument_index import InstrumentIndex
from index.libraries import MAX_NAME_LENGTH
from index.records import LibraryInfo, OwnedLibrary
from index.source_finder import GivenSource
from index.sources.base import InstrumentSource
from index.sources.default import BANKS, default_soundfont
from models.error_kind import kind_of
from models.errors import InvalidRequest, LibraryExists, LibraryKept, SourceError

log = logging.getLogger("showme")

DISABLED = "none"


@dataclass(frozen=True)
class DefaultLibrary:
    """The name of the default library, the path of its source, and a function that opens it."""

    name: str
    path: Path
    open_source: Callable[[], InstrumentSource]

    @classmethod
    def of_setting(cls, setting: str | None, opener: DecodingOpener) -> "DefaultLibrary | None":
        """Return the library of SHOWME_DEFAULT_LIBRARY: a path, "none", or None for the shipped SoundFont."""
        if setting is None:
            path = default_soundfont()
            return cls(_name_of(path), path, lambda: opener.open_source(path, BANKS))
        if setting.strip().lower() == DISABLED:
            return None
        path = Path(setting)
        return cls(_name_of(path), path, lambda: opener.open_source(path))

    def find(self, index: InstrumentIndex) -> LibraryInfo | None:
        """Return the library, None if it is not there yet."""
        return next(
            (library for library in index.libraries.called(self.name) if is_default(library, self)), None
        )

    def to_fill(self, index: InstrumentIndex, jobs: JobStore) -> tuple[LibraryInfo, InstrumentSource] | None:
        """Return the library, created if need be, and the source to fill it with; None once that has come to its end.

        Raises SourceError, before changing anything, when the source does not open.
        """
        there = self.find(index)
        if there and there.num_instruments and not jobs.ended_early(there.id, self.stored_path(index)):
            return None
        source = self.open_source()
        try:
            return there or index.libraries.create(self.name), source
        except LibraryExists:  # another process has created it meanwhile
            return index.libraries.get(self.name), source

    def stored_path(self, index: InstrumentIndex) -> str:
        """Return the path of its source as jobs and instruments record it."""
        return index.folder.stored_path(self.path)

    def given_for(self, library: LibraryInfo) -> list[GivenSource]:
        """Return the source with which to embed `library` again, if it is this one and its source opens."""
        if not is_default(library, self):
            return []
        try:
            return [GivenSource(self.path, self.open_source())]
        except SourceError as error:
            log.warning("the source of the default library cannot be opened: %s", kind_of(error))
            return []


def _name_of(path: Path) -> str:
    """Return the path's stem as the index writes names: white space counts once."""
    return " ".join(path.resolve().stem.split())[:MAX_NAME_LENGTH]


def is_default(library: OwnedLibrary, default: DefaultLibrary | None) -> bool:
    """Whether this is the default library, and not one of an access key that has the same name."""
    return default is not None and library.key_id is None and library.name == default.name


def check_default_keeps_its_name(library: LibraryInfo, name: str, default: DefaultLibrary | None) -> None:
    """Raise InvalidRequest for a new name of the default library: the next start would create it again."""
    if is_default(library, default) and library.name != " ".join(name.split()):
        message = f"{library.name!r} is the default library and cannot be renamed"
        raise InvalidRequest(message, value=name[:MAX_NAME_LENGTH], limit=library.name)


def check_default_stays_shared(library: LibraryInfo, default: DefaultLibrary | None) -> None:
    """Raise InvalidRequest: queries that name no library use the default one, whichever key asks them."""
    if is_default(library, default):
        message = f"{library.name!r} is the default library, which every key may read"
        raise InvalidRequest(message, value=False, limit=True)


def check_default_is_kept(library: LibraryInfo, default: DefaultLibrary | None) -> None:
    """Raise LibraryKept for the default library: the next start would enroll it again, without its corrections."""
    if is_default(library, default):
        message = f"{library.name!r} is the default library and cannot be deleted; SHOWME_DEFAULT_LIBRARY chooses another"
        raise LibraryKept(message, value=library.name, limit="other libraries")
