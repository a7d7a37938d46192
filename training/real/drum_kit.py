"""A drum kit of one-shots: General MIDI's percussion keys play the pieces whose names say what they are.

Kim et al. 2022 leave drums out; here a kit is an instrument like any other.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from index.sources.base import Floats, Note
from index.sources.playing import enrollment_clips, phrase_preview
from index.sources.sampled import VELOCITY_EXPONENT, InstrumentIdentity
from training.real.decoding import Read, RowDecoder
from training.real.rows import RecordingRow

FIRST_KEY, LAST_KEY = 35, 81  # of General MIDI's percussion map
FULL_VELOCITY = 100

# The pieces of a kit: what their names look like, and the keys that play them. The first that fits names a sample.
_PIECES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("pedal hat", r"(hat|hh).*(pedal|foot|\bpd)|pedal hh", (44,)),
    ("open hat", r"(hat|hh).*(open|\bop|loose|free)|open hh|ohh", (46,)),
    ("closed hat", r"hat|hh", (42,)),
    ("rim", r"rim|stick", (37,)),
    ("snare", r"snare|^sn ", (38, 40)),
    ("kick", r"kick|bass ?drum|^bd |kdrum|drum bass", (35, 36)),
    ("clap", r"clap|snap", (39,)),
    ("low tom", r"tom.*(low|\bl|floor|3|4)|floor tom|drum tom lo", (41, 43)),
    ("high tom", r"tom.*(hi|\bh|1)", (48, 50)),
    ("middle tom", r"\btom", (45, 47)),
    ("cowbell", r"cow|agogo", (56, 67, 68)),
    ("ride", r"ride", (51, 53, 59)),
    ("crash", r"crash|china|chinese|splash|cym|gong|tam-tam", (49, 52, 55, 57)),
    ("shaker", r"shaker|maraca|cabasa|tamb|sleigh|guiro", (54, 58, 69, 70, 73, 74)),
    ("hand drum", r"conga|bongo|djembe|tabla|timb|djundjun|surdo", (60, 61, 62, 63, 64, 65, 66, 78, 79)),
    ("wood", r"block|clave|wood|castanet|clav|click", (75, 76, 77)),
    ("triangle", r"triangle|bell|chime", (80, 81)),
)
_PIECE_OF_KEY = {key: name for name, _, keys in _PIECES for key in keys}
_PATTERNS = tuple((name, re.compile(pattern)) for name, pattern, _ in _PIECES)
# Pieces that are struck instead, the first that the kit has, where it lacks one.
_SUBSTITUTES: dict[str, tuple[str, ...]] = {
    "pedal hat": ("closed hat", "open hat"),
    "open hat": ("closed hat", "ride"),
    "closed hat": ("open hat", "pedal hat", "ride", "shaker"),
    "rim": ("snare", "wood"),
    "snare": ("clap", "rim"),
    "clap": ("snare",),
    "low tom": ("middle tom", "high tom", "kick"),
    "middle tom": ("low tom", "high tom"),
    "high tom": ("middle tom", "low tom"),
    "ride": ("crash", "closed hat"),
    "crash": ("ride", "open hat"),
    "hand drum": ("middle tom", "low tom", "high tom"),
}
_ESSENTIAL = (("kick",), ("snare", "clap", "rim"), ("closed hat", "open hat", "ride", "crash"))


def piece_of(name: str) -> str | None:
    """The piece of a kit that a sample's name mentions, or None."""
    return next((piece for piece, pattern in _PATTERNS if pattern.search(name.lower())), None)


def is_kit(rows: Sequence[RecordingRow]) -> bool:
    """Whether the samples have a kick, a snare, and a cymbal or hi-hat: else they are separate instruments."""
    pieces = {piece_of(row.name or "") for row in rows}
    return all(any(piece in pieces for piece in wanted) for wanted in _ESSENTIAL)


class DrumKit:
    """One kit. Its samples are decoded when they are first struck, and ring until they end."""

    playable_range = (FIRST_KEY, LAST_KEY)
    is_drum_kit = True

    def __init__(self, identity: InstrumentIdentity, rows: Sequence[RecordingRow], read: Read) -> None:
        """`rows` are not empty. `read` returns a row's mono samples and rate; it raises SourceError for an unusable file."""
        self.id, self.name, self.family = identity.id, identity.name, identity.family
        self.source, self.licence, self.part = identity.source, identity.licence, identity.part
        self._decode = RowDecoder(read)
        self._struck: dict[tuple[str, int], Floats] = {}
        pieces: dict[str, list[RecordingRow]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row.peak, row.file)):  # soft strokes first
            pieces[piece_of(row.name or "") or "other"].append(row)
        self._pieces = dict(pieces)

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Unusable samples, as far as they were struck."""
        return self._decode.faults

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[seconds · sample_rate]`; a key whose piece the kit lacks strikes another one."""
        out = np.zeros(round(seconds * sample_rate), np.float32)
        for note in notes:
            samples = self._stroke(note.pitch, note.velocity, sample_rate)
            start = max(0, round(note.start_seconds * sample_rate))
            length = max(0, min(len(samples), len(out) - start))
            level = np.float32((note.velocity / FULL_VELOCITY) ** VELOCITY_EXPONENT)
            out[start : start + length] += level * samples[:length]
        return out

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Render the enrollment beats that sound: `[1…8, clip_samples]`. Raises SourceError if none does."""
        return enrollment_clips(self, sample_rate, clip_samples)

    def preview(self) -> tuple[Floats, int]:
        """Render a beat, mono at 44.1 kHz. Raises SourceError if nothing sounds."""
        return phrase_preview(self)

    def _stroke(self, key: int, velocity: int, sample_rate: int) -> Floats:
        """The samples that a key plays, softer recordings at lower velocities; empty where the file is unusable."""
        rows = self._rows_of(key)
        row = rows[min(velocity * len(rows) // 128, len(rows) - 1)]
        found = (row.file, sample_rate)
        if found not in self._struck:
            self._struck[found] = self._decode(row, sample_rate)
        return self._struck[found]

    def _rows_of(self, key: int) -> list[RecordingRow]:
        piece = _PIECE_OF_KEY.get(key, "other")
        for name in (piece, *_SUBSTITUTES.get(piece, ())):
            if name in self._pieces:
                return self._pieces[name]
        return list(self._pieces.values())[key % len(self._pieces)]
