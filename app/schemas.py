"""The documents of queries: the HTTP contract, field by field, with examples.

Follows docs/ARCHITECTURE.md, section "HTTP contract". Fields are added and never renamed or removed.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.problems import Problem
from app.query_examples import EXAMPLE_PROBLEM, EXAMPLE_QUERY
from app.question import Mode
from index.recognition import PLAYS
from models.match import Word

Span = tuple[float, float]  # start and end, seconds of the file
MAX_TRACK_NAME = 200  # characters
CurvePoint = tuple[float, float]  # second of the file, presence


NEXT = "Cursor of the following page; null on the last page."


class Document(BaseModel):
    """Base of the documents that the service sends: fields with a default are always present."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class HitOut(Document):
    """An instrument of the library and its similarity to a slot or to another instrument."""

    instrument_id: str = Field(description="Id of the instrument.")
    name: str = Field(description="Name of the instrument when the answer was given.")
    family: str | None = Field(description="Family of the instrument; null when it is not known.")
    recognised_family: str | None = Field(
        default=None,
        description="Most probable family by its sound, where neither its source nor a person names one; null elsewhere.",
    )
    source: str | None = Field(
        default=None,
        description="File, preset or folder that the instrument was enrolled from; null in answers of older versions.",
    )
    similarity: float = Field(
        description="Cosine of the embeddings, at most 1; to a slot less up to .12 where it sounds like another family."
    )
    preview_url: str = Field(description="Path of the instrument's preview as mp3.")


class SlotHitOut(HitOut):
    """An instrument of the library that is similar to a slot, and why."""

    best_span: Span | None = Field(
        default=None,
        description="The window of five seconds in which the slot is most similar to it: (start, end) in seconds of the file; "
        "null in answers of older versions.",
    )
    lead: float | None = Field(
        default=None,
        description="How much more similar it is than the next hit, 0 or more; null where no other is left, and in answers of "
        "older versions.",
    )


class RankedInstrumentOut(HitOut):
    """An instrument in the ranking for the whole query; `similarity` is the highest over its slots."""

    probability: float = Field(
        description="Probability that the instrument plays in the mixture, 0 to 1: its share among the library's "
        "instruments, averaged over fifteen seconds, at its highest."
    )
    slots: list[int] = Field(description="Numbers of the slots in which it was heard.")


class MatchOut(Document):
    """How likely the library holds the instrument that plays in a slot."""

    probability: float = Field(
        description="Probability that the library holds it, 0 to 1, as if half of what plays were in the library."
    )
    word: Word = Field(
        description="The probability in a word; its thresholds are chosen for the precision that docs/MODEL.md states. "
        "`none`: nothing in this library."
    )


class SlotOut(Document):
    """One instrument heard in the mixture: when it sounds, and the library's instruments most similar to it."""

    slot: int = Field(description="Number of the slot.")
    presence: float = Field(description="Probability that an instrument sounds in this slot, 0 to 1.")
    active: list[Span] = Field(description="Spans in which it sounds: (start, end) in seconds of the file.")
    hits: list[SlotHitOut] = Field(description="The most similar instruments, best first.")
    curve: list[CurvePoint] = Field(
        default=[],
        description="Presence over time: (second, presence) at the centre of every window; empty in answers of older "
        "versions.",
    )
    family: str | None = Field(
        default=None,
        description="The most probable of `families`; null when there is none.",
    )
    families: dict[str, float] = Field(
        default={},
        description="Families of the instrument heard and their probabilities, the highest first, without those below .01: by "
        "the sound itself and by the five nearest hits together; with `mode=paper` by the hits alone, and empty when none has "
        "a family. Empty in answers of older versions.",
    )
    match: MatchOut | None = Field(
        default=None,
        description="How likely the library holds the instrument heard; null in answers of older versions.",
    )
    close: bool = Field(
        default=True,
        description="Whether `match.word` is not `none`; in answers of older versions as they said.",
    )


class HeardFamilyOut(Document):
    """A family of instruments that is heard in a recording, with or without a library."""

    family: str = Field(description="Name of the family.")
    probability: float = Field(
        description="Probability that an instrument of the family plays, 0 to 1: averaged over fifteen seconds, at its highest."
    )
    active: list[Span] = Field(
        description=f"Spans in which its probability reaches {PLAYS:g}: (start, end) in seconds of the file."
    )
    curve: list[CurvePoint] = Field(
        description="Probability over time: (second, probability) at the centre of every window of five seconds."
    )
    plays: bool | None = Field(
        default=None,
        description=f"Whether it plays: a slot has this `family`; without a library, from {PLAYS:g} on. null in old answers.",
    )


