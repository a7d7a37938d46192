"""The part of a slot played by an instrument of the library, as mp3 that is kept for a while.

The files lie among the temporary ones of the data folder, where sweeping removes them when they are old.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.engine import Engine
from app.parts import QueryParts
from index.part_player import PART_SAMPLE_RATE, PartPlayer
from index.records import InstrumentInfo
from models.audio import write_mp3


class PartRenderer:
    """Renders parts on instruments of one data folder, from the sources that they were enrolled from. Thread-safe."""

    def __init__(self, engine: Engine, roots: Sequence[Path] | None) -> None:
        """`roots` are the folders below which sources outside the data folder are read; None: anywhere."""
        self._index = engine.index
        self._default = engine.default
        self._player = PartPlayer(
            engine.index.catalog, engine.index.folder, engine.opener, engine.part_reader.pitch_of, roots
        )

    def rendered(self, parts: QueryParts, slot: int, instrument: InstrumentInfo) -> Path:
        """Return the mp3 of a slot's part played by an instrument, from the beginning of the queried range on.

        Raises SlotNotFound, NoNotes, and CannotPlay with the reason.
        """
        notes, seconds = parts.to_play(slot)
        folder = self._index.folder.tmp_dir
        path = folder / f"{parts.answer.id}_{slot}_{instrument.id}.mp3"
        if path.is_file():
            return path
        library = self._index.libraries.get(instrument.library_id)
        given = self._default.given_for(library) if self._default else []
        samples = self._player.play(instrument.id, notes, seconds, given)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix="part_", suffix=".mp3")
        os.close(descriptor)
        unfinished = Path(name)
        try:
            write_mp3(unfinished, samples, PART_SAMPLE_RATE)
            return unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
