"""The default library's SoundFont: TimGM6mb (Tim Brechbill, GPL-2), which ships inside the pretty_midi wheel.

The service starts with it, and no encoder is trained on it (docs/ARCHITECTURE.md, decision 8).
"""

from importlib.util import find_spec
from pathlib import Path

from index.sources.soundfont import DRUM_BANK, SoundFontSource
from models.errors import SourceError

DEFAULT_SOUNDFONT = "TimGM6mb.sf2"
MELODIC_BANK = 0
BANKS = {MELODIC_BANK, DRUM_BANK}


def default_soundfont() -> Path:
    """Return the SoundFont's path without importing pretty_midi. Raises SourceError if it is missing."""
    spec = find_spec("pretty_midi")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / DEFAULT_SOUNDFONT
        if path.is_file():
            return path
    raise SourceError(f"{DEFAULT_SOUNDFONT} is missing: install pretty_midi", value=DEFAULT_SOUNDFONT)


def default_presets() -> SoundFontSource:
    """Open the presets of the default library: 128 melodic ones and 8 drum kits. Raises SourceError if it is missing."""
    return SoundFontSource(default_soundfont(), banks=BANKS)
