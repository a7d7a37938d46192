"""Names and families that a person has corrected, found again when the same source is enrolled once more.

The same sound is told by its source, the source's own name for it and, where embeddings compare, its embedding: two files
called `Bass.wav` need not hold the same bass.
"""

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from index.catalog import Instrument, from_bytes
from index.vector_store import Floats

SAME_SIMILARITY = 0.999  # one encoder embeds one sound twice, up to rounding


class Corrections:
    """The corrected instruments of one library, deleted ones among them until they are purged."""

    def __init__(self, session: Session, library_id: str) -> None:
        corrected = Instrument.name_corrected | Instrument.family_corrected
        rows = select(Instrument).where(Instrument.library_id == library_id, corrected)
        self._rows: dict[tuple[str, str | None], list[Instrument]] = {}
        for row in session.scalars(rows.order_by(Instrument.vector_id.desc())):
            self._rows.setdefault((row.source, row.source_name), []).append(row)

    def of(self, source: str, name: str, encoder_hash: str, embedding: Floats) -> Instrument | None:
        """The newest corrected row of what `source` calls `name`; `embedding [dim]` is of unit norm."""
        for row in self._rows.get((source, name), ()):
            if row.encoder_hash != encoder_hash:
                return row
            earlier = from_bytes(row.embedding)
            if earlier.shape == embedding.shape and float(np.dot(earlier, embedding)) >= SAME_SIMILARITY:
                return row
        return None
