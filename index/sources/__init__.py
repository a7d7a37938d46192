"""Where instruments come from: SoundFonts, SFZ, sampled notes and folders of recordings, opened by what they are.

DESIGN.md, decision 5: presets, patches and folders are instruments, and an instrument is many clips.
"""

from pathlib import Path

from index.sources.base import Instrument, InstrumentSource, Note, PlayableInstrument, is_playable
from index.sources.folder import AUDIO_SUFFIXES, FolderSource, is_audio_file
from index.sources.note_bank import INDEX, NoteBankSource
from index.sources.nsynth import Missing, NSynthSource, nsynth_folders
from index.sources.several import SeveralSources
from index.sources.sfz import SUFFIXES as SFZ_SUFFIXES
from index.sources.sfz import SfzSource, sfz_files
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from index.sources.soundfont import SoundFontSource
from models.errors import SourceError

__all__ = [
    "FolderSource",
    "Instrument",
    "InstrumentSource",
    "NSynthSource",
    "Note",
    "NoteBankSource",
    "PlayableInstrument",
    "SeveralSources",
    "SfzSource",
    "SoundFontSource",
    "is_playable",
    "open_source",
]

ACCEPTED = (
    f"a folder of audio, NSynth, a note bank ({INDEX}), a SoundFont ({' '.join(SOUNDFONT_SUFFIXES)}), "
    f"an instrument in SFZ ({' '.join(SFZ_SUFFIXES)}) or an audio file ({' '.join(AUDIO_SUFFIXES)})"
)


def open_source(path: Path, *, missing: Missing = "nearest") -> InstrumentSource:
    """The source that `path` is; `missing` says what becomes of notes that NSynth lacks.

    Raises SourceError, naming what is accepted, if it is none or is damaged.
    """
    if not path.exists():
        what = "is a broken link" if path.is_symlink() else "does not exist"
        raise SourceError(f"{path} {what}", value=str(path), limit=ACCEPTED)
    if path.is_dir():
        return _open_folder(path, missing)
    suffix = path.suffix.lower()
    if suffix in SOUNDFONT_SUFFIXES:
        return SoundFontSource(path)
    if suffix in SFZ_SUFFIXES:
        return SfzSource(path)
    if is_audio_file(path):
        return FolderSource(path)
    raise SourceError(f"{path.name} is neither of: {ACCEPTED}", value=path.name, limit=ACCEPTED)


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


def _open_soundfonts(folder: Path, fonts: list[Path], has_sfz: bool) -> SeveralSources:
    """The SoundFonts of a folder, and SFZ below it; a damaged one among them is a fault, all are an error."""
    sources: list[InstrumentSource] = []
    faults: list[tuple[str, str]] = []
    stems: dict[str, str] = {}  # presets are known by it
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
    return SeveralSources(folder.resolve().name, sources, faults)
