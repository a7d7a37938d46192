"""Resumable uploads of files for a library: create one, ask how far it is, send a piece, cancel.

The server's side of tus 1.0.0 (`app/resumable.py`). `POST /v1/libraries/{id}/sources` enrolls what is complete.
"""

from datetime import datetime
from email.utils import format_datetime
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Request, Response

from app.deps import CallerDep, ServiceDep, UploadDep
from app.errors import BODY_STATUSES, UnknownMediaType, UnknownTusVersion, documented
from app.request_bodies import PIECE
from app.resumable import UploadView
from models.errors import (
    AudioTooLarge,
    Busy,
    InvalidRequest,
    StorageFull,
    UnsupportedAudio,
    UploadConflict,
    UploadNotFound,
)

router = APIRouter(prefix="/v1/uploads", tags=["uploads"])

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,termination"
MAX_DESCRIBED = 4096  # characters of Upload-Metadata
SPOKEN = {"Tus-Resumable": VERSION}
TusVersion = Annotated[str | None, Header(description=f"Version of the protocol: {VERSION}.")]


def _check_version(tus_resumable: TusVersion = None) -> None:
    if tus_resumable != VERSION:
        raise UnknownTusVersion(tus_resumable, VERSION)


SPEAKS_TUS = [Depends(_check_version)]


def _headers(upload: UploadView, offset: int, expires_at: datetime) -> dict[str, str]:
    return SPOKEN | {
        "Upload-Offset": str(offset),
        "Upload-Length": str(upload.num_bytes),
        "Upload-Expires": format_datetime(expires_at, usegmt=True),
        "Cache-Control": "no-store",
    }


@router.options("", status_code=204, response_class=Response)
def describe_uploads(service: ServiceDep) -> Response:
    """Tell the versions, extensions and the largest size of tus that the service takes, as headers."""
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(service.settings.max_library_bytes),
    }
    return Response(status_code=204, headers=SPOKEN | headers)


@router.post(
    "",
    status_code=201,
    response_class=Response,
    dependencies=SPEAKS_TUS,
    responses=documented(
        *(InvalidRequest, UnsupportedAudio, AudioTooLarge, Busy, StorageFull), http=(412, *BODY_STATUSES)
    ),
)
def create_upload(
    service: ServiceDep,
    caller: CallerDep,
    upload_length: Annotated[int, Header(ge=1, le=1 << 50, description="Size of the whole file in bytes.")],
    upload_metadata: Annotated[
        str, Header(max_length=MAX_DESCRIBED, description="`filename` and the file's name in base64.")
    ],
) -> Response:
    """Begin a resumable upload; `Location` is its address, `Upload-Expires` when it is given up unless more is sent.

    Any client of tus will do. Send the file's bytes with PATCH, ask with HEAD how many have arrived, and name the upload in
    `POST /v1/libraries/{id}/sources` when all have.
    """
    upload = service.uploads.create(upload_length, upload_metadata, caller.key_id)
    headers = _headers(upload, 0, upload.expires_at) | {"Location": f"/v1/uploads/{upload.id}"}
    return Response(status_code=201, headers=headers)


@router.head("/{upload_id}", response_class=Response, responses=documented(UploadNotFound, http=(412,)))
def get_upload_offset(upload: UploadDep, tus_resumable: TusVersion = None) -> Response:
    """Tell in `Upload-Offset` how many bytes have arrived: the next piece begins there."""
    _check_version(tus_resumable)
    headers = _headers(upload, upload.offset, upload.expires_at) | {"Upload-Metadata": upload.described}
    return Response(headers=headers)


@router.patch(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=documented(
        *(UploadNotFound, UploadConflict, InvalidRequest, StorageFull, Busy), http=(412, 415, *BODY_STATUSES)
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {PIECE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def send_upload_piece(
    request: Request,
    upload: UploadDep,
    service: ServiceDep,
    upload_offset: Annotated[int, Header(ge=0, description="Where the piece begins: the present offset.")],
    tus_resumable: TusVersion = None,
) -> Response:
    """Send a piece: the bytes from `Upload-Offset` on, all that are left or fewer. If it is cut off, what has arrived stays."""
    _check_version(tus_resumable)
    if (media_type := request.headers.get("content-type")) != PIECE:
        raise UnknownMediaType(media_type, PIECE)
    expires_at = await to_thread.run_sync(service.uploads.extend, upload)
    piece = request.stream()
    try:
        offset = await service.uploads.append(upload, upload_offset, piece)
    except UploadConflict:
        async for _ in piece:  # so that the client reads the answer
            pass
        raise
    return Response(status_code=204, headers=_headers(upload, offset, expires_at))


@router.delete(
    "/{upload_id}",
    status_code=204,
    response_class=Response,
    responses=documented(UploadNotFound, http=(412,)),
)
def cancel_upload(upload: UploadDep, service: ServiceDep, tus_resumable: TusVersion = None) -> Response:
    """Cancel an upload, and remove what has arrived."""
    _check_version(tus_resumable)
    service.uploads.cancel(upload)
    return Response(status_code=204, headers=SPOKEN)
