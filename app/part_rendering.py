"""Parts of slots and single notes, played by instruments of the library and kept for a while.

The files lie among the temporary ones of the data folder, where sweeping removes them when they are old.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from app.engine import Engine
from app.parts import QueryParts
from index.part_player import PART_SAMPLE_RATE, PartPlayer
from index.records import InstrumentInfo
from index.source_finder import GivenSource
from models.audio import write_flac, write_mp3

KEPT_KEYS = 256  # instruments whose keys stay in memory


class PartRenderer:
    """Renders parts and notes on instruments of one data folder, from the sources that they were enrolled from. Thread-safe."""

    def __init__(self, engine: Engine, roots: Sequence[Path] | None) -> None:
        """`roots` are the folders below which sources outside the data folder are read; None: anywhere."""
        self._index = engine.index
        self._default = engine.default
        self._player = PartPlayer(
            engine.index.catalog, engine.index.folder, engine.opener, engine.part_reader.pitch_of, roots
        )
        self._listened_keys = lru_cache(KEPT_KEYS)(self._listen_for_keys)

    def rendered(self, parts: QueryParts, slot: int, instrument: InstrumentInfo) -> Path:
        """Return the mp3 of a slot's part played by an instrument, from the beginning of the queried range on.

        Raises SlotNotFound, NoNotes, and CannotPlay with the reason.
        """
        notes, seconds = parts.to_play(slot)
        path = self._index.folder.tmp_dir / f"{parts.answer.id}_{slot}_{instrument.id}.mp3"
        if not path.is_file():
            samples = self._player.play(instrument.id, notes, seconds, self._given(instrument.library_id))
            write_mp3(path, samples, PART_SAMPLE_RATE)
        return path

    def keys(self, instrument: InstrumentInfo) -> tuple[int, ...]:
        """Return the MIDI pitches that an instrument plays as single notes. Raises CannotPlay with the reason."""
        if instrument.playable_range:
            low, high = instrument.playable_range
            return tuple(range(low, high + 1))
        return self._listened_keys(instrument.id, instrument.library_id)

    def kept_note(self, instrument: InstrumentInfo, pitch: int, velocity: int) -> Path | None:
        """Return the flac of a single note if it is kept."""
        path = self._note_file(instrument, pitch, velocity)
        return path if path.is_file() else None

    def note(self, instrument: InstrumentInfo, pitch: int, velocity: int) -> Path:
        """Return the flac of a single note; an octave on either side of it is rendered and kept too.

        Raises CannotPlay with the reason.
        """
        kept = self.kept_note(instrument, pitch, velocity)
        if kept is not None:  # it is a neighbour of one that was rendered meanwhile
            return kept
        found = self._player.notes(instrument.id, pitch, velocity, self._given(instrument.library_id))
        for near, samples in found.items():
            write_flac(self._note_file(instrument, near, velocity), samples, PART_SAMPLE_RATE)
        return self._note_file(instrument, pitch, velocity)

    def _listen_for_keys(self, instrument_id: str, library_id: str) -> tuple[int, ...]:
        return self._player.keys(instrument_id, self._given(library_id))

    def _note_file(self, instrument: InstrumentInfo, pitch: int, velocity: int) -> Path:
        return self._index.folder.tmp_dir / f"note_{instrument.id}_{pitch}_{velocity}.flac"

    def _given(self, library_id: str) -> list[GivenSource]:
        return self._default.given_for(self._index.libraries.get(library_id)) if self._default else []
