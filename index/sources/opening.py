"""Opens a path as a source of instruments by its kind, and combines several sources into one.

A library may be enrolled from any mixture of sources (docs/ARCHITECTURE.md, decision 5).
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from index.sources.base import InstrumentSource, SourceInstrument
from index.sources.folder import AUDIO_SUFFIXES, FolderSource, is_audio_file
from index.sources.note_bank import INDEX, NoteBankSource
from index.sources.nsynth import Missing, NSynthSource, nsynth_folders
from index.sources.sfz.source import SUFFIXES as SFZ_SUFFIXES
from index.sources.sfz.source import SfzSource, sfz_files
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from index.sources.soundfont import SoundFontSource
from models.errors import SourceError

ACCEPTED = (
    f"a folder of audio, NSynth, a note bank ({INDEX}), a SoundFont ({' '.join(SOUNDFONT_SUFFIXES)}), "
    f"an SFZ instrument ({' '.join(SFZ_SUFFIXES)}) or an audio file ({' '.join(AUDIO_SUFFIXES)})"
)


class CombinedSource:
    """The instruments of several sources, one source after the other; `faults` adds sources that failed to open."""

    def __init__(
        self, name: str, sources: Sequence[InstrumentSource], faults: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.name = name
        self.num_readers = min((getattr(source, "num_readers", 1) for source in sources), default=1)
        self._sources = tuple(sources)
        self._faults = tuple(faults)

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(sorted({path for source in self._sources for path in source.files}))

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        return (*self._faults, *(fault for source in self._sources for fault in source.faults))

    def __len__(self) -> int:
        return sum(len(source) for source in self._sources)

    def __iter__(self) -> Iterator[SourceInstrument]:
        for source in self._sources:
            yield from source

    def get(self, key: str) -> SourceInstrument:
        """Return the instrument of an id from the first source that has it. Raises SourceError if none has."""
        for source in self._sources:
            with suppress(SourceError):
                return source.get(key)
        raise SourceError(f"no instrument {key} in {self.name}", value=key)


class SourceOpener(Protocol):
    """Opens sources: in this process as this module does, or so that others decode them (`index/decoding/`)."""

    def open_source(self, path: Path) -> InstrumentSource:
        """Open a file or folder. Raises SourceError."""
        ...

    def open_recordings(self, path: Path) -> FolderSource:
        """Open a file or folder as recordings, whatever else it holds. Raises SourceError."""
        ...

    def open_upload(self, folder: Path, name: str) -> InstrumentSource:
        """Open the stored files of an upload. Raises SourceError."""
        ...


LOOSE_FILES = "files"  # the folder of an upload's audio files


def open_upload(folder: Path, name: str) -> CombinedSource:
    """Open the stored files of an upload: audio in `LOOSE_FILES`, and a numbered folder for each other file.

    Raises SourceError if one of them cannot be used. The folders hold a SoundFont, an .sfz, or an unpacked zip.
    """
    return CombinedSource(name, [_open_uploaded(place) for place in places_of_upload(folder)])


def places_of_upload(folder: Path) -> list[Path]:
    """Return the places in the folder of an upload that are opened one by one, in the order in which they were sent."""
    numbered = [place for place in folder.iterdir() if place.name.isdigit()]
    places = [place for one in sorted(numbered, key=lambda place: int(place.name)) for place in one.iterdir()]
    if (loose := folder / LOOSE_FILES).is_dir():
        places.insert(0, loose)
    return places


def _open_uploaded(path: Path) -> InstrumentSource:
    """Open a file, or an unpacked zip, in which layouts of data sets are not detected."""
    if not path.is_dir():
        return open_source(path)
    return SfzSource(path) if sfz_files(path) else FolderSource(path)


def open_source(path: Path, *, missing: Missing = "nearest") -> InstrumentSource:
    """Open `path` as a source. `missing` says how to play notes that NSynth lacks.

    Raises SourceError, listing the accepted kinds, if the path is of no known kind or is damaged.
    """
    if not path.exists():
        reason = "is a broken link" if path.is_symlink() else "does not exist"
        raise SourceError(f"{path} {reason}", value=str(path), limit=ACCEPTED)
    if path.is_dir():
        return _open_folder(path, missing)
    suffix = path.suffix.lower()
    if suffix in SOUNDFONT_SUFFIXES:
        return SoundFontSource(path)
    if suffix in SFZ_SUFFIXES:
        return SfzSource(path)
    if is_audio_file(path):
        return FolderSource(path)
    raise SourceError(f"{path.name} is not one of: {ACCEPTED}", value=path.name, limit=ACCEPTED)


def is_folder_of_audio(path: Path) -> bool:
    """Return whether `open_source` would open the path as a `FolderSource`."""
    if not path.is_dir():
        return is_audio_file(path)
    is_data_set = bool(nsynth_folders(path)) or (path / INDEX).is_file()
    return not (is_data_set or _soundfonts(path) or sfz_files(path))


def _open_folder(folder: Path, missing: Missing) -> InstrumentSource:
    if nsynth_folders(folder):
        return NSynthSource(folder, missing)
    if (folder / INDEX).is_file():
        return NoteBankSource(folder)
    fonts = _soundfonts(folder)
    has_sfz = bool(sfz_files(folder))
    if fonts:
        return _open_soundfonts(folder, fonts, has_sfz)
    return SfzSource(folder) if has_sfz else FolderSource(folder)


def _soundfonts(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise SourceError(f"{folder} cannot be read: {error.strerror}", value=str(folder)) from error
    return [
        path
        for path in entries
        if path.suffix.lower() in SOUNDFONT_SUFFIXES and not path.name.startswith(".") and not path.is_dir()
    ]


def _open_soundfonts(folder: Path, fonts: list[Path], has_sfz: bool) -> CombinedSource:
    """Open the SoundFonts of a folder and the SFZ files below it; damaged ones become faults unless all are."""
    sources: list[InstrumentSource] = []
    faults: list[tuple[str, str]] = []
    stems: dict[str, str] = {}  # ids of presets begin with it
    for font in fonts:
        if (other := stems.setdefault(font.stem.lower(), font.name)) != font.name:
            faults.append((font.name, f"has the same name as {other}"))
            continue
        try:
            sources.append(SoundFontSource(font))
        except SourceError as error:
            faults.append((font.name, error.message))
    if has_sfz:
        try:
            sources.append(SfzSource(folder))
        except SourceError as error:
            faults.append((folder.name, error.message))
    if not sources:
        reasons = "; ".join(reason for _, reason in faults[:3])
        raise SourceError(
            f"nothing in {folder.name} can be opened: {reasons}", value=folder.name, limit=ACCEPTED
        )
    return CombinedSource(folder.resolve().name, sources, faults)


class _InProcess:
    """Opens sources with the functions of this module."""

    def open_source(self, path: Path) -> InstrumentSource:
        return open_source(path)

    def open_recordings(self, path: Path) -> FolderSource:
        return FolderSource(path)

    def open_upload(self, folder: Path, name: str) -> InstrumentSource:
        return open_upload(folder, name)


IN_PROCESS: SourceOpener = _InProcess()
