"""From slots to hits, without any input or output: the paper's rule, and ours.

`paper_result` is section 3.3 of Kim et al. 2022 (argmax of every slot, R as a set). `auto_result` takes the tracks that slots
were linked to over time (`models/linking.py`): each is one instrument with the times at which it sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from index.records import Hit
from models.linking import Curve, Floats, Span, Track
from models.posterior import SCALE

FAMILY_HITS = 5  # of a slot, that say its family: more would only count what the library has most of


@dataclass(frozen=True, slots=True)
class SlotResult:
    """One estimated instrument: how surely it is there, when it sounds, and what it most resembles."""

    slot: int
    presence: float
    active: tuple[Span, ...]
    hits: tuple[Hit, ...]
    curve: Curve = ()

    @property
    def family(self) -> str | None:
        """The family of most of the first hits, weighed as the posterior shares a slot out; None where none has one."""
        weights: dict[str, float] = {}
        for hit in self.hits[:FAMILY_HITS]:
            if hit.family is not None:
                weights[hit.family] = weights.get(hit.family, 0.0) + exp(SCALE * hit.similarity)
        return max(weights, key=lambda family: weights[family], default=None)


@dataclass(frozen=True, slots=True)
class RankedInstrument:
    """An instrument in the library's ranking for the whole query.

    `probability` (0…1) that it plays, the `slots` in which it was heard, and its hit with the highest similarity over them.
    """

    hit: Hit
    probability: float
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`num_instruments` is the estimate; `retrieved` the ids of the retrieved set, without repetition.

    `instruments` is the library's ranking for the whole query, the most probable first.
    """

    num_instruments: int
    slots: tuple[SlotResult, ...]
    retrieved: tuple[str, ...]
    instruments: tuple[RankedInstrument, ...] = ()


def auto_result(tracks: Sequence[Track], candidates: Sequence[Sequence[Hit]]) -> SearchResult:
    """One slot a track, with the candidates of its embedding; the first of each is retrieved."""
    slots = tuple(
        SlotResult(i, track.presence, track.active, tuple(found), track.curve)
        for i, (track, found) in enumerate(zip(tracks, candidates, strict=True))
    )
    retrieved = dict.fromkeys(slot.hits[0].instrument_id for slot in slots if slot.hits)
    return SearchResult(len(slots), slots, tuple(retrieved))


def paper_result(
    candidates: Sequence[Sequence[Hit]], presence: Floats, range_seconds: Span, top_k: int
) -> SearchResult:
    """All M slots, always, from the candidates of every slot of every window (window by window, at least `top_k` each).

    A slot's score for an instrument is the best over the windows. The retrieved set R holds the argmax of every slot of
    every window, so it may be smaller than the number of slots, and `num_instruments` is its size.
    """
    num_windows, num_slots = presence.shape
    assert len(candidates) == num_windows * num_slots
    slots = []
    for slot in range(num_slots):
        best: dict[str, Hit] = {}
        for found in candidates[slot::num_slots]:
            for candidate in found:
                held = best.get(candidate.instrument_id)
                if held is None or candidate.similarity > held.similarity:
                    best[candidate.instrument_id] = candidate
        ranked = sorted(best.values(), key=lambda candidate: -candidate.similarity)[:top_k]
        slots.append(SlotResult(slot, float(presence[:, slot].max()), (range_seconds,), tuple(ranked)))
    retrieved = dict.fromkeys(found[0].instrument_id for found in candidates if found)
    return SearchResult(len(retrieved), tuple(slots), tuple(retrieved))
