"""From slots to hits, without any input or output: the paper's rule, and ours that links slots over time.

`paper_result` is section 3.3 of Kim et al. 2022 (argmax of every slot, R as a set). `auto_result` uses presence: slots of
overlapping windows become tracks, and each track is one instrument with the times at which it sounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from index.records import Candidate

Floats = NDArray[np.float32]
Span = tuple[float, float]  # start and end in seconds
Curve = tuple[tuple[float, float], ...]  # (centre of a window in seconds, presence) of every window

FAMILY_HITS = 5  # of a slot, that say its family: more would only count what the library has most of
MERGE_SIMILARITY = 0.75  # slots nearer than this are one instrument; chosen on the validation instruments


@dataclass(frozen=True, slots=True)
class Hit:
    """An instrument found for a slot, with its cosine similarity."""

    instrument_id: str
    name: str
    family: str | None
    similarity: float


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
        """The family that weighs most among the first hits, each weighing its similarity; None where none does."""
        weights: dict[str | None, float] = {}
        for hit in self.hits[:FAMILY_HITS]:
            weights[hit.family] = weights.get(hit.family, 0.0) + max(hit.similarity, 0.0)
        return max(weights, key=lambda family: weights[family], default=None)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """`num_instruments` is the estimate; `retrieved` the ids of the retrieved set, without repetition."""

    num_instruments: int
    slots: tuple[SlotResult, ...]
    retrieved: tuple[str, ...]


@dataclass(frozen=True)
class Track:
    """Slots of several windows taken for one instrument; `embedding [dim]` is of unit norm."""

    embedding: Floats
    presence: float
    active: tuple[Span, ...]
    curve: Curve = ()


@dataclass
class _Growing:
    """A track while windows are being added: the presence-weighted sum of its embeddings, and where it occurs."""

    total: Floats  # [dim]
    presence_of_window: dict[int, float] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        return sum(self.presence_of_window.values())

    def absorb(self, other: "_Growing") -> None:
        self.total = self.total + other.total
        for window, presence in other.presence_of_window.items():
            self.presence_of_window[window] = max(presence, self.presence_of_window.get(window, 0.0))


def link_slots(
    embedding: Floats,
    presence: Floats,
    starts_seconds: Sequence[float],
    window_seconds: float,
    duration_seconds: float,
    *,
    threshold: float,
    merge_similarity: float = MERGE_SIMILARITY,
    link_similarity: float = 0.6,
) -> list[Track]:
    """Tracks from slots `embedding [w, M, dim]` (unit norm) with `presence [w, M]`; the longest and surest first.

    In each window, slots below `threshold` are dropped and near-identical ones (cosine ≥ `merge_similarity`) merged; the
    rest are assigned to the tracks so far by the Hungarian method over cosine, or begin tracks of their own where no
    pairing reaches `link_similarity`. Tracks that turn out near-identical are merged at the end. A track's curve has its
    presence in every window; where it is not linked, that of the slots below `threshold` that resemble it, else zero.
    """
    tracks: list[_Growing] = []
    for window in range(len(embedding)):
        used = presence[window] >= threshold
        slots = [
            _Growing(vector * weight, {window: float(weight)})
            for vector, weight in zip(embedding[window][used], presence[window][used], strict=True)
        ]
        groups = _merged(slots, merge_similarity)
        track_of_group = _assign(tracks, groups, link_similarity)
        for group, track in zip(groups, track_of_group, strict=True):
            if track is None:
                tracks.append(group)
            else:
                track.absorb(group)
    starts = np.asarray(starts_seconds, np.float64)
    centres = window_centres(starts, window_seconds, duration_seconds)
    linked = []
    for track in _merged(tracks, merge_similarity):
        direction = _unit(track.total[None])[0]
        faint = (presence < threshold) & (embedding @ direction >= link_similarity)  # [w, M]
        heights = np.where(faint, presence, 0.0).max(axis=1)
        for window, sure in track.presence_of_window.items():
            heights[window] = sure
        active = _active(set(track.presence_of_window), starts, window_seconds, duration_seconds)
        surest = max(track.presence_of_window.values())
        linked.append(Track(direction, surest, active, curve_of(centres, heights)))
    return linked


def window_centres(
    starts_seconds: Sequence[float] | NDArray[np.float64], window_seconds: float, duration_seconds: float
) -> NDArray[np.float64]:
    """The middle of each window `[w]` in seconds; windows end where the audio does."""
    starts = np.asarray(starts_seconds, np.float64)
    return (starts + np.minimum(starts + window_seconds, duration_seconds)) / 2.0


def curve_of(centres: NDArray[np.float64], heights: NDArray[np.floating]) -> Curve:
    """`centres [w]` and presences `heights [w]` as pairs."""
    return tuple(zip(centres.tolist(), heights.tolist(), strict=True))


def auto_result(tracks: Sequence[Track], candidates: Sequence[Sequence[Candidate]]) -> SearchResult:
    """One slot a track, with the candidates of its embedding; the first of each is retrieved."""
    slots = tuple(
        SlotResult(i, track.presence, track.active, _hits(found), track.curve)
        for i, (track, found) in enumerate(zip(tracks, candidates, strict=True))
    )
    retrieved = dict.fromkeys(slot.hits[0].instrument_id for slot in slots if slot.hits)
    return SearchResult(len(slots), slots, tuple(retrieved))


def paper_result(
    candidates: Sequence[Sequence[Candidate]], presence: Floats, range_seconds: Span, top_k: int
) -> SearchResult:
    """All M slots, always, from the candidates of every slot of every window (window by window, at least `top_k` each).

    A slot's score for an instrument is the best over the windows. The retrieved set R holds the argmax of every slot of
    every window, so it may be smaller than the number of slots, and `num_instruments` is its size.
    """
    num_windows, num_slots = presence.shape
    assert len(candidates) == num_windows * num_slots
    slots = []
    for slot in range(num_slots):
        best: dict[str, Candidate] = {}
        for found in candidates[slot::num_slots]:
            for candidate in found:
                held = best.get(candidate.instrument_id)
                if held is None or candidate.similarity > held.similarity:
                    best[candidate.instrument_id] = candidate
        ranked = sorted(best.values(), key=lambda candidate: -candidate.similarity)[:top_k]
        slots.append(SlotResult(slot, float(presence[:, slot].max()), (range_seconds,), _hits(ranked)))
    retrieved = dict.fromkeys(found[0].instrument_id for found in candidates if found)
    return SearchResult(len(retrieved), tuple(slots), tuple(retrieved))


def _hits(candidates: Sequence[Candidate]) -> tuple[Hit, ...]:
    return tuple(Hit(one.instrument_id, one.name, one.family, one.similarity) for one in candidates)


def _unit(vectors: Floats) -> Floats:
    """Rows `[n, dim]` scaled to unit norm."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _cosines(first: Sequence[_Growing], second: Sequence[_Growing]) -> Floats:
    """`[first, second]`; neither may be empty."""
    return _unit(np.stack([one.total for one in first])) @ _unit(np.stack([one.total for one in second])).T


