"""Queries: a mixture in, the library's instruments out; stored answers and their audio.

Follows the HTTP section of DESIGN.md and section 3.3 of Kim et al. 2022.
"""

from secrets import token_hex
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from app import export
from app.answering import MAX_EXCLUDED
from app.audio_response import MEDIA_TYPES, audio_response
from app.deps import PageDep, QuestionDep, ServiceDep
from app.errors import documented, problem_of, request_id_of
from app.schemas import BatchItem, BatchOut, ProblemOut, QueryOut, QueryPage, QuerySummary
from app.uploads import Upload, upload_name
from models import errors

# a thousand excluded instruments are as many form fields, beside the others
router = APIRouter(prefix="/v1/queries", tags=["queries"], form_limits={"max_fields": MAX_EXCLUDED + 100})

MAX_EXPORTED = 500  # instruments of one download

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
    responses=documented(
        *AUDIO_PROBLEMS, *LIBRARY_PROBLEMS, errors.QueryNotFound, errors.InvalidRequest, errors.Busy
    ),
)
async def create_query(
    question: QuestionDep,
    service: ServiceDep,
    response: Response,
    file: Annotated[
        UploadFile | None, File(description="the mixture: wav, aiff, flac, ogg, opus, mp3, m4a or aac")
    ] = None,
    query: Annotated[
        str | None,
        Form(max_length=100, description="instead of a file: the stored query whose audio is asked again"),
    ] = None,
) -> Any:
    """Which instruments of a library make the sound of this mixture: of a `file`, or of a stored `query`'s audio."""
    if (file is None) == (not query):
        sent = "neither" if file is None else "both"
        raise errors.InvalidRequest(
            f"send either a file or the id of a stored query; {sent} came",
            value=sent,
            limit="one of `file` and `query`",
        )
    async with service.engine.admit():
        if file is not None:
            answer = await service.ask(Upload(upload_name(file.filename), file.file), question)
        else:
            answer = await service.ask_again(str(query), question)
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


@router.get("", responses=documented(errors.InvalidRequest))
def list_queries(page: PageDep, service: ServiceDep) -> QueryPage:
    """The stored queries, newest first."""
    rows, following = service.queries.page(page.limit, page.next)
    return QueryPage(
        items=[QuerySummary.model_validate(row, from_attributes=True) for row in rows], next=following
    )


@router.get("/{query_id}", response_model=QueryOut, responses=documented(errors.QueryNotFound))
def get_query(query_id: str, service: ServiceDep) -> Any:
    """A stored answer, as it was given."""
    return service.queries.result(query_id)


@router.delete("/{query_id}", status_code=204, responses=documented(errors.QueryNotFound))
def delete_query(query_id: str, service: ServiceDep) -> None:
    """Forget a stored answer and its audio."""
    service.queries.remove(query_id)


@router.get(
    "/{query_id}/export",
    response_class=Response,
    responses={
        200: {"description": "The set", "content": {kind: {} for kind in export.MEDIA_TYPES.values()}},
        **documented(errors.QueryNotFound, errors.InvalidRequest),
    },
)
def export_set(
    query_id: str,
    service: ServiceDep,
    format: Annotated[
        Literal["json", "csv", "zip"], Query(description="zip holds both and the previews")
    ] = "json",
    instruments: Annotated[
        list[str] | None,
        Query(max_length=MAX_EXPORTED, description="ids; left out, the best hit of every slot"),
    ] = None,
) -> Response:
    """The chosen instruments as a download. Those that are gone since are listed as `gone`, without a preview."""
    document = export.chosen_set(service.queries.result(query_id), instruments or [], service.index)
    headers = {"Content-Disposition": export.disposition(export.file_name(document, format))}
    kind = export.MEDIA_TYPES[format]
    if format != "zip":
        content = export.as_json(document) if format == "json" else export.as_csv(document)
        return Response(content, media_type=kind, headers=headers)
    path = service.index.folder.tmp_dir / f"export_{token_hex(8)}.zip"
    try:
        export.write_zip(path, document, service.index)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return FileResponse(path, media_type=kind, headers=headers, background=BackgroundTask(path.unlink))


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
