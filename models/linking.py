"""Slots of overlapping windows become tracks: each is one instrument, with the times at which it sounds.

Kim et al. 2022 listen to one window of five seconds and take every slot. Here presence says how many slots of a window to
believe, the Hungarian method links windows, and tracks that the library answers alike are taken for one instrument.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Span = tuple[float, float]  # start and end in seconds
Curve = tuple[tuple[float, float], ...]  # (centre of a window in seconds, presence) of every window
Nearest = Callable[
    [Floats], Sequence[str | None]
]  # embeddings [n, dim] → the library's best instrument for each

# Cosines, chosen on the validation instruments (`showme evaluate --protocol lanes` measures what they give).
MERGE_SIMILARITY = 0.75  # slots of a window nearer than this are one instrument
LINK_SIMILARITY = 0.4  # slots of neighbouring windows farther than this are not
ALIKE_SIMILARITY = 0.2  # tracks with one best instrument are one, unless they differ more than this


@dataclass(frozen=True)
class Track:
    """Slots of several windows taken for one instrument; `embedding [dim]` is of unit norm."""

    embedding: Floats
    presence: float
    active: tuple[Span, ...]
    curve: Curve = ()


@dataclass
class Linked:
    """A track in the making: the presence-weighted sum of its embeddings, and the windows where it occurs."""

    total: Floats  # [dim]
    presence_of_window: dict[int, float] = field(default_factory=dict)

    @property
    def embedding(self) -> Floats:
        """`[dim]`, of unit norm."""
        return _unit(self.total[None])[0]

    @property
    def weight(self) -> float:
        return sum(self.presence_of_window.values())

    def absorb(self, other: "Linked") -> None:
        self.total = self.total + other.total
        for window, presence in other.presence_of_window.items():
            self.presence_of_window[window] = max(presence, self.presence_of_window.get(window, 0.0))


def used_slots(presence: Floats, threshold: float) -> Bools:
    """Which slots of `presence [w, M]` to believe: the surest, as many as presence sums to, rounded up.

    None below `threshold` is believed.
    """
    expected = np.ceil(presence.sum(axis=1, dtype=np.float64) - 1e-6)  # [w]
    rank = np.argsort(np.argsort(-presence, axis=1, kind="stable"), axis=1, kind="stable")
    used: Bools = (rank < expected[:, None]) & (presence >= threshold)
    return used


def link_slots(
    embedding: Floats,
    presence: Floats,
    *,
    threshold: float,
    merge_similarity: float = MERGE_SIMILARITY,
    link_similarity: float = LINK_SIMILARITY,
) -> list[Linked]:
    """Tracks from slots `embedding [w, M, dim]` (unit norm) with `presence [w, M]`; the longest and surest first.

    In each window, the slots to believe that are near-identical (cosine ≥ `merge_similarity`) are merged; all are then
    assigned to the tracks so far by the Hungarian method over cosine, or begin tracks of their own where no pairing
    reaches `link_similarity`. Tracks that turn out near-identical are merged at the end.
    """
    tracks: list[Linked] = []
    for window, used in enumerate(used_slots(presence, threshold)):
        slots = [
            Linked(vector * weight, {window: float(weight)})
            for vector, weight in zip(embedding[window][used], presence[window][used], strict=True)
        ]
        groups = _merged(slots, merge_similarity)
        track_of_group = _assign(tracks, groups, link_similarity)
        for group, track in zip(groups, track_of_group, strict=True):
            if track is None:
                tracks.append(group)
            else:
                track.absorb(group)
    return _merged(tracks, merge_similarity)


def settled(tracks: Sequence[Linked], nearest: Nearest) -> list[Linked]:
    """The tracks, those merged for which a library has the same best instrument, until no two are answered alike.

    Tracks that differ by more than `ALIKE_SIMILARITY` stay apart: in a small library everything is nearest to something.
    """
    found = list(tracks)
    while len(found) > 1:
        answers = nearest(np.stack([track.embedding for track in found]))
        together = _merged(found, ALIKE_SIMILARITY, answers)
        if len(together) == len(found):
            break
        found = together
    return found


@dataclass(frozen=True)
class Timeline:
    """Where the windows lie: `starts [w]` in seconds, their length, and the end of the audio, where the last are cut."""

    starts: NDArray[np.float64]
    window_seconds: float
    end: float

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each window, `[w]`."""
        return (self.starts + np.minimum(self.starts + self.window_seconds, self.end)) / 2.0

    def curve(self, heights: NDArray[np.floating]) -> Curve:
        """Presences `heights [w]` with the seconds they belong to."""
        return tuple(zip(self.centres.tolist(), heights.tolist(), strict=True))

    def tracks(
        self, linked: Sequence[Linked], embedding: Floats, presence: Floats, threshold: float
    ) -> list[Track]:
        """Finished tracks. A curve has the track's presence in every window; where it is not linked, that of the slots
        not believed that resemble it, else zero."""
        faint = ~used_slots(presence, threshold)
        out = []
        for one in linked:
            alike = faint & (embedding @ one.embedding >= LINK_SIMILARITY)  # [w, M]
            heights = np.where(alike, presence, 0.0).max(axis=1)
            for window, sure in one.presence_of_window.items():
                heights[window] = sure
            surest = max(one.presence_of_window.values())
            spans = self.active(set(one.presence_of_window))
            out.append(Track(one.embedding, surest, spans, self.curve(heights)))
        return out

    def active(self, windows: set[int]) -> tuple[Span, ...]:
        """The spans in which every window that covers them is one of `windows`, cut at the windows' edges and joined.

        A track whose every moment is also covered by a window without it is said to sound for as long as its windows last.
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


def _cosines(first: Sequence[Linked], second: Sequence[Linked]) -> Floats:
    """`[first, second]`; neither may be empty."""
    return _unit(np.stack([one.total for one in first])) @ _unit(np.stack([one.total for one in second])).T


def _merged(
    parts: Sequence[Linked], similarity: float, answers: Sequence[str | None] | None = None
) -> list[Linked]:
    """The heaviest first, each taking in the lighter ones that are as near to it as `similarity`, as it came.

    With `answers`, one a part, only parts of the same answer are merged.
    """
    if not parts:
        return []
    order = sorted(range(len(parts)), key=lambda place: -parts[place].weight)
    cosines = _cosines(parts, parts)
    near = cosines >= similarity
    if answers is not None:
        near &= np.array([[one is not None and one == other for other in answers] for one in answers])
    leaders: list[int] = []
    for i in order:
        mine = [leader for leader in leaders if near[leader, i]]
        if mine:
            parts[max(mine, key=lambda leader: cosines[leader, i])].absorb(parts[i])
        else:
            leaders.append(i)
    return sorted((parts[leader] for leader in leaders), key=lambda part: -part.weight)


def _assign(tracks: Sequence[Linked], groups: Sequence[Linked], similarity: float) -> list[Linked | None]:
    """For each group its track, such that the cosines of all pairs at or above `similarity` have the greatest sum."""
    track_of_group: list[Linked | None] = [None] * len(groups)
    if tracks and groups:
        cosines = _cosines(tracks, groups)  # [tracks, groups]
        gain = np.where(cosines >= similarity, cosines, 0.0)
        for track, group in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if cosines[track, group] >= similarity:
                track_of_group[group] = tracks[track]
    return track_of_group
