"""Link the slots of overlapping windows to tracks: one instrument each, with the times at which it sounds.

Kim et al. 2022 use one window of five seconds and all of its slots. Here presence decides which slots of a window to
believe, the Hungarian method links windows, and tracks with the same best instrument in the library are merged.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Span = tuple[float, float]  # start and end in seconds
Curve = tuple[tuple[float, float], ...]  # (centre of a window in seconds, presence) of every window
TopHits = Callable[
    [Floats], Sequence[Hashable]
]  # embeddings [n, dim] → the library's best instrument for each

# Cosines, chosen on the validation instruments (docs/EXPERIMENTS.md, "How tracks come about").
MERGE_SIMILARITY = 0.75  # slots of one window at least this similar are one instrument
LINK_SIMILARITY = 0.2  # slots of different windows below this are different instruments
SAME_HIT_SIMILARITY = 0.2  # tracks with the same best instrument are merged from here on
CURVE_SIMILARITY = 0.4  # slots that are not believed count for the curve of a track from here on


@dataclass(frozen=True)
class Track:
    """One instrument over time: `embedding [dim]` of unit norm, highest presence, spans and presence curve."""

    embedding: Floats
    presence: float
    active: tuple[Span, ...]
    curve: Curve = ()


@dataclass
class LinkedSlots:
    """Slots linked to one track: the presence-weighted sum of their embeddings, and the presence in each window."""

    total: Floats  # [dim]
    presence_of_window: dict[int, float] = field(default_factory=dict)

    @property
    def embedding(self) -> Floats:
        """`[dim]`, of unit norm."""
        return _unit(self.total[None])[0]

    @property
    def presence(self) -> float:
        """The highest presence over the windows."""
        return max(self.presence_of_window.values())

    @property
    def weight(self) -> float:
        """The sum of presence over the windows."""
        return sum(self.presence_of_window.values())

    def absorb(self, other: "LinkedSlots") -> None:
        """Add the slots of another track."""
        self.total = self.total + other.total
        for window, presence in other.presence_of_window.items():
            self.presence_of_window[window] = max(presence, self.presence_of_window.get(window, 0.0))


def believed_slots(presence: Floats, threshold: float) -> Bools:
    """Mark the slots to believe, `[w, M]`: those whose `presence [w, M]` reaches `threshold`.

    This is the presence rule of the whole project; `training/release.py` chooses the threshold on validation.
    """
    believed: Bools = presence >= threshold
    return believed


def link_slots(embedding: Floats, presence: Floats, threshold: float) -> list[LinkedSlots]:
    """Link slots `embedding [w, M, dim]` (unit norm) with `presence [w, M]` to tracks, the heaviest first.

    In each window, near-identical believed slots (`MERGE_SIMILARITY`) are merged; the Hungarian method assigns the rest to
    the tracks so far by cosine. A slot that reaches `LINK_SIMILARITY` with no free track begins a new one. Near-identical
    tracks are merged at the end.
    """
    tracks: list[LinkedSlots] = []
    for window, believed in enumerate(believed_slots(presence, threshold)):
        slots = [
            LinkedSlots(vector * weight, {window: float(weight)})
            for vector, weight in zip(embedding[window][believed], presence[window][believed], strict=True)
        ]
        groups = _merge_similar(slots, MERGE_SIMILARITY)
        track_of_group = _assign(tracks, groups)
        for group, track in zip(groups, track_of_group, strict=True):
            if track is None:
                tracks.append(group)
            else:
                track.absorb(group)
    return _merge_similar(tracks, MERGE_SIMILARITY)


def merge_by_top_hit(tracks: Sequence[LinkedSlots], top_hits: TopHits) -> list[LinkedSlots]:
    """Merge tracks with the same best instrument in the library, until no two of `SAME_HIT_SIMILARITY` share one.

    Less similar tracks stay apart: in a small library everything is nearest to something.
    """
    found = list(tracks)
    while len(found) > 1:
        hits = top_hits(np.stack([track.embedding for track in found]))
        merged = _merge_similar(found, SAME_HIT_SIMILARITY, hits)
        if len(merged) == len(found):
            break
        found = merged
    return found


@dataclass(frozen=True)
class Timeline:
    """Positions of the windows: `starts [w]` in seconds, their length, and the end of the audio, which cuts the last."""

    starts: NDArray[np.float64]
    window_seconds: float
    end: float

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each window in seconds, `[w]`."""
        return (self.starts + np.minimum(self.starts + self.window_seconds, self.end)) / 2.0

    def span(self, window: int) -> Span:
        """The start and the end of a window."""
        start = float(self.starts[window])
        return start, min(start + self.window_seconds, self.end)

    def curve(self, heights: NDArray[np.floating]) -> Curve:
        """Pair presences `heights [w]` with the centres of their windows."""
        return tuple(zip(self.centres.tolist(), heights.tolist(), strict=True))

    def tracks(
        self, linked: Sequence[LinkedSlots], embedding: Floats, presence: Floats, threshold: float
    ) -> list[Track]:
        """Finish tracks: add spans and curves.

        A curve has the track's presence in the windows where it is linked, elsewhere the highest presence of a similar slot
        that was not believed, else zero.
        """
        faint = ~believed_slots(presence, threshold)
        out = []
        for one in linked:
            similar = faint & (embedding @ one.embedding >= CURVE_SIMILARITY)  # [w, M]
            heights = np.where(similar, presence, 0.0).max(axis=1)
            for window, height in one.presence_of_window.items():
                heights[window] = height
            spans = self.active_spans(set(one.presence_of_window))
            out.append(Track(one.embedding, one.presence, spans, self.curve(heights)))
        return out

    def active_spans(self, windows: set[int]) -> tuple[Span, ...]:
        """Return the spans that only windows of `windows` cover, cut at the windows' edges and joined.

        Where there is no such span, the spans that any of them covers.
        """
        ends = np.minimum(self.starts + self.window_seconds, self.end)
        edges = np.unique(np.concatenate([self.starts, ends]))
        middles = (edges[:-1] + edges[1:]) / 2.0
        covers = (self.starts <= middles[:, None]) & (middles[:, None] < ends)  # [segments, windows]
        member = np.isin(np.arange(len(self.starts)), list(windows))
        sounding = covers.any(axis=1) & ~(covers & ~member).any(axis=1)
        if not sounding.any():
            sounding = (covers & member).any(axis=1)
        spans: list[Span] = []
        for segment in np.flatnonzero(sounding):
            start, end = float(edges[segment]), float(edges[segment + 1])
            if spans and spans[-1][1] == start:
                start = spans.pop()[0]
            spans.append((start, end))
        return tuple(spans)


