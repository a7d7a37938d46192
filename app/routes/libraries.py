"""Libraries: creating and deleting them, their instruments, their map, and enrollment by upload.

Follows docs/ARCHITECTURE.md, section "HTTP contract". An upload is staged and checked, then enrolled by a job.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from app.access.ownership import Access
from app.default_library import is_default
from app.deps import (
    BACK_PRESSURE,
    MAX_PAGE,
    MULTIPART,
    AccessDep,
    DeletedLibraryId,
    FavouritesOnly,
    IdempotencyKey,
    InstrumentPageDep,
    LibraryDep,
    LibraryPageDep,
    OwnLibraryDep,
    SearchedFamily,
    SearchedName,
    SearchedOrder,
    ServiceDep,
)
from app.errors import BODY_STATUSES, documented
from app.idempotency import KeyedRequest
from app.instrument_schemas import InstrumentPage
from app.job_schemas import JobOut
from app.job_store import JobView, Storing
from app.library_schemas import (
    DuplicateGroup,
    DuplicatesOut,
    LibraryIn,
    LibraryOut,
    LibraryPage,
    LibraryPatch,
    MapOut,
    MapPoint,
)
from app.routes.instruments import instrument_out
from app.routes.jobs import job_out, queued_once
from app.service import Service
from app.slot_places import slot_places
from app.uploads import ACCEPTED, Upload, upload_name
from index.records import LibraryInfo
from models import errors

router = APIRouter(prefix="/v1/libraries", tags=["libraries"])


class EnrollForm(BaseModel):
    """The form field of an enrollment."""

    model_config = ConfigDict(json_schema_extra={"example": {"files": ["My synths.zip", "Bass.wav"]}})

    files: list[UploadFile] = Field(min_length=1, description=f"One or more of: {ACCEPTED}.")


def library_out(library: LibraryInfo, service: Service, access: Access) -> LibraryOut:
    """Convert a library, for a caller who sees it."""
    return _library_out(library, service, access, service.engine.jobs.being_filled())


def _library_out(
    library: LibraryInfo, service: Service, access: Access, being_filled: set[str]
) -> LibraryOut:
    job = service.updates.job_of(library)
    return LibraryOut(
        id=library.id,
        name=library.name,
        num_instruments=library.num_instruments,
        created_at=library.created_at,
        encoder=library.encoder_hash,
        default=is_default(library, service.default),
        state="partly_stale" if library.state == "partly stale" else library.state,
        state_reason=library.state_reason,
        num_stale=library.num_stale,
        num_from_previews=library.num_from_previews,
        update_job=job.id if job and access.sees_job(job) else None,
        filling=library.id in being_filled,
        shared=access.is_shared(library),
        writable=access.may_change(library) and access.caller.may("write"),
    )


@router.get("")
def list_libraries(page: LibraryPageDep, service: ServiceDep, access: AccessDep) -> LibraryPage:
    """List the caller's libraries and the shared ones, by name, each with its state: whether it can be searched, or must be
    updated first.
    """
    after = page.next.rpartition("/")[::2] if page.next else ("", "")  # several keys may use one name
    libraries = sorted(access.libraries(), key=lambda library: (library.name, library.id))
    following = [library for library in libraries if (library.name, library.id) > after]
    shown = following[: page.limit]
    more = len(following) > len(shown)
    being_filled = service.engine.jobs.being_filled()
    return LibraryPage(
        items=[_library_out(library, service, access, being_filled) for library in shown],
        next=f"{shown[-1].name}/{shown[-1].id}" if more else None,
    )


@router.post(
    "",
    status_code=201,
    responses=documented(errors.LibraryExists, errors.InvalidRequest, http=BODY_STATUSES),
)
def create_library(body: LibraryIn, response: Response, service: ServiceDep, access: AccessDep) -> LibraryOut:
    """Create an empty library. It belongs to the key that creates it, and other keys do not see it."""
    library = service.index.libraries.create(body.name, access.caller.key_id)
    response.headers["Location"] = f"/v1/libraries/{library.id}"
    return library_out(library, service, access)


@router.get("/{library_id}", responses=documented(errors.LibraryNotFound))
def get_library(library: LibraryDep, service: ServiceDep, access: AccessDep) -> LibraryOut:
    """Get a library by its id or name."""
    return library_out(library, service, access)


@router.delete(
    "/{library_id}",
    status_code=204,
    responses=documented(
        errors.LibraryNotFound, errors.LibraryNotOwned, errors.LibraryKept, errors.JobConflict
    ),
)
def delete_library(library: OwnLibraryDep, service: ServiceDep) -> None:
    """Delete a library with its instruments and previews. Stored queries keep their answers.

    It can be restored by its id for a while (SHOWME_UNDO_SECONDS, an hour). Its name is free at once. The default library
    cannot be deleted.
    """
    service.delete_library(library)


@router.patch(
    "/{library_id}",
    responses=documented(
        *(errors.LibraryNotFound, errors.LibraryNotOwned, errors.LibraryExists, errors.InvalidRequest),
        http=BODY_STATUSES,
    ),
)
def change_library(
    library: OwnLibraryDep, body: LibraryPatch, service: ServiceDep, access: AccessDep
) -> LibraryOut:
    """Rename a library, share it with other keys for reading, or end that. The default library keeps its name and is shared."""
    return library_out(service.change_library(library, body.name, body.shared), service, access)


@router.post(
    "/{library_id}/restore",
    responses=documented(errors.LibraryNotFound, errors.LibraryExists),
)
def restore_library(library_id: DeletedLibraryId, service: ServiceDep, access: AccessDep) -> LibraryOut:
    """Restore a recently deleted library whole. One that is not deleted is returned unchanged."""
    return library_out(service.index.libraries.restore(library_id, access.may_change), service, access)


@router.get(
    "/{library_id}/map",
    responses=documented(errors.LibraryNotFound, errors.QueryNotFound, errors.IndexDamaged),
)
def get_library_map(
    library: LibraryDep,
    service: ServiceDep,
    access: AccessDep,
    query: Annotated[
        str | None,
        Query(max_length=100, description="Id of a stored query whose slots are placed on the map."),
    ] = None,
) -> MapOut:
    """Get the library's instruments in two dimensions (t-SNE, or principal components), each within ±1.

    Enrollment draws the map; a library without one gets it on the first request, which may take some seconds.
    """
    answer = None if query is None else service.queries.answer(access.query(query))
    instruments, layout = service.index.maps.get(library.id)
    points = [
        MapPoint(instrument_id=item.id, name=item.name, family=item.family, x=x, y=y)
        for item, (x, y) in zip(instruments, layout.points.tolist(), strict=True)
    ]
    return MapOut(
        library_id=library.id,
        method=layout.method,
        points=points,
        explained_variance=layout.explained_variance,
        slots=[] if answer is None else slot_places(answer, points),
    )


@router.get(
    "/{library_id}/duplicates",
    responses=documented(errors.LibraryNotFound, errors.EncoderMismatch, errors.InvalidRequest),
)
def list_duplicates(
    library: LibraryDep,
    service: ServiceDep,
    min_similarity: Annotated[
        float, Query(ge=0.5, le=1, description="Cosine from which two instruments are duplicates.")
    ] = 0.98,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Largest number of groups to return.")] = 100,
) -> DuplicatesOut:
    """Group the instruments that sound nearly the same; each group is connected by pairs of duplicates."""
    found = service.index.duplicates(library.id, min_similarity, limit)
    return DuplicatesOut(
        groups=[
            DuplicateGroup(
                similarity=round(similarity, 4), instruments=[instrument_out(one, service) for one in group]
            )
            for similarity, group in found
        ]
    )


@router.get("/{library_id}/instruments", responses=documented(errors.LibraryNotFound, errors.InvalidRequest))
def list_instruments(
    library: LibraryDep,
    page: InstrumentPageDep,
    service: ServiceDep,
    family: SearchedFamily = None,
    search: SearchedName = None,
    sort: SearchedOrder = "enrolled",
    favourite: FavouritesOnly = False,
) -> InstrumentPage:
    """List the instruments of a library, a page at a time. `next` belongs to the same `sort`."""
    rows, following = service.index.instruments.page(
        library.id, page.limit, page.next, family, search, sort=sort, favourite=favourite
    )
    return InstrumentPage(items=[instrument_out(row, service) for row in rows], next=following)


@router.post(
    "/{library_id}/instruments",
    status_code=202,
    responses=documented(
        *(
            errors.LibraryNotFound,
            errors.LibraryNotOwned,
            errors.NotAudio,
            errors.UnsupportedAudio,
            errors.EmptyAudio,
            errors.AudioTooLarge,
        ),
        *(errors.SourceError, errors.EncoderMismatch, errors.InvalidRequest, *BACK_PRESSURE),
        *(errors.KeyReused, errors.KeyInUse),
        http=BODY_STATUSES,
    ),
)
def add_instruments(
    library: OwnLibraryDep,
    response: Response,
    service: ServiceDep,
    access: AccessDep,
    form: Annotated[EnrollForm, MULTIPART],
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Enroll instruments in the background and return the job.

    Each audio file, each top-level folder or .sfz of a zip, and each SoundFont preset is one instrument; a SoundFont may
    have SHOWME_MAX_PRESETS of them (2,000). A zip with .sfz
    files also holds their samples, in the folders that the .sfz files name. Instruments are stored in batches and appear in
    the library meanwhile (`filling`); a job that fails or is cancelled says how many it keeps. After a restart it goes on.
    """
    key_id = access.caller.key_id
    keyed = KeyedRequest.of(idempotency_key, request.url.path, form, key_id) if idempotency_key else None

    def queue(storing: Storing) -> JobView:
        uploads = [Upload(upload_name(item.filename), item.file) for item in form.files]
        return service.enroll_uploads(library, uploads, storing, key_id)

    return queued_once(service, response, keyed, queue)


@router.post(
    "/{library_id}/reembed",
    status_code=202,
    responses=documented(errors.LibraryNotFound, errors.LibraryNotOwned, errors.Busy),
)
def reembed_library(
    library: OwnLibraryDep, response: Response, service: ServiceDep, access: AccessDep
) -> JobOut:
    """Update a library of another encoder, in the background: embed its instruments with the encoder in use.

    Ids, names, families and queries stay. Instruments are embedded from their sources; those whose sources were not kept,
    from their previews. One whose source is gone is named in the job's `skipped` and stays stale. Until all embeddings are
    made, the library stays as it is; a cancelled or interrupted update goes on where it was. A library that is being
    updated already answers with its job.
    """
    view = service.updates.update(library, key_id=access.caller.key_id)
    response.headers["Location"] = f"/v1/jobs/{view.id}"
    return job_out(view)
