"""Queries: a mixture in, the library's instruments out; stored answers, their audio and their downloads.

Follows docs/ARCHITECTURE.md, section "HTTP contract", and section 3.3 of Kim et al. 2022.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Query, Request, Response, UploadFile
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import ConfigDict, Field, JsonValue

from app.access.ownership import Access
from app.audio_response import MEDIA_TYPES, audio_response
from app.deps import BACK_PRESSURE, MULTIPART, AccessDep, IdempotencyKey, OwnQueryId, QueryPageDep, ServiceDep
from app.errors import BODY_STATUSES, documented, problem_of
from app.export.document import MEDIA_TYPES as EXPORT_TYPES
from app.export.document import ExportedSet, as_json, chosen_set, disposition, file_name, midi_files
from app.export.packing import as_zip, chunks_of
from app.export.source_files import source_files
from app.export.tables import as_csv
from app.idempotency import KeyedRequest
from app.query_queue import QueueFull
from app.question import MAX_EXCLUDED, Question
from app.schemas import BatchItem, BatchOut, QueryAnswer, QueryPage, QueryPatch
from app.service import Service
from app.timelines import TimelineOut
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


EXAMPLE_FORM: dict[str, JsonValue] = {"library": "TimGM6mb", "top_k": 5, "start_seconds": 4.0}


class QueryForm(Question):
    """The form fields of a query: either a file, or a stored query whose audio is used again."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": EXAMPLE_FORM | {"file": "song.mp3"},
            "oneOf": [{"required": ["file"]}, {"required": ["query"]}],
        }
    )

    file: UploadFile | None = Field(
        default=None, description="The mixture: wav, aiff, flac, ogg, opus, mp3, m4a or aac."
    )
    query: str | None = Field(
        default=None,
        max_length=100,
        description="Instead of a file: id of the stored query whose audio is used again.",
    )


