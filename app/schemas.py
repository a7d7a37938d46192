"""What goes over the wire of queries, jobs and health: the HTTP contract, field by field, with examples.

Follows the HTTP section of DESIGN.md; names are the contract, so fields are added and never renamed.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.job_store import JobState

Mode = Literal["auto", "paper"]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class HitOut(BaseModel):
    """An instrument of the library with its score; `similarity` is a cosine, 1 at best."""

    instrument_id: str
    name: str
    family: str | None
    source: str | None = Field(
        default=None, description="where the instrument came from; null in answers of older versions"
    )
    similarity: float
    preview_url: str


class SlotOut(BaseModel):
    """One instrument heard in the mixture: when it sounds, and what of the library comes nearest."""

    slot: int
    presence: float = Field(description="probability that the slot is used, 0 to 1")
    active: list[tuple[float, float]] = Field(description="(start, end) in seconds of the file")
    hits: list[HitOut] = Field(description="best first")
    curve: list[tuple[float, float]] = Field(
        default=[],
        description="(second, presence) at the centre of every window; empty in answers of older versions",
    )
    family: str | None = Field(
        default=None, description="what its nearest hits are that have a family; null where none has"
    )
    close: bool = Field(
        default=True, description="whether the best hit is near enough to be believed; true in older answers"
    )


class QueriedLibrary(BaseModel):
    id: str
    name: str
    num_instruments: int


EXAMPLE_HIT: dict[str, JsonValue] = {
    "instrument_id": "i_5d1c9a04be77",
    "name": "Fretless Bass",
    "family": "bass",
    "similarity": 0.83,
    "preview_url": "/v1/instruments/i_5d1c9a04be77/preview",
}
EXAMPLE_QUERY: dict[str, JsonValue] = {
    "id": "q_8c2f6ad0915e",
    "library": {"id": "l_0b1e6f3c9a2d", "name": "TimGM6mb", "num_instruments": 128},
    "mode": "auto",
    "encoder": "sha256:9f2c…",
    "name": "song.mp3",
    "duration_seconds": 12.4,
    "range_seconds": [0.0, 12.4],
    "num_instruments": 1,
    "slots": [
        {
            "slot": 0,
            "presence": 0.97,
            "active": [[0.0, 4.5], [6.0, 12.4]],
            "hits": [EXAMPLE_HIT],
            "curve": [[2.5, 0.97], [5.0, 0.21], [7.5, 0.93], [9.9, 0.95]],
            "family": "bass",
            "close": True,
        }
    ],
    "retrieved": ["i_5d1c9a04be77"],
    "audio_url": "/v1/queries/q_8c2f6ad0915e/audio",
    "asked_again": None,
    "timing_ms": {"decode": 11.0, "encode": 43.0, "search": 0.4},
}


class QueryOut(BaseModel):
    """A query's answer."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_QUERY})

    id: str
    library: QueriedLibrary
    mode: Mode
    encoder: str = Field(description="hash of the encoder whose embeddings were compared")
    name: str = Field(description="file name of the upload")
    duration_seconds: float = Field(description="length of the whole file")
    range_seconds: tuple[float, float] = Field(description="what was listened to, in seconds of the file")
    num_instruments: int
    slots: list[SlotOut]
    retrieved: list[str] = Field(description="ids of the retrieved set R (section 3.3 of the paper)")
    audio_url: str
    asked_again: str | None = Field(default=None, description="the query whose audio was asked about again")
    timing_ms: dict[str, float]


class QuerySummary(BaseModel):
    """A stored query as the history shows it."""

    id: str
    name: str = Field(description="file name of the upload")
    library: QueriedLibrary
    num_instruments: int = Field(description="how many instruments were heard")
    created_at: datetime


class QueryPage(BaseModel):
    items: list[QuerySummary] = Field(description="newest first")
    next: str | None = Field(description="pass it as `next` to get the following page; null on the last")


class ProblemOut(BaseModel):
    """A problem document inside a batch's answer."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class BatchItem(BaseModel):
    """One file of a batch: its answer, or the problem with it."""

    name: str
    query: QueryOut | None = None
    problem: ProblemOut | None = None


class BatchOut(BaseModel):
    results: list[BatchItem] = Field(description="one per file, in the order sent")


class JobOut(BaseModel):
    """An enrollment: `done` of `total` instruments; `message` says what is going on or what went wrong."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "j_77c0d9a1e3f4",
                "state": "running",
                "done": 3,
                "total": 12,
                "message": "Fretless Bass",
                "library_id": "l_0b1e6f3c9a2d",
            }
        }
    )

    id: str
    state: JobState
    done: int
    total: int
    message: str
    library_id: str | None


class LimitsOut(BaseModel):
    """What this service takes, so that a client can say so before it sends anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "max_upload_bytes": 104857600,
                "max_decoded_seconds": 1800.0,
                "max_batch_files": 32,
                "max_top_k": 100,
                "families": ["bass", "brass", "…"],
                "audio_formats": [".wav", ".mp3", "…"],
                "library_formats": [".wav", ".zip", ".sf2", "…"],
            }
        }
    )

    max_upload_bytes: int
    max_decoded_seconds: float
    max_batch_files: int
    max_top_k: int
    families: list[str]
    audio_formats: list[str] = Field(description="suffixes of what a query may be")
    library_formats: list[str] = Field(description="suffixes of what may be added to a library")


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Progress(BaseModel):
    state: JobState
    done: int
    total: int
    message: str


class Readiness(BaseModel):
    ready: bool
    device: str
    encoder: str
    search: str = Field(description="what searches the vectors")
    libraries: int
    instruments: int
    progress: Progress | None = Field(default=None, description="of the default library's enrollment")