class QueriedLibrary(Document):
    """The library that was searched, as it was at that time."""

    id: str = Field(description="Id of the library.")
    name: str = Field(description="Name of the library.")
    num_instruments: int = Field(description="Number of its instruments.")


class QueryAnswer(Document):
    """The answer to a query: the instruments heard in the mixture, and the library's instruments most similar to each."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_QUERY})

    id: str = Field(description="Id of the query, under which the answer is stored.")
    library: QueriedLibrary = Field(description="The library that was searched.")
    mode: Mode = Field(description="The method that was used.")
    encoder: str = Field(description="Hash of the encoder whose embeddings were compared.")
    name: str = Field(description="File name of the mixture.")
    duration_seconds: float = Field(description="Length of the whole file.")
    range_seconds: Span = Field(description="The analysed range: (start, end) in seconds of the file.")
    num_instruments: int = Field(description="Number of instruments heard.")
    slots: list[SlotOut] = Field(description="The instruments heard.")
    instruments: list[RankedInstrumentOut] = Field(
        default=[],
        description="The first 50 instruments of the library's ranking for the whole query, the most probable first; "
        "empty in answers of older versions.",
    )
    retrieved: list[str] = Field(
        description="Ids of the instruments that are named: the first of the ranking, one for each slot. With "
        "`mode=paper`, the set R of Kim et al. 2022, section 3.3."
    )
    families: list[HeardFamilyOut] = Field(
        default=[],
        description="Families of instruments heard in the whole range, whatever the library holds, the most probable first and "
        "without those below .05; empty in answers of older versions.",
    )
    audio_url: str = Field(description="Path of the mixture's audio.")
    asked_again: str | None = Field(
        default=None, description="Id of the stored query whose audio was used; null for an uploaded file."
    )
    family: str | None = Field(
        default=None,
        description="Family that hits were restricted to; null without one, and in older answers.",
    )
    timing_ms: dict[str, float] = Field(description="Milliseconds spent in each stage.")


class QuerySummary(Document):
    """A stored query as the history lists it."""

    id: str = Field(description="Id of the query.")
    name: str = Field(description="File name of the mixture.")
    library: QueriedLibrary = Field(description="The library that was searched.")
    num_instruments: int = Field(description="Number of instruments heard.")
    created_at: datetime = Field(description="Time of the query, UTC.")
    track: str = Field(
        description="Id that all queries about one upload share: that of the first, which may be deleted since."
    )
    range_seconds: Span = Field(description="The analysed range: (start, end) in seconds of the file.")
    duration_seconds: float = Field(description="Length of the whole file.")
    family: str | None = Field(
        default=None, description="Family that hits were restricted to; null without one."
    )


class QueryPatch(BaseModel):
    """Another name for a track."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Verse, rough mix"}})

    name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=MAX_TRACK_NAME, pattern=r"^[^\x00-\x1f\x7f]+$"
        ),
    ] = Field(description="The name of all queries about the track.")


class QueryPage(Document):
    """A page of the history."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "items": [
                    {
                        key: EXAMPLE_QUERY[key]
                        for key in (
                            "id",
                            "name",
                            "library",
                            "num_instruments",
                            "range_seconds",
                            "duration_seconds",
                        )
                    }
                    | {"created_at": "2026-11-20T12:00:00Z", "track": EXAMPLE_QUERY["id"], "family": None}
                ],
                "next": None,
            }
        }
    )

    items: list[QuerySummary] = Field(description="Queries, newest first.")
    next: str | None = Field(description=NEXT)


class BatchItem(Document):
    """One file of a batch: its answer, or the problem with it."""

    name: str = Field(description="File name of the mixture.")
    query: QueryAnswer | None = Field(default=None, description="The answer; null when there is a problem.")
    problem: Problem | None = Field(default=None, description="The problem; null when there is an answer.")


class BatchOut(Document):
    """The results of a batch."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "results": [
                    {"name": "song.mp3", "query": EXAMPLE_QUERY, "problem": None},
                    {"name": "notes.txt", "query": None, "problem": EXAMPLE_PROBLEM},
                ]
            }
        }
    )

    results: list[BatchItem] = Field(description="One result per file, in the order sent.")