class BatchForm(Question):
    """The form fields of a batch: several files, and the parameters that hold for each of them."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_FORM | {"files": ["song.mp3"]}})

    files: list[UploadFile] = Field(
        min_length=1, description="The mixtures; the other fields hold for each of them."
    )


@router.post(
    "",
    responses=documented(
        *AUDIO_PROBLEMS,
        *LIBRARY_PROBLEMS,
        errors.QueryNotFound,
        errors.InvalidRequest,
        errors.KeyReused,
        errors.KeyInUse,
        *BACK_PRESSURE,
        http=BODY_STATUSES,
    ),
)
async def create_query(
    form: Annotated[QueryForm, MULTIPART],
    service: ServiceDep,
    access: AccessDep,
    request: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> QueryAnswer:
    """Find the instruments of a library that sound like those in a mixture: a `file`, or the audio of a stored `query`."""
    if (form.file is None) == (not form.query):
        sent = "neither" if form.file is None else "both"
        raise errors.InvalidRequest(
            f"send either a file or the id of a stored query, not {sent}",
            value=sent,
            limit="one of `file` and `query`",
        )
    keyed = None
    if idempotency_key is not None:
        path, key_id = request.url.path, access.caller.key_id
        keyed = await to_thread.run_sync(KeyedRequest.of, idempotency_key, path, form, key_id)
    with service.keys.using(keyed):
        first = await to_thread.run_sync(service.keys.first_answer, keyed)
        answer = QueryAnswer.model_validate_json(first) if first else await _ask(form, service, access, keyed)
    response.headers["Location"] = f"/v1/queries/{answer.id}"
    return answer


async def _ask(form: QueryForm, service: Service, access: Access, keyed: KeyedRequest | None) -> QueryAnswer:
    async with service.queue.admit(access.caller.key_id):
        if form.file is not None:
            upload = Upload(upload_name(form.file.filename), form.file.file)
            return await service.listening.ask(upload, form, access, keyed)
        return await service.listening.ask_again(str(form.query), form, access, keyed)


@router.post(
    "/batch",
    responses=documented(*LIBRARY_PROBLEMS, errors.InvalidRequest, *BACK_PRESSURE, http=BODY_STATUSES),
)
async def create_query_batch(
    form: Annotated[BatchForm, MULTIPART], service: ServiceDep, access: AccessDep, request: Request
) -> BatchOut:
    """Query several mixtures at once: for each file, in the order sent, its answer or the problem with it.

    A file whose audio finds no room beside that of other queries is answered with the problem `busy`: send it again.
    """
    limit = service.settings.max_batch_files
    if len(form.files) > limit:
        seen = len(form.files)
        raise errors.InvalidRequest(
            f"a batch may have at most {limit} files, not {seen}", value=seen, limit=limit
        )
    async with service.queue.admit(access.caller.key_id, len(form.files)):
        uploads = [Upload(upload_name(file.filename), file.file) for file in form.files]
        path = request.url.path
        results = [await _batch_item(upload, form, service, access, path) for upload in uploads]
        return BatchOut(results=results)


async def _batch_item(
    upload: Upload, question: Question, service: Service, access: Access, path: str
) -> BatchItem:
    try:
        return BatchItem(name=upload.name, query=await service.listening.ask(upload, question, access))
    except (errors.AudioError, QueueFull) as error:
        return BatchItem(name=upload.name, problem=problem_of(error, instance=path))


@router.api_route("/batch", methods=["GET", "DELETE"], include_in_schema=False)
def refuse_batch_methods() -> None:
    """Say that only POST is for batches, which "batch" as the id of a query would not."""
    raise HTTPException(405)


@router.get("", responses=documented(errors.InvalidRequest))
def list_queries(
    page: QueryPageDep,
    access: AccessDep,
    search: Annotated[
        str | None, Query(max_length=200, description="Words, each part of the name, in either case.")
    ] = None,
) -> QueryPage:
    """List the stored queries that the caller has asked, newest first. Those about one upload have the same `track`."""
    items, following = access.query_page(page.limit, page.next, search)
    return QueryPage(items=items, next=following)


@router.get("/{query_id}", responses=documented(errors.QueryNotFound))
def get_query(query_id: OwnQueryId, service: ServiceDep) -> QueryAnswer:
    """Get a stored answer as it was given."""
    return service.queries.answer(query_id)


@router.patch(
    "/{query_id}", responses=documented(errors.QueryNotFound, errors.InvalidRequest, http=BODY_STATUSES)
)
def rename_track(query_id: OwnQueryId, body: QueryPatch, service: ServiceDep) -> QueryAnswer:
    """Rename the track of a stored query, in the answers to all queries about it."""
    return service.queries.rename(query_id, body.name)


@router.delete("/{query_id}", status_code=204, responses=documented(errors.QueryNotFound))
def delete_query(query_id: OwnQueryId, service: ServiceDep) -> None:
    """Delete a stored answer and its audio."""
    service.queries.remove(query_id)


@router.get(
    "/{query_id}/timeline",
    responses=documented(errors.QueryNotFound, errors.RecogniserMissing, errors.AudioError, *BACK_PRESSURE),
)
async def get_query_timeline(query_id: OwnQueryId, service: ServiceDep, access: AccessDep) -> TimelineOut:
    """Get which families sound when in a stored query, nearly ten times a second, over its whole range."""
    return await service.listening.timeline(query_id, access.caller.key_id)


@router.get(
    "/{query_id}/export",
    response_class=Response,
    responses={
        200: {
            "description": "The download.",
            "model": ExportedSet,
            "content": {kind: {} for kind in EXPORT_TYPES.values()},
        },
        **documented(errors.QueryNotFound, errors.InvalidRequest, *BACK_PRESSURE),
    },
)
async def export_query(
    query_id: OwnQueryId,
    service: ServiceDep,
    access: AccessDep,
    request: Request,
    format: Annotated[
        Literal["json", "csv", "zip"],
        Query(
            description="Format of the download; `zip` holds both lists, the previews and the sure parts as MIDI."
        ),
    ] = "json",
    instruments: Annotated[
        list[str] | None,
        Query(
            max_length=MAX_EXPORTED,
            description="Ids of the chosen instruments; left out: the best hit of every slot.",
        ),
    ] = None,
    sources: Annotated[
        bool,
        Query(
            description="Whether the zip also holds the files that instruments of one's own libraries were enrolled from."
        ),
    ] = False,
) -> Response:
    """Download the chosen instruments. Deleted ones are listed as `gone`, without a preview.

    Where `sources` are asked for, `no_files` says of each instrument without them why.
    """
    answer = await to_thread.run_sync(service.queries.answer, query_id)
    page, ids = str(request.base_url), instruments or []
    chosen = await to_thread.run_sync(chosen_set, answer, ids, service.index, access.instrument, page)
    headers = {"Content-Disposition": disposition(file_name(chosen, format))}
    kind = EXPORT_TYPES[format]
    if format != "zip":
        content = as_json(chosen) if format == "json" else as_csv(chosen)
        return Response(content, media_type=kind, headers=headers)
    midi = await _midi_of(chosen, service, access.caller.key_id)
    files: dict[str, Path] = {}
    if sources:
        limit = service.settings.max_unpacked_bytes
        files = await to_thread.run_sync(source_files, chosen, partial(_files_of, service, access), limit)
    file = await to_thread.run_sync(as_zip, chosen, service.index, midi, files)
    headers["Content-Length"] = str(file.tell())
    return StreamingResponse(chunks_of(file), media_type=kind, headers=headers)


def _files_of(service: Service, access: Access, instrument_id: str) -> list[Path]:
    """Return the files of an instrument of the caller's own."""
    return service.source_files(access.instrument(instrument_id, to_change=True))


async def _midi_of(chosen: ExportedSet, service: Service, key_id: str | None) -> dict[str, bytes]:
    """Return the MIDI files of a set; none where the audio is not stored any more, or nothing reads notes."""
    try:
        return midi_files(chosen, await service.listening.parts(chosen.query, key_id))
    except (errors.AudioGone, errors.AudioError, errors.CheckpointError):
        return {}


@router.get(
    "/{query_id}/audio",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole file.", "content": {kind: {} for kind in MEDIA_TYPES.values()}},
        206: {"description": "The requested bytes."},
        **documented(errors.QueryNotFound),
    },
)
def get_query_audio(query_id: OwnQueryId, request: Request, service: ServiceDep) -> FileResponse:
    """Get the audio of a stored query; supports byte ranges."""
    return audio_response(request, service.queries.audio(query_id))
