"""Which families sound when in a query, ten times a second: computed with its answer, and again from its audio when asked for.

The network of Hung & Yang 2018 (`models/recognition/frame_level_recogniser.py`) and the families of the slots, put together
(`models/recognition/timeline_model.py`). A timeline takes less time than the retrieval that it goes with, so it is not stored;
those of the last queries stay in memory.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence

from pydantic import ConfigDict, Field

from app.schemas import Document, Span
from index.recognition import HeardFamily, recognise
from models.audio import Decoded
from models.encoder_pair import EncoderPair
from models.recognition.frame_level_recogniser import FamilyTimeline

KEPT = 16  # timelines in memory: about 130 kB for a track of four minutes


class FamilyRowOut(Document):
    """One family over the whole range of a query."""

    family: str = Field(description="Name of the family.")
    threshold: float = Field(
        description="Probability from which on the family is taken to sound, chosen on validation data."
    )
    active: list[Span] = Field(
        description="Spans in which it sounds, short gaps closed: (start, end) in seconds of the file."
    )
    probabilities: list[float] = Field(description="Probability that it sounds in each frame, 0 to 1.")


class TimelineOut(Document):
    """The families of a query over time: frame i covers `frame_seconds` from `start_seconds + i * frame_seconds` on."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "query": "q_8c2f6ad0915e",
                "start_seconds": 0.0,
                "frame_seconds": 0.104490,
                "num_frames": 3,
                "families": [
                    {
                        "family": "bass",
                        "threshold": 0.4,
                        "active": [[0.0, 0.31]],
                        "probabilities": [0.91, 0.88, 0.79],
                    }
                ],
            }
        }
    )

    query: str = Field(description="Id of the query.")
    start_seconds: float = Field(description="Where the first frame begins, in seconds of the file.")
    frame_seconds: float = Field(description="Length of a frame: there are nearly ten in a second.")
    num_frames: int = Field(description="Number of frames.")
    families: list[FamilyRowOut] = Field(description="All families that the network tells, in a fixed order.")


class FamilyTimelines:
    """Computes the timelines of queries, and keeps the newest. Thread-safe."""

    def __init__(self, pair: EncoderPair) -> None:
        self._pair = pair
        self._kept: OrderedDict[str, FamilyTimeline] = OrderedDict()
        self._lock = threading.Lock()

    def kept(self, query_id: str) -> FamilyTimeline | None:
        """The timeline of a query if it is in memory."""
        with self._lock:
            return self._kept.get(query_id)

    def compute(
        self, query_id: str, decoded: Decoded, heard: Sequence[HeardFamily] | None = None
    ) -> FamilyTimeline:
        """Compute the timeline of a query's decoded audio, of which `heard` is what the slots hear; None: they hear it again.

        Raises RecogniserMissing without a frame-level network.
        """
        recogniser, start = self._pair.frame_level_recogniser(), decoded.range_seconds[0]
        timeline = recogniser.timeline(decoded.samples, self._pair.sample_rate, start)
        if self._pair.timeline:
            heard = recognise(self._pair, decoded.samples, start) if heard is None else heard
            timeline = self._pair.timeline.fused(timeline, {one.family: one.curve for one in heard})
        with self._lock:
            self._kept[query_id] = timeline
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return timeline


def timeline_out(query_id: str, timeline: FamilyTimeline) -> TimelineOut:
    """Convert a timeline."""
    rows = [
        FamilyRowOut(
            family=family,
            threshold=threshold,
            active=rounded(timeline.spans(family)),
            probabilities=[round(share, 3) for share in shares],
        )
        for family, threshold, shares in zip(
            timeline.families, timeline.thresholds, timeline.probability.T.tolist(), strict=True
        )
    ]
    return TimelineOut(
        query=query_id,
        start_seconds=round(timeline.start_seconds, 6),
        frame_seconds=round(timeline.frame_seconds, 6),
        num_frames=len(timeline.probability),
        families=rows,
    )


def rounded(spans: Sequence[Span]) -> list[Span]:
    """Spans in milliseconds."""
    return [(round(start, 3), round(end, 3)) for start, end in spans]
