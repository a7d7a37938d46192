"""A query from samples to its answer: windows, slots, retrieval, and the library's instruments in place of numbers.

All rules are those of `index/retrieval.py`: ours, or section 3.3 of Kim et al. 2022.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from time import perf_counter

import numpy as np

from index.families import EFFECT
from index.instrument_index import InstrumentIndex
from index.lane_families import Families, families_of_lanes, most_probable
from index.recognition import HeardFamily, families_of_answer, heard_families, timeline_of
from index.records import Hit
from index.retrieval import (
    Bools,
    Floats,
    Ints,
    QuerySlots,
    Retrieval,
    encode_samples,
    hidden_effects,
    lane_evidence,
    nearest_windows,
    retrieve,
    retrieve_as_published,
)
from index.search_space import SearchSpace
from index.vector_cache import LibraryVectors, VectorRow
from models.encoder_pair import EncoderPair
from models.match import NO_MATCH, Match, MatchModel
from models.tracks import Curve, LinkedSlots, Span, Timeline

MAX_RANKED = 50  # instruments in the ranking of an answer


@dataclass(frozen=True, slots=True)
class HitReason:
    """Why an instrument is a hit of a slot: the window in which the slot is nearest to it, in seconds, and its lead.

    The lead is its similarity minus that of the next hit, None where no other is left.
    """

    span: Span
    lead: float | None


@dataclass(frozen=True, slots=True)
class SlotResult:
    """One estimated instrument: its presence, the spans in which it sounds, its hits, best first, and how good they are.

    `reasons` has one for each hit. `families` are the probabilities of its families, the highest first
    (`index/lane_families.py`).
    """

    slot: int
    presence: float
    active: tuple[Span, ...]
    hits: tuple[Hit, ...]
    reasons: tuple[HitReason, ...]
    curve: Curve = ()
    match: Match = NO_MATCH
    families: Families = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankedInstrument:
    """An instrument in the library's ranking for the whole query.

    `probability` (0…1) that it plays, the `slots` in which it was heard, and its hit with the highest similarity over slots.
    """

    hit: Hit
    probability: float
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query: estimated number of instruments, slots, ids of the set that is named, and the ranking.

    `instruments` holds the first `MAX_RANKED` of the ranking, best first; `retrieved` may be smaller than `slots`. `families`
    are heard in the whole range, whatever the library holds (`index/recognition.py`).
    """

    num_instruments: int
    slots: tuple[SlotResult, ...]
    retrieved: tuple[str, ...]
    instruments: tuple[RankedInstrument, ...]
    families: tuple[HeardFamily, ...] = ()


def run_query(
    index: InstrumentIndex,
    pair: EncoderPair,
    samples: Floats,
    range_start_seconds: float = 0.0,
    *,
    library: str,
    as_published: bool = False,
    top_k: int = 5,
    family: str | None = None,
    exclude: Collection[str] = (),
    effects: bool = False,
) -> tuple[QueryResult, dict[str, float]]:
    """Find the instruments of `library` in `samples [n]` (mono, at the pair's rate); milliseconds by step come second.

    `range_start_seconds` is where the samples begin in their file; times in the result count from the file's beginning.
    Instruments whose id is in `exclude` are left out, and sound effects unless `effects` asks for them. With a `family`,
    only its instruments are returned; their probabilities are those within the whole library. `as_published` chooses the
    rule of the paper. `app/question.py` checks `top_k` and family.

    Raises SilentAudio, and before encoding LibraryNotFound, LibraryEmpty, EncoderMismatch, and CheckpointError for encoders
    without a match model.
    """
    vectors, model = index.searchable(library), pair.calibrated_match()
    began = perf_counter()
    slots, starts = encode_samples(pair, samples)
    encoded = perf_counter()
    timeline = timeline_of(pair, samples, starts, range_start_seconds)
    hidden = hidden_instruments(vectors.rows, exclude, effects=effects or family == EFFECT)
    space = SearchSpace(vectors.cosines, len(vectors.rows)) if as_published else vectors.space(pair.family)
    answer, threshold = _Answer(vectors, space, hidden, family, top_k), pair.presence_threshold
    if as_published:
        found = retrieve_as_published(slots, space, ~answer.shown)
        whole = found if family is None else retrieve_as_published(slots, space, answer.hidden)
    else:
        found = whole = retrieve(slots, space, threshold, answer.hidden)
    told = answer.tell(found, whole, slots, model, vectors.num_clips)
    if as_published:
        result = answer.as_published(found, told, slots, timeline, range_start_seconds)
    else:
        result = answer.of_tracks(found, told, slots, timeline, threshold)
    if pair.family:
        heard = heard_families(slots, timeline, pair.family)
        lanes = {most_probable(slot.families) for slot in result.slots}
        result = replace(result, families=families_of_answer(heard, lanes))
    searched = perf_counter()
    return result, {"encode": (encoded - began) * 1e3, "search": (searched - encoded) * 1e3}


