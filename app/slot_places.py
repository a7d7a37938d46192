"""Places the slots of an answer on a library's map, among the instruments that they are most similar to.

Answers keep similarities, not embeddings: a slot lies at the softmax-weighted mean of its hits' places.
"""

from collections.abc import Iterable

import numpy as np

from app.library_schemas import MapPoint, MapSlot
from app.schemas import QueryAnswer
from index.maps import NEIGHBOURS, softmax_mean


def slot_places(answer: QueryAnswer, points: Iterable[MapPoint]) -> list[MapSlot]:
    """Return a place for each slot of the answer that has a hit among `points`."""
    place_of = {point.instrument_id: (point.x, point.y) for point in points}
    placed = []
    for slot in answer.slots:
        hits = [hit for hit in slot.hits if hit.instrument_id in place_of][:NEIGHBOURS]
        if hits:
            similarity = np.array([hit.similarity for hit in hits])
            x, y = softmax_mean(similarity, np.array([place_of[hit.instrument_id] for hit in hits]))
            placed.append(MapSlot(slot=slot.slot, x=float(x), y=float(y)))
    return placed
