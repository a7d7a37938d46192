"""The files that an instrument was enrolled from, to be handed out: its sample or samples, or the file of its preset.

Nothing outside the data folder and the folders that the operator names is handed out, though a link may lead there.
"""

from collections.abc import Sequence
from pathlib import Path

from index.catalog import Catalog
from index.decoding.remote_source import RemoteInstrument
from index.libraries import DataFolder
from index.source_finder import GivenSource, SourceFinder, check_readable, enrolled_instrument
from index.sources.folder import FolderInstrument
from index.sources.opening import SourceOpener
from models.errors import SourceError, SourceNotKept


class SourceFiles:
    """Finds the files of instruments. Each call opens a source anew, and ends its worker."""

    def __init__(
        self, catalog: Catalog, folder: DataFolder, opener: SourceOpener, roots: Sequence[Path] | None = None
    ) -> None:
        """`roots` are the folders below which sources are read, as of `SourceFinder`."""
        self._catalog = catalog
        self._folder = folder
        self._opener = opener
        self._roots = roots

    def of(self, instrument_id: str, given: Sequence[GivenSource] = ()) -> list[Path]:
        """Return the files of an instrument: one SoundFont or .sfz, or the recordings that it is made of.

        It is looked for in the `given` sources first, which may be handed out wherever they are. Raises InstrumentNotFound,
        and SourceNotKept with the reason.
        """
        row = enrolled_instrument(self._catalog, instrument_id)
        try:
            found = SourceFinder(self._folder, given, self._opener, self._roots).find(row).instrument
            files = list(found.files) if isinstance(found, FolderInstrument | RemoteInstrument) else []
            if not files or not all(path.is_file() for path in files):
                message = (
                    f"{row.name} plays from many files of a folder that it shares with other instruments"
                )
                raise SourceError(
                    message, value=row.source, limit="a SoundFont, an .sfz alone, or recordings"
                )
            readable = None if self._roots is None else [*self._roots, *(source.path for source in given)]
            for path in files:
                check_readable(self._folder, path, readable)
        except SourceError as error:
            raise SourceNotKept(error.message, value=error.value, limit=error.limit) from error
        return files
