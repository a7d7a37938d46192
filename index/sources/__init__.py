"""Where instruments come from: SoundFonts and folders of recordings, opened by what they are.

DESIGN.md, decision 5: presets, patches and folders are instruments, and an instrument is many clips.
"""

from pathlib import Path

from index.sources.base import InstrumentSource, Note, SourceInstrument
from index.sources.folder import AUDIO_SUFFIXES, FolderSource, is_audio_file
from index.sources.soundfont import SUFFIXES as SOUNDFONT_SUFFIXES
from index.sources.soundfont import SoundFontSource
from models.errors import SourceError

__all__ = ["FolderSource", "InstrumentSource", "Note", "SoundFontSource", "SourceInstrument", "open_source"]

ACCEPTED = f"a folder of audio, a SoundFont ({' '.join(SOUNDFONT_SUFFIXES)}) or an audio file ({' '.join(AUDIO_SUFFIXES)})"


def open_source(path: Path) -> InstrumentSource:
    """The source that `path` is. Raises SourceError, naming what is accepted, if it is none."""
    if not path.exists():
        raise SourceError(f"{path} does not exist", value=str(path), limit=ACCEPTED)
    if path.suffix.lower() in SOUNDFONT_SUFFIXES and path.is_file():
        return SoundFontSource(path)
    if path.is_dir() or is_audio_file(path):
        return FolderSource(path)
    raise SourceError(f"{path.name} is neither of: {ACCEPTED}", value=path.name, limit=ACCEPTED)
