"""Queries: a mixture in, the library's instruments out; stored answers and their audio.

Follows the HTTP section of DESIGN.md and section 3.3 of Kim et al. 2022.
"""

from typing import Annotated, Any

from fastapi import APIRouter, File, Request, Response, UploadFile
from fastapi.responses import FileResponse

from app.audio_response import MEDIA_TYPES, audio_response
from app.deps import QuestionDep, ServiceDep
from app.errors import documented, problem_of, request_id_of
from app.schemas import BatchItem, BatchOut, ProblemOut, QueryOut
from app.uploads import Upload, upload_name
from models import errors

router = APIRouter(prefix="/v1/queries", tags=["queries"])

AUDIO_PROBLEMS = (
    *(
        errors.NotAudio,
        errors.UnsupportedAudio,
        errors.AudioTooLarge,
        errors.EmptyAudio,
        errors.NonFiniteAudio,
    ),
    *(errors.SilentAudio, errors.RangeOutsideAudio),
)
LIBRARY_PROBLEMS = (errors.LibraryNotFound, errors.LibraryEmpty, errors.EncoderMismatch)


@router.post(
    "",
    response_model=QueryOut,
    responses=documented(*AUDIO_PROBLEMS, *LIBRARY_PROBLEMS, errors.InvalidRequest, errors.Busy),
)
async def create_query(
    file: Annotated[UploadFile, File(description="the mixture: wav, aiff, flac, ogg, opus, mp3, m4a or aac")],
    question: QuestionDep,
    service: ServiceDep,
    response: Response,
) -> Any:
    """Which instruments of a library make the sound of this mixture."""
    async with service.engine.admit():
        answer = await service.ask(Upload(upload_name(file.filename), file.file), question)
    response.headers["Location"] = f"/v1/queries/{answer['id']}"
    return answer


@router.post("/batch", responses=documented(*LIBRARY_PROBLEMS, errors.InvalidRequest, errors.Busy))
async def create_queries(
    files: Annotated[list[UploadFile], File(description="mixtures; the other fields hold for each of them")],
    question: QuestionDep,
    service: ServiceDep,
    request: Request,
) -> BatchOut:
    """Several mixtures at once: one answer per file, or the problem with that file, in the order sent."""
    limit = service.settings.max_batch_files
    if len(files) > limit:
        raise errors.InvalidRequest(
            f"{len(files)} files are too many for one batch", value=len(files), limit=limit
        )
    async with service.engine.admit():
        uploads = [Upload(upload_name(file.filename), file.file) for file in files]
        return BatchOut(results=[await _batch_item(upload, question, service, request) for upload in uploads])


async def _batch_item(
    upload: Upload, question: QuestionDep, service: ServiceDep, request: Request
) -> BatchItem:
    try:
        return BatchItem(name=upload.name, query=QueryOut.model_validate(await service.ask(upload, question)))
    except errors.AudioError as error:
        problem = problem_of(error, instance=request.url.path, request_id=request_id_of(request))
        return BatchItem(name=upload.name, problem=ProblemOut(**problem))


@router.get("/{query_id}", response_model=QueryOut, responses=documented(errors.QueryNotFound))
def get_query(query_id: str, service: ServiceDep) -> Any:
    """A stored answer, as it was given."""
    return service.queries.result(query_id)


@router.get(
    "/{query_id}/audio",
    response_class=FileResponse,
    responses={
        200: {"description": "The uploaded file", "content": {kind: {} for kind in MEDIA_TYPES.values()}},
        206: {"description": "The bytes asked for"},
        **documented(errors.QueryNotFound),
    },
)
def get_query_audio(query_id: str, request: Request, service: ServiceDep) -> FileResponse:
    """The audio that was asked about; takes byte ranges."""
    return audio_response(request, service.queries.audio(query_id))
