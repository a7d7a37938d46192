"""Where the slots of an answer lie on a library's map: amid the instruments that they come nearest to.

The answer keeps cosines, not embeddings; they weigh the instruments' places as `models/posterior.py` shares out a slot.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from app.library_schemas import MapPoint, MapSlot
from index.maps import NEIGHBOURS, softmax_mean


def slot_places(answer: Mapping[str, Any], points: Iterable[MapPoint]) -> list[MapSlot]:
    """A place for each slot of a query's answer that has a hit among `points`."""
    place_of = {point.instrument_id: (point.x, point.y) for point in points}
    placed = []
    for slot in answer["slots"]:
        hits = [hit for hit in slot["hits"] if hit["instrument_id"] in place_of][:NEIGHBOURS]
        if hits:
            similarity = np.array([hit["similarity"] for hit in hits])
            x, y = softmax_mean(similarity, np.array([place_of[hit["instrument_id"]] for hit in hits]))
            placed.append(MapSlot(slot=slot["slot"], x=float(x), y=float(y)))
    return placed
