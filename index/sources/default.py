"""The default library's SoundFont: TimGM6mb (Tim Brechbill, GPL-2), which ships inside the pretty_midi wheel.

DESIGN.md, decision 8: it is what the service starts with, and no encoder is ever trained on it.
"""

from importlib.util import find_spec
from pathlib import Path

from models.errors import SourceError

DEFAULT_SOUNDFONT = "TimGM6mb.sf2"


def default_soundfont() -> Path:
    """Where the SoundFont lies on disk, found without importing pretty_midi. Raises SourceError if it is not there."""
    spec = find_spec("pretty_midi")
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder) / DEFAULT_SOUNDFONT
        if path.is_file():
            return path
    raise SourceError(f"{DEFAULT_SOUNDFONT} is not there: install pretty_midi", value=DEFAULT_SOUNDFONT)
