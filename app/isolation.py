"""Writes the sound that a lane of a query isolates, and the mixture without it, when asked for; both are kept for a while.

The masks follow from the notes and the answer (`models/recognition/lane_isolation.py`). The files lie among the temporary ones
of the data folder, where sweeping removes them when they are old.
"""

from pathlib import Path

from app.parts import QueryParts, sounding_lanes
from app.question import AskedRange
from app.schemas import QueryAnswer
from models.audio import Decoded, write_mp3
from models.recognition.lane_isolation import LaneMasks, isolated

MAX_ISOLATED_SECONDS = 300.0  # of the queried range, from its beginning on


class LaneIsolator:
    """Writes what lanes isolate into one folder. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def kept(self, parts: QueryParts, slot: int, *, mute: bool) -> Path | None:
        """Return the mp3 of a slot, or of the mixture without it (`mute`), if it is kept. Raises SlotNotFound."""
        parts.place_of(slot)
        path = self._file(parts.answer, slot, mute)
        return path if path.is_file() else None

    def isolate(self, parts: QueryParts, slot: int, decoded: Decoded, *, mute: bool) -> Path:
        """Make the mp3 of a slot, and that of the mixture without it, and return the one of the two that is asked for.

        `decoded` is the audio of `isolated_range` at `ISOLATED_SAMPLE_RATE`. Raises SlotNotFound.
        """
        kept = self.kept(parts, slot, mute=mute)
        if kept is not None:  # another request has made it meanwhile
            return kept
        mixture, start = decoded.samples, decoded.range_seconds[0]
        masks = LaneMasks(parts.heard, sounding_lanes(parts.answer), len(mixture), start)
        own = isolated(mixture, masks, parts.place_of(slot))
        write_mp3(self._file(parts.answer, slot, False), own, decoded.sample_rate)
        write_mp3(self._file(parts.answer, slot, True), mixture - own, decoded.sample_rate)
        return self._file(parts.answer, slot, mute)

    def _file(self, answer: QueryAnswer, slot: int, mute: bool) -> Path:
        return self._folder / f"{answer.id}_{slot}_{'without' if mute else 'isolated'}.mp3"


def isolated_range(answer: QueryAnswer) -> AskedRange:
    """The range of an answer's audio in which its lanes are isolated."""
    start, end = answer.range_seconds
    return AskedRange(start_seconds=start, end_seconds=min(end, start + MAX_ISOLATED_SECONDS))
