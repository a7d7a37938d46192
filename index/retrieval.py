"""The retrieval pipeline: windows → slots → tracks over time → ranking of the library → the set that is named.

Numpy in, numpy out: no database, no HTTP. The service, the terminal, the evaluation and the release call these functions,
so that a published figure is a figure of what users get. `retrieve` is ours; `retrieve_as_published` is section 3.3 of
Kim et al. 2022.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.families import EFFECT
from index.search_space import Similarities
from index.sources.base import SILENCE_DBFS
from models.audio import cut_window, window_starts
from models.errors import SilentAudio
from models.match import LaneEvidence
from models.posterior import library_posterior, softmax_shares
from models.tracks import LinkedSlots, link_slots, merge_by_top_hit

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NOISE_FLOOR_DB = 40.0  # below the loudest window: more is the room before and after music, not music
SUSTAINED_WINDOWS = 5  # fifteen seconds, at windows of five seconds that overlap by half
MIN_SHARE = 0.1  # of a track's presence: an instrument with less was not heard in that track
MAX_CELLS = 1 << 24  # slots times instruments in memory at a time
AGREEING_WINDOWS = 16  # of a lane, those with the most presence, that are searched for themselves


class WindowEncoder(Protocol):
    """The part of an encoder pair that a query needs."""

    clip_samples: int
    num_slots: int
    embedding_dim: int
    batch_size: int

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        """`windows [w, clip_samples]` → slot embeddings `[w, M, dim]` of unit norm and presence `[w, M]`."""
        ...


@dataclass(frozen=True)
class QuerySlots:
    """The multi encoder's output for a query: `embedding [w, M, dim]` of unit norm, `presence [w, M]` in 0…1.

    Windows of silence, and of the noise floor, are not encoded: both arrays are zero there.
    """

    embedding: Floats
    presence: Floats

    def only(self, slot: int) -> "QuerySlots":
        """One slot alone, in every window."""
        return QuerySlots(self.embedding[:, [slot]], self.presence[:, [slot]])

    def sounding(self) -> "QuerySlots":
        """The windows that were encoded."""
        chosen = self.embedding.any(axis=(1, 2))
        return QuerySlots(self.embedding[chosen], self.presence[chosen])


@dataclass(frozen=True)
class Retrieval:
    """A library's answer to a query: `tracks` (or the M slots, as published) and the ranking of all n instruments.

    `presence [tracks]`, `similarity [tracks, n]`, `probability [n]` that an instrument plays, `score [n]` that ranks it, and
    the places `named` of the set that is named, best first. Hidden instruments have a score and similarities of −inf. `tracks`
    holds the lanes; as published, each slot in the window of its best hit.
    """

    presence: Floats
    similarity: Floats
    probability: Floats
    score: Floats
    named: Ints
    tracks: tuple[LinkedSlots, ...]

    @cached_property
    def _shares(self) -> Floats:
        return softmax_shares(self.similarity)

    def ranking(self) -> Ints:
        """The places of all instruments that are not hidden, best first."""
        return _ranking(self.score)

    def tracks_of(self, place: int) -> tuple[int, ...]:
        """The tracks in which an instrument was heard: those that give it `MIN_SHARE`, or the one that gives it most."""
        if not len(self.similarity):
            return ()
        share = self.presence * self._shares[:, place]
        return tuple(int(track) for track in np.flatnonzero(share >= min(MIN_SHARE, float(share.max()))))


def encode_samples(encoder: WindowEncoder, samples: Floats) -> tuple[QuerySlots, list[int]]:
    """Encode `samples [n]` in windows that overlap by half; the first sample of each window comes second.

    Silent windows and those at the noise floor are not encoded. Windows are cut a batch at a time, so that memory does not
    grow with the audio. Raises SilentAudio if all are silent.
    """
    size = encoder.clip_samples
    starts = window_starts(len(samples), clip_samples=size, hop_samples=size // 2)
    power = np.array([np.mean(np.square(cut_window(samples, at, size))) for at in starts])
    silence = 10 ** (SILENCE_DBFS / 10)
    floor = power.max(initial=0.0) * 10 ** (-NOISE_FLOOR_DB / 10)
    sounding = np.flatnonzero(power >= max(silence, floor)).tolist()
    if not sounding:
        raise SilentAudio(
            f"the audio is silent: no window reaches {SILENCE_DBFS:g} dBFS",
            value="silent",
            limit=f"{SILENCE_DBFS:g} dBFS",
        )
    embedding = np.zeros((len(starts), encoder.num_slots, encoder.embedding_dim), np.float32)
    presence = np.zeros((len(starts), encoder.num_slots), np.float32)
    for first in range(0, len(sounding), encoder.batch_size):
        places = sounding[first : first + encoder.batch_size]
        embedding[places], presence[places] = encoder.encode(
            np.stack([cut_window(samples, starts[place], size) for place in places])
        )
    return QuerySlots(embedding, presence), starts


def retrieve(
    slots: QuerySlots, similarities: Similarities, threshold: float, hidden: Bools | None = None
) -> Retrieval:
    """Rank a library for a query and name as many instruments as there are tracks.

    The ranking is by `sustained_posterior` over all slots, which is better than one over the tracks' embeddings
    (docs/EXPERIMENTS.md). `threshold` is the least presence of a believed slot; instruments that `hidden [n]` marks take no
    part in the ranking, but still hold tracks together.
    """

    def top_hits(embedding: Floats) -> list[int]:
        found = similarities(embedding)
        return [int(place) for place in found.argmax(axis=1)] if found.shape[1] else []

    linked = link_slots(slots.embedding, slots.presence, threshold)
    tracks = merge_by_top_hit(linked, top_hits)
    dim = slots.embedding.shape[2]
    similarity = similarities(np.array([track.embedding for track in tracks], np.float32).reshape(-1, dim))
    if hidden is not None:
        similarity = np.where(hidden, np.float32(-np.inf), similarity)
    probability = sustained_posterior(slots.sounding(), similarities, hidden)
    score = probability if hidden is None else np.where(hidden, -np.inf, probability)
    presence = np.array([track.presence for track in tracks], np.float32)
    named = _ranking(score)[: len(tracks)]
    return Retrieval(presence, similarity, probability, score, named, tuple(tracks))


def sustained_posterior(slots: QuerySlots, similarities: Similarities, hidden: Bools | None = None) -> Floats:
    """The probability of each instrument, `[n]`: its posterior in one window, averaged over fifteen seconds, at its highest.

    The average is over `SUSTAINED_WINDOWS` successive windows, or over all where there are fewer. Windows are read in
    chunks, so that memory does not grow with the audio.
    """
    num_windows, num_slots, dim = slots.embedding.shape
    num_instruments = similarities(np.zeros((0, dim), np.float32)).shape[1]
    span = min(SUSTAINED_WINDOWS, num_windows)
    best = np.zeros(num_instruments, np.float32)
    if not num_windows or not num_instruments or (hidden is not None and hidden.all()):
        return best
    recent: deque[Floats] = deque(maxlen=span)
    step = max(1, MAX_CELLS // (num_slots * num_instruments))
    for start in range(0, num_windows, step):
        part = slots.embedding[start : start + step]
        similarity = similarities(part.reshape(-1, dim)).reshape(len(part), num_slots, -1)
        if hidden is not None:
            similarity = np.where(hidden, -np.inf, similarity)
        for posterior in library_posterior(similarity, slots.presence[start : start + step]):
            recent.append(posterior)
            if len(recent) == span:
                best = np.maximum(best, np.mean(recent, axis=0))
    return best


def retrieve_as_published(
    slots: QuerySlots, similarities: Similarities, hidden: Bools | None = None
) -> Retrieval:
    """Rank and name instruments by section 3.3 of Kim et al. 2022: every slot retrieves its most similar instrument.

    A slot's similarity with an instrument is its highest over the windows, an instrument's score its highest over slots. The
    set named holds the argmax of every slot of every window that sounds, whatever its presence.
    """
    sounding = np.flatnonzero(slots.embedding.any(axis=(1, 2)))
    slots = slots.sounding()
    num_windows, num_slots, dim = slots.embedding.shape
    every = similarities(slots.embedding.reshape(-1, dim))  # [w * M, n]
    if hidden is not None:
        every = np.where(hidden, -np.inf, every)
    by_window = every.reshape(num_windows, num_slots, -1)
    similarity = by_window.max(axis=0)
    score: Floats = similarity.max(axis=0)
    ranking = _ranking(score)
    retrieved = every.argmax(axis=1) if every.shape[1] else np.zeros(0, np.int64)
    named = ranking[np.isin(ranking, retrieved)]
    probability = sustained_posterior(slots, similarities, hidden)
    best_window = by_window.max(axis=2, initial=-np.inf).argmax(axis=0)  # [M]
    tracks = tuple(
        LinkedSlots(slots.embedding[window, i], {int(sounding[window]): float(slots.presence[window, i])})
        for i, window in enumerate(best_window)
    )
    return Retrieval(slots.presence.max(axis=0), similarity, probability, score, named, tracks)


def lane_evidence(
    found: Retrieval,
    slots: QuerySlots,
    similarities: Similarities,
    num_clips: Ints,
    hidden: Bools | None = None,
) -> LaneEvidence:
    """Gather what tells whether the library holds what plays in each lane of `found`.

    `num_clips [n]` are the clips that each instrument was enrolled with; those that `hidden [n]` marks are no part of the
    library. In each of its windows a lane is heard in the most similar slot.
    """
    hide = np.zeros(found.similarity.shape[1], bool) if hidden is None else hidden
    similarity = np.where(hide, np.float32(-np.inf), found.similarity)
    weight, agreeing, crowd = np.zeros((3, len(found.tracks)), np.float32)
    for lane, track in enumerate(found.tracks):
        order = sorted(track.presence_of_window, key=lambda window: -track.presence_of_window[window])
        windows = order[:AGREEING_WINDOWS]
        presence = np.array([track.presence_of_window[window] for window in windows], np.float32)
        own = np.where(hide, -np.inf, similarities(_slots_of(track, slots, windows)))  # [w, n]
        agree = (
            own.argmax(axis=1) == similarity[lane].argmax() if own.shape[1] else np.zeros(len(windows), bool)
        )
        weight[lane], agreeing[lane] = presence.sum(), presence[agree].sum()
        crowd[lane] = np.average(slots.presence[windows].sum(axis=1), weights=np.maximum(presence, 1e-6))
    embedding = np.array([track.embedding for track in found.tracks], np.float32)
    return LaneEvidence(
        embedding.reshape(-1, slots.embedding.shape[2]),
        found.presence,
        similarity,
        num_clips,
        weight,
        agreeing,
        crowd,
    )


def nearest_windows(track: LinkedSlots, slots: QuerySlots, embedding: Floats) -> Ints:
    """The window of a track in which its slot is nearest to each instrument of `embedding [k, dim]`, `[k]`."""
    windows = sorted(track.presence_of_window)
    cosine = _slots_of(track, slots, windows) @ embedding.T  # [w, k]
    return np.array(windows, np.int64)[cosine.argmax(axis=0)]


def _slots_of(track: LinkedSlots, slots: QuerySlots, windows: Sequence[int]) -> Floats:
    """The slot that a track is heard in, in each of its `windows`: the one most similar to it, `[w, dim]`."""
    heard = slots.embedding[windows]  # [w, M, dim]
    own: Floats = heard[np.arange(len(windows)), (heard @ track.embedding).argmax(axis=1)]
    return own


def hidden_effects(families: Sequence[str | None]) -> Bools:
    """The mask `[n]` of the sound effects, which are no hits unless asked for; none in a library of nothing else.

    Noises resemble the hiss and rumble of recordings more than instruments do (docs/EXPERIMENTS.md).
    """
    effect = np.array([family == EFFECT for family in families], dtype=bool)
    return np.zeros_like(effect) if effect.all() else effect


def _ranking(score: Floats) -> Ints:
    """The places of all finite scores `[n]`, the highest first."""
    order = np.argsort(-score, kind="stable")
    return order[np.isfinite(score[order])]