def hidden_instruments(rows: Sequence[VectorRow], exclude: Collection[str], *, effects: bool) -> Bools:
    """The mask `[n]` of the instruments that are no hits: those excluded, and without `effects` the sound effects."""
    excluded = frozenset(exclude)
    by_name: Bools = np.array([row.instrument_id in excluded for row in rows], dtype=bool)
    return by_name if effects else by_name | hidden_effects([row.family for row in rows])


_Told = tuple[Match, Families]  # of a lane


class _Answer:
    """Turns a retrieval's numbers into the instruments of a library, within what the query asks for."""

    def __init__(
        self,
        vectors: LibraryVectors,
        space: SearchSpace,
        hidden: Bools,
        family: str | None,
        top_k: int,
    ) -> None:
        self._vectors, self._rows = vectors, vectors.rows
        self._space, self._top_k = space, top_k
        self.hidden = hidden
        of_family = np.array([family is None or row.family == family for row in self._rows])
        self.shown: Bools = of_family & ~self.hidden

    def tell(
        self, found: Retrieval, whole: Retrieval, slots: QuerySlots, model: MatchModel, num_clips: Ints
    ) -> Sequence[_Told]:
        """The match of each lane of `found`, what the query asks for, and its families by `whole`, whatever it asks for."""

        def matches(retrieval: Retrieval, hidden: Bools) -> Sequence[Match]:
            return model.matches(lane_evidence(retrieval, slots, self._space, num_clips, hidden))

        every = matches(whole, self.hidden)
        asked = every if np.array_equal(self.shown, ~self.hidden) else matches(found, ~self.shown)
        embedding = np.array([track.embedding for track in whole.tracks], np.float32)
        names = [row.family for row in self._rows]
        families = families_of_lanes(embedding, whole.similarity, every, names, self._space)
        return list(zip(asked, families, strict=True))

    def of_tracks(
        self,
        found: Retrieval,
        told: Sequence[_Told],
        slots: QuerySlots,
        timeline: Timeline,
        threshold: float,
    ) -> QueryResult:
        """Our answer: one slot a track."""
        tracks = timeline.tracks(found.tracks, slots.embedding, slots.presence, threshold)
        heard = tuple(
            SlotResult(
                i,
                track.presence,
                track.active,
                *self._hits(found.tracks[i], similarity, slots, timeline),
                track.curve,
                *lane,
            )
            for i, (track, similarity, lane) in enumerate(zip(tracks, found.similarity, told, strict=True))
        )
        return self._result(found, heard, len(tracks))

    def as_published(
        self,
        found: Retrieval,
        told: Sequence[_Told],
        slots: QuerySlots,
        timeline: Timeline,
        start_seconds: float,
    ) -> QueryResult:
        """The paper's answer: all M slots over the whole range; as many instruments as are named."""
        spans = ((start_seconds, timeline.end),)
        curves = [timeline.curve(presence) for presence in slots.presence.T]
        sounding = {int(window): 1.0 for window in np.flatnonzero(slots.embedding.any(axis=(1, 2)))}
        heard = tuple(
            SlotResult(
                i,
                float(presence),
                spans,
                *self._hits(
                    LinkedSlots(found.tracks[i].total, sounding), similarity, slots.only(i), timeline
                ),
                curve,
                *lane,
            )
            for i, (presence, similarity, curve, lane) in enumerate(
                zip(found.presence, found.similarity, curves, told, strict=True)
            )
        )
        return self._result(found, heard, len(self._visible(found.named)))

    def _result(self, found: Retrieval, heard: tuple[SlotResult, ...], count: int) -> QueryResult:
        named = tuple(self._rows[place].instrument_id for place in self._visible(found.named))
        ranking = self._visible(found.ranking())[:MAX_RANKED]
        best = (
            found.similarity.max(axis=0) if len(found.similarity) else np.zeros(len(self._rows), np.float32)
        )
        ranked = tuple(
            RankedInstrument(
                self._rows[place].hit(float(best[place])),
                float(found.probability[place]),
                found.tracks_of(int(place)),
            )
            for place in ranking
        )
        return QueryResult(count, heard, named, ranked)

    def _hits(
        self, track: LinkedSlots, similarity: Floats, slots: QuerySlots, timeline: Timeline
    ) -> tuple[tuple[Hit, ...], tuple[HitReason, ...]]:
        """The `top_k` instruments of a track by its `similarity [n]`, best first, and why each is one of them."""
        order = self._visible(np.argsort(-similarity, kind="stable"))[: self._top_k + 1]
        best, following = order[: self._top_k], [float(similarity[place]) for place in order[1:]]
        ids = np.array([self._rows[place].vector_id for place in best], np.int64)
        windows = nearest_windows(track, slots, self._vectors.store.vectors(ids))
        hits = tuple(self._rows[place].hit(float(similarity[place])) for place in best)
        leads = [hit.similarity - after for hit, after in zip(hits, following, strict=False)]
        reasons = zip_longest(map(timeline.span, windows.tolist()), leads)
        return hits, tuple(HitReason(span, lead) for span, lead in reasons)

    def _visible(self, places: Ints) -> Ints:
        return places[self.shown[places]]
