"""Sources that are not sent in the request: a resumable upload, or a file or folder on the server, enrolled by a job.

Follows docs/ARCHITECTURE.md, section "HTTP contract".
"""

from pathlib import Path
from typing import Self

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.deps import AccessDep, IdempotencyKey, OwnLibraryDep, ServiceDep
from app.errors import BODY_STATUSES, documented
from app.idempotency import KeyedRequest
from app.job_schemas import JobOut
from app.job_store import JobView, Storing
from app.routes.jobs import queued_once
from models import errors

router = APIRouter(prefix="/v1/libraries", tags=["libraries"])


class SourceIn(BaseModel):
    """Where instruments come from: exactly one of the fields."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"upload": "u_3f9a0c12d4e5"},
            "oneOf": [{"required": ["upload"]}, {"required": ["path"]}],
        }
    )

    upload: str | None = Field(
        default=None, max_length=100, description="Id of a resumable upload, of which all bytes have arrived."
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        pattern=r"^[^\x00]+$",
        description="Absolute path of a file or folder on the server, below the folders that its operator names "
        "(SHOWME_SOURCE_ROOTS; `source_roots` of GET /v1/limits).",
    )

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.upload is None) == (self.path is None):
            raise ValueError("give either `upload` or `path`")
        return self


@router.post(
    "/{library_id}/sources",
    status_code=202,
    responses=documented(
        *(errors.LibraryNotFound, errors.LibraryNotOwned, errors.UploadNotFound, errors.UploadConflict),
        *(errors.NotAudio, errors.UnsupportedAudio, errors.AudioTooLarge, errors.SourceError),
        *(errors.SourceForbidden, errors.JobConflict, errors.EncoderMismatch, errors.InvalidRequest),
        *(errors.Busy, errors.KeyReused, errors.KeyInUse),
        http=BODY_STATUSES,
    ),
)
def add_source(
    library: OwnLibraryDep,
    body: SourceIn,
    request: Request,
    response: Response,
    service: ServiceDep,
    access: AccessDep,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Enroll the instruments of a complete upload, or of a file or folder on the server, in the background; return the job.

    What may be uploaded is as for `POST …/instruments`, and the upload ends. A path may be all that `showme index add` takes.
    It is read where it is and not copied; a job of it that ended early goes on with the same request.
    """
    key_id = access.caller.key_id
    keyed = KeyedRequest.of(idempotency_key, request.url.path, body, key_id) if idempotency_key else None

    def queue(storing: Storing) -> JobView:
        if body.path is not None:
            return service.enroll_path(library, Path(body.path), storing, key_id)
        upload = access.check_upload(service.uploads.view(body.upload or ""))
        return service.enroll_resumable(library, upload, storing, key_id)

    return queued_once(service, response, keyed, queue)
