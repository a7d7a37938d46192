"""Watched folders of the server: which a library follows, from when on, and until when.

Follows docs/ARCHITECTURE.md, section "HTTP contract".
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.deps import AccessDep, OwnLibraryDep, ServiceDep
from app.errors import BODY_STATUSES, documented
from app.job_schemas import SkippedOut
from app.schemas import Document
from app.service import Service
from index.watching.watch_store import WatchView
from models import errors

router = APIRouter(prefix="/v1/libraries", tags=["libraries"])

WatchState = Literal["following", "waiting", "paused"]
FolderPath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00]+$",
        description="Absolute path of a folder on the server, below the folders that its operator names "
        "(SHOWME_SOURCE_ROOTS; `source_roots` of GET /v1/limits).",
    ),
]
EXAMPLE_WATCH: dict[str, JsonValue] = {
    "id": "w_2c4f8a61d90b",
    "library_id": "l_0b1e6f3c9a2d",
    "path": "/srv/samples/Basses",
    "state": "following",
    "message": None,
    "synced_at": "2026-11-20T12:00:00Z",
    "created_at": "2026-11-20T11:00:00Z",
    "job": None,
    "skipped": [{"name": "Take 3.wav", "reason": "Take 3.wav is silent"}],
}


class WatchIn(BaseModel):
    """The folder that a library is to follow."""

    model_config = ConfigDict(json_schema_extra={"example": {"path": "/srv/samples/Basses"}})

    path: FolderPath


class WatchOut(Document):
    """A folder that a library follows."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_WATCH})

    id: str = Field(description="Id of the watch.")
    library_id: str = Field(description="Id of the library.")
    path: str = Field(description="Path of the folder on the server, without links.")
    state: WatchState = Field(
        description="`following`; `waiting`: not now, for the reason in `message`; `paused`: no process follows it now."
    )
    message: str | None = Field(description="Why the folder cannot be followed now; null if it can.")
    synced_at: datetime | None = Field(
        description="Last time at which a change was followed, UTC; null before the first one."
    )
    created_at: datetime = Field(description="Time at which it was asked for, UTC.")
    job: str | None = Field(
        description="Id of the job that lets the library follow; null when there is none."
    )
    skipped: list[SkippedOut] = Field(
        description="What lies in the folder and is not in the library, and why."
    )


class WatchesOut(Document):
    """All folders that a library follows."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE_WATCH]}})

    items: list[WatchOut] = Field(description="The watches, the oldest first.")


def _watch_out(watch: WatchView, service: Service) -> WatchOut:
    job = service.watches.job_of(watch)
    state: WatchState = "following" if watch.fault is None else "waiting"
    return WatchOut(
        id=watch.id,
        library_id=watch.library_id,
        path=str(watch.path),
        state=state if watch.is_followed else "paused",
        message=watch.fault,
        synced_at=watch.synced_at,
        created_at=watch.created_at,
        job=job.id if job else None,
        skipped=[SkippedOut(name=name, reason=reason) for name, reason in service.watches.skipped(watch)],
    )


@router.post(
    "/{library_id}/watch",
    status_code=201,
    responses=documented(
        *(errors.LibraryNotFound, errors.LibraryNotOwned, errors.SourceError, errors.SourceForbidden),
        *(errors.EncoderMismatch, errors.InvalidRequest, errors.Busy),
        http=BODY_STATUSES,
    ),
)
def watch_folder(library: OwnLibraryDep, body: WatchIn, service: ServiceDep, access: AccessDep) -> WatchOut:
    """Let a library follow a folder on the server: what is added to it, changed, renamed and removed in it, by jobs.

    Each sub-folder and file directly in it is an instrument, or a bank of them. A renamed one keeps its instrument with all
    that a person has corrected. What is removed can be restored for a while. A folder that is away as a whole removes nothing.
    """
    return _watch_out(service.watch(library, Path(body.path), access.caller.key_id), service)


@router.get("/{library_id}/watch", responses=documented(errors.LibraryNotFound, errors.LibraryNotOwned))
def list_watches(library: OwnLibraryDep, service: ServiceDep) -> WatchesOut:
    """List the folders that a library follows."""
    return WatchesOut(items=[_watch_out(watch, service) for watch in service.watches.of(library)])


@router.delete(
    "/{library_id}/watch",
    status_code=204,
    responses=documented(
        errors.LibraryNotFound, errors.LibraryNotOwned, errors.WatchNotFound, errors.InvalidRequest
    ),
)
def end_watch(
    library: OwnLibraryDep,
    service: ServiceDep,
    path: Annotated[
        str | None,
        Query(
            max_length=4096, description="The folder, as the watch names it; left out: all of the library."
        ),
    ] = None,
) -> None:
    """Follow a folder no more, or none at all. The instruments stay in the library."""
    service.watches.remove(library, None if path is None else Path(path))
