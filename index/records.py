"""What the index gives to its callers: frozen views of rows, never the rows themselves.

Names follow the HTTP contract of DESIGN.md.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class LibraryInfo:
    """`encoder_hash` is that of the single encoder its instruments were embedded with."""

    id: str
    name: str
    num_instruments: int
    created_at: datetime
    encoder_hash: str


@dataclass(frozen=True, slots=True)
class InstrumentInfo:
    """`playable_range` is the lowest and the highest MIDI pitch; None, as `licence`, when it is not known."""

    id: str
    library_id: str
    name: str
    family: str | None
    source: str
    num_clips: int
    licence: str | None
    playable_range: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Hit:
    """An instrument of a library with its cosine similarity (−1…1) to the query's embedding."""

    instrument_id: str
    name: str
    family: str | None
    source: str
    similarity: float
