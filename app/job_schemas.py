"""The documents of jobs: the HTTP contract, field by field, with an example.

Follows docs/ARCHITECTURE.md, section "HTTP contract". Fields are added and never renamed or removed.
"""

from datetime import datetime

from pydantic import ConfigDict, Field, JsonValue

from app.job_store import JobKind, JobState
from app.schemas import NEXT, Document

EXAMPLE_JOB: dict[str, JsonValue] = {
    "id": "j_77c0d9a1e3f4",
    "kind": "enroll",
    "state": "running",
    "done": 3,
    "total": 12,
    "message": "Fretless Bass",
    "library_id": "l_0b1e6f3c9a2d",
    "kept": 0,
    "skipped": [],
    "created_at": "2026-11-20T12:00:00Z",
}


class SkippedOut(Document):
    """An instrument or file that a job left out."""

    name: str = Field(description="Name of the instrument or file.")
    reason: str = Field(description="Why it was left out.")


class JobOut(Document):
    """An enrollment, the update of a library of another encoder, or what a followed folder asks for, in the background."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_JOB})

    id: str = Field(description="Id of the job.")
    kind: JobKind = Field(
        default="enroll",
        description="`enroll` adds instruments; `reembed` updates those of another encoder; `watch` lets a library follow a "
        "folder.",
    )
    state: JobState = Field(description="State of the job; the last three are final.")
    done: int = Field(description="Number of instruments processed so far.")
    total: int = Field(description="Number of instruments to process.")
    message: str = Field(
        description="The instrument being processed, the result, or the reason of a failure."
    )
    library_id: str | None = Field(
        description="Id of the library that is added to; null once it has been deleted."
    )
    kept: int = Field(
        default=0,
        description="Number of instruments that an enrollment has stored so far; 0 after they were taken out again "
        "(DELETE …/instruments).",
    )
    skipped: list[SkippedOut] = Field(
        default=[], description="All that was left out, when the job is done; `message` names the first."
    )
    created_at: datetime | None = Field(
        default=None,
        description="Time at which it was asked for, UTC; null in stored answers of older versions.",
    )


class JobPage(Document):
    """A page of jobs."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE_JOB], "next": None}})

    items: list[JobOut] = Field(description="Jobs, newest first.")
    next: str | None = Field(description=NEXT)