def _merged(parts: Sequence[_Growing], similarity: float) -> list[_Growing]:
    """The heaviest first, each taking in the lighter ones that are near-identical to it as it came."""
    if not parts:
        return []
    ordered = sorted(parts, key=lambda part: -part.weight)
    cosines = _cosines(ordered, ordered)
    leaders: list[int] = []
    for i, part in enumerate(ordered):
        near = max(leaders, key=lambda leader: cosines[leader, i], default=None)
        if near is not None and cosines[near, i] >= similarity:
            ordered[near].absorb(part)
        else:
            leaders.append(i)
    return sorted((ordered[leader] for leader in leaders), key=lambda part: -part.weight)


def _assign(
    tracks: Sequence[_Growing], groups: Sequence[_Growing], similarity: float
) -> list[_Growing | None]:
    """For each group its track, such that the cosines of all pairs at or above `similarity` have the greatest sum."""
    track_of_group: list[_Growing | None] = [None] * len(groups)
    if tracks and groups:
        cosines = _cosines(tracks, groups)  # [tracks, groups]
        gain = np.where(cosines >= similarity, cosines, 0.0)
        for track, group in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
            if cosines[track, group] >= similarity:
                track_of_group[group] = tracks[track]
    return track_of_group


def _active(
    windows: set[int], starts: NDArray[np.float64], window_seconds: float, duration: float
) -> tuple[Span, ...]:
    """The spans in which every window that covers them is one of `windows`, cut at the windows' edges and joined.

    A track whose every moment is also covered by a window without it is said to sound for as long as its windows last.
    """
    ends = np.minimum(starts + window_seconds, duration)
    edges = np.unique(np.concatenate([starts, ends]))
    middles = (edges[:-1] + edges[1:]) / 2.0
    covers = (starts <= middles[:, None]) & (middles[:, None] < ends)  # [segments, windows]
    member = np.isin(np.arange(len(starts)), list(windows))
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
