"""Libraries as files: one machine computes their embeddings, and another one with the same encoder serves them.

Follows docs/ARCHITECTURE.md, section "HTTP contract"; `index/library_archive.py` is the format.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from app.archive import check_entry_count, clean_name
from app.deps import MULTIPART, AccessDep, LibraryDep, ServiceDep
from app.errors import BODY_STATUSES, documented
from app.export.document import MEDIA_TYPES, disposition
from app.export.packing import chunks_of
from app.library_schemas import LibraryName, LibraryOut
from app.routes.libraries import library_out
from app.uploads import Upload, save, upload_name
from index.library_archive import export_library, import_library
from models import errors

router = APIRouter(prefix="/v1", tags=["libraries"])


class ImportForm(BaseModel):
    """The form fields of an import."""

    model_config = ConfigDict(json_schema_extra={"example": {"file": "My synths.zip"}})

    file: UploadFile = Field(description="A zip that GET /v1/libraries/{id}/export has given.")
    name: LibraryName | SkipJsonSchema[None] = Field(
        default=None, description="Name of the new library; left out: the one that it had."
    )


@router.get(
    "/libraries/{library_id}/export",
    response_class=StreamingResponse,
    responses={
        200: {"description": "The library as a zip.", "content": {MEDIA_TYPES["zip"]: {}}},
        **documented(errors.LibraryNotFound, errors.LibraryEmpty, errors.EncoderMismatch),
    },
)
def export_embeddings(library: LibraryDep, service: ServiceDep) -> StreamingResponse:
    """Download a library with its embeddings, names, families and previews, for POST /v1/imports of another machine.

    The sources of its instruments are not in it. A library that must be updated cannot be exported before (409).
    """
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=service.index.folder.tmp_dir))
        export_library(service.index, library.id, file)
        stack.pop_all()
    headers = {
        "Content-Disposition": disposition(clean_name(f"{library.name}.zip")),
        "Content-Length": str(file.tell()),
    }
    return StreamingResponse(chunks_of(file), media_type=MEDIA_TYPES["zip"], headers=headers)


@router.post(
    "/imports",
    status_code=201,
    responses=documented(
        *(errors.ArchiveError, errors.EncoderMismatch, errors.AudioTooLarge),
        *(errors.LibraryExists, errors.InvalidRequest, errors.Busy),
        http=BODY_STATUSES,
    ),
)
def import_embeddings(
    form: Annotated[ImportForm, MULTIPART], response: Response, service: ServiceDep, access: AccessDep
) -> LibraryOut:
    """Create a library from the zip of another machine: the whole of it, or nothing.

    Its encoder must be the one in use here. Every file in it is compared with its hash. The library belongs to the caller's
    key. Its instruments cannot play, and another encoder will embed them from their previews.
    """
    with tempfile.TemporaryDirectory(prefix="import-", dir=service.index.folder.tmp_dir) as folder:
        upload = Upload(upload_name(form.file.filename), form.file.file)
        archive = save(upload, Path(folder) / "archive.zip")
        check_entry_count(archive, service.settings.max_zip_entries)
        library = import_library(service.index, archive, form.name, access.caller.key_id)
    response.headers["Location"] = f"/v1/libraries/{library.id}"
    return library_out(library, service, access)
