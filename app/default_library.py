"""The library that a fresh service starts with, and that queries use when they name none.

DESIGN.md, decisions 6 and 8: the embedded default is the 128 presets of TimGM6mb, on which no encoder is ever trained.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from index.instrument_index import MAX_NAME_LENGTH, InstrumentIndex, LibraryInfo
from index.sources.base import InstrumentSource
from index.sources.default import default_soundfont
from index.sources.opening import open_source
from index.sources.soundfont import SoundFontSource
from models.errors import InvalidRequest, LibraryNotFound

DISABLED = "none"
MELODIC_BANK = 0


@dataclass(frozen=True)
class DefaultLibrary:
    """Its name, and how to open the source that fills it."""

    name: str
    open_source: Callable[[], InstrumentSource]

    @classmethod
    def of_setting(cls, setting: str | None) -> "DefaultLibrary | None":
        """What SHOWME_DEFAULT_LIBRARY asks for: a path, "none", or nothing for the shipped SoundFont."""
        if setting is None:
            path = default_soundfont()
            return cls(_name_of(path), lambda: SoundFontSource(path, banks={MELODIC_BANK}))
        if setting.strip().lower() == DISABLED:
            return None
        path = Path(setting)
        return cls(_name_of(path), lambda: open_source(path))

    def to_fill(self, index: InstrumentIndex) -> tuple[LibraryInfo, InstrumentSource] | None:
        """The library (made here if need be) and what to fill it with; None if it is filled already.

        Embedded with another encoder, as after an upgrade, it is filled anew, with the names and families that were
        corrected, unless somebody added to it. Raises SourceError when the source does not open, and then leaves
        everything as it is.
        """
        there = next((library for library in index.libraries() if library.name == self.name), None)
        if there and there.num_instruments and there.encoder_hash == index.encoder_hash:
            return None
        source = self.open_source()
        if there and there.num_instruments:
            if not _is_untouched(there, index, source):
                return None
            there = index.empty_library(there.id)
        return there or index.create_library(self.name), source


def _name_of(path: Path) -> str:
    """The path's stem as the index writes names: white space counts once."""
    return " ".join(path.resolve().stem.split())[:MAX_NAME_LENGTH]


def _is_untouched(library: LibraryInfo, index: InstrumentIndex, source: InstrumentSource) -> bool:
    """Whether every instrument of the library comes from its source."""
    own = {instrument.source for instrument in source}
    rows, _ = index.instruments(library.id, limit=library.num_instruments)
    return all(row.source in own for row in rows)


def check_default_keeps_its_name(library: LibraryInfo, name: str, default: DefaultLibrary | None) -> None:
    """Raises InvalidRequest for another name for the default library, which would be made anew at the next start."""
    if default and library.name == default.name != " ".join(name.split()):
        message = f"{library.name!r} is the default library, which is known by its name and keeps it"
        raise InvalidRequest(message, value=name[:MAX_NAME_LENGTH], limit=library.name)


def choose_library(index: InstrumentIndex, asked: str | None, default: DefaultLibrary | None) -> LibraryInfo:
    """The library a query means: the one asked for (id or name), else the default one, else the only one.

    Raises LibraryNotFound, and InvalidRequest when several could be meant.
    """
    if asked:
        return index.library(asked)
    libraries = index.libraries()
    for library in libraries:
        if default and library.name == default.name:
            return library
    if len(libraries) == 1:
        return libraries[0]
    if not libraries:
        raise LibraryNotFound("there is no library yet; create one and add instruments")
    names = ", ".join(library.name for library in libraries[:10])
    raise InvalidRequest("there are several libraries; say which in `library`", value=None, limit=names)
