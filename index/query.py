"""A query from samples to result: windows, slots of each window, candidates, hits.

Section 3.3 of Kim et al. 2022 for one window (`mode="paper"`); longer audio is cut into windows that overlap by half, and
`mode="auto"` links their slots over time.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from time import perf_counter

import numpy as np

from index.instrument_index import InstrumentIndex
from index.records import Hit
from index.search import SearchResult, auto_result, paper_result
from index.sources.base import SILENCE_DBFS, Floats, is_silent
from models.audio import split_windows
from models.encoder_pair import EncoderPair
from models.errors import InvalidRequest, SilentAudio
from models.linking import Timeline, link_slots, settled

MODES = ("auto", "paper")
Search = Callable[[Floats], list[list[Hit]]]


def run_query(
    index: InstrumentIndex,
    pair: EncoderPair,
    samples: Floats,
    range_start_seconds: float = 0.0,
    *,
    library: str,
    mode: str = "auto",
    top_k: int = 5,
    family: str | None = None,
    exclude: Collection[str] = (),
) -> tuple[SearchResult, dict[str, float]]:
    """What `samples [n]` (mono, at the pair's rate) hold, among `library`'s instruments, and milliseconds by step.

    `range_start_seconds` is where the samples begin in their file; times in the result count from the file's beginning.
    Instruments with an id in `exclude` are no candidates.
    Raises SilentAudio, InvalidRequest, LibraryNotFound, LibraryEmpty, EncoderMismatch, all but the first before encoding.
    """
    if mode not in MODES:
        raise InvalidRequest(f"mode {mode[:50]!r} is unknown", value=mode[:50], limit=", ".join(MODES))
    search = partial(index.candidates, library, k=top_k, family=family, exclude=exclude)
    search(np.zeros((0, index.embedding_dim), np.float32))  # complains early
    began = perf_counter()
    hop_samples = pair.clip_samples // 2
    windows, starts = split_windows(samples, clip_samples=pair.clip_samples, hop_samples=hop_samples)
    embedding, presence = _encode(pair, windows)
    encoded = perf_counter()
    begin = range_start_seconds
    timeline = Timeline(
        begin + np.asarray(starts, np.float64) / pair.sample_rate,
        pair.clip_samples / pair.sample_rate,
        begin + len(samples) / pair.sample_rate,
    )
    if mode == "paper":
        result = _by_paper(search, embedding, presence, begin, timeline, top_k)
    else:
        threshold = pair.presence_threshold
        nearest = partial(_nearest, partial(index.candidates, library, k=1))
        linked = settled(link_slots(embedding, presence, threshold=threshold), nearest)
        tracks = timeline.tracks(linked, embedding, presence, threshold)
        queries = np.array([track.embedding for track in tracks], np.float32).reshape(-1, index.embedding_dim)
        result = auto_result(tracks, search(queries))
    searched = perf_counter()
    return result, {"encode": (encoded - began) * 1e3, "search": (searched - encoded) * 1e3}


def _nearest(search: Search, queries: Floats) -> list[str | None]:
    """The best instrument of the whole library for each query, whatever the question leaves out."""
    return [found[0].instrument_id if found else None for found in search(queries)]


def _encode(pair: EncoderPair, windows: Floats) -> tuple[Floats, Floats]:
    """Slots `[w, M, dim]` and presence `[w, M]`; both are zero for silent windows, which are not encoded."""
    sounding = np.array([not is_silent(window) for window in windows])
    if not sounding.any():
        raise SilentAudio(
            f"the audio is silent: no window reaches {SILENCE_DBFS:g} dBFS",
            value="silent",
            limit=f"{SILENCE_DBFS:g} dBFS",
        )
    if sounding.all():
        return pair.encode(windows)
    slots, present = pair.encode(windows[sounding])
    embedding = np.zeros((len(windows), *slots.shape[1:]), np.float32)
    presence = np.zeros((len(windows), slots.shape[1]), np.float32)
    embedding[sounding], presence[sounding] = slots, present
    return embedding, presence


def _by_paper(
    search: Search, embedding: Floats, presence: Floats, begin: float, timeline: Timeline, top_k: int
) -> SearchResult:
    """The paper's rule over the windows that sound; it knows nothing of silence, which has no argmax worth having."""
    sounding = embedding.any(axis=(1, 2))
    queries = embedding[sounding].reshape(-1, embedding.shape[-1])
    result = paper_result(search(queries), presence[sounding], (begin, timeline.end), top_k)
    curves = [timeline.curve(heights) for heights in presence.T]
    slots = tuple(replace(slot, curve=curve) for slot, curve in zip(result.slots, curves, strict=True))
    return replace(result, slots=slots)