def _unit(vectors: Floats) -> Floats:
    """Rows `[n, dim]` scaled to unit norm."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _cosines(first: Sequence[LinkedSlots], second: Sequence[LinkedSlots]) -> Floats:
    """`[first, second]`; neither may be empty."""
    return _unit(np.stack([one.total for one in first])) @ _unit(np.stack([one.total for one in second])).T


def _merge_similar(
    parts: Sequence[LinkedSlots], similarity: float, hits: Sequence[Hashable] | None = None
) -> list[LinkedSlots]:
    """Greedy merge: each part, heaviest first, absorbs lighter parts within `similarity`; the heaviest come first.

    With `hits`, one for each part, only parts with the same hit are merged.
    """
    if not parts:
        return []
    order = sorted(range(len(parts)), key=lambda place: -parts[place].weight)
    cosines = _cosines(parts, parts)
    near = cosines >= similarity
    if hits is not None:
        near &= np.array([[one == other for other in hits] for one in hits])
    leaders: list[int] = []
    for i in order:
        mine = [leader for leader in leaders if near[leader, i]]
        if mine:
            parts[max(mine, key=lambda leader: cosines[leader, i])].absorb(parts[i])
        else:
            leaders.append(i)
    return sorted((parts[leader] for leader in leaders), key=lambda part: -part.weight)


def _assign(tracks: Sequence[LinkedSlots], groups: Sequence[LinkedSlots]) -> list[LinkedSlots | None]:
    """Assign a track to each group so that the cosines of all pairs at or above `LINK_SIMILARITY` have the greatest sum."""
    track_of_group: list[LinkedSlots | None] = [None] * len(groups)
    if tracks and groups:
        cosines = _cosines(tracks, groups)  # [tracks, groups]
        gain = np.where(cosines >= LINK_SIMILARITY, cosines, 0.0)
        for track, group in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if cosines[track, group] >= LINK_SIMILARITY:
                track_of_group[group] = tracks[track]
    return track_of_group
