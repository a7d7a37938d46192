"""Libraries: making and removing them, what they hold, their map, and adding instruments by upload.

Follows the HTTP section of DESIGN.md; an upload is staged and checked, then enrolled by a job.
"""

from typing import Annotated

from fastapi import APIRouter, File, Query, Response, UploadFile

from app.deps import MAX_PAGE, PageDep, ServiceDep
from app.errors import documented
from app.library_schemas import (
    DuplicateGroup,
    DuplicatesOut,
    FamilyName,
    InstrumentPage,
    LibraryIn,
    LibraryOut,
    LibraryPage,
    MapOut,
    MapPoint,
)
from app.routes.instruments import instrument_out
from app.routes.jobs import job_out
from app.schemas import JobOut
from app.service import Service
from app.slot_places import slot_places
from app.uploads import ACCEPTED, Upload, upload_name
from index.records import LibraryInfo
from models import errors

router = APIRouter(prefix="/v1/libraries", tags=["libraries"])


def library_out(library: LibraryInfo, service: Service) -> LibraryOut:
    default = service.default is not None and library.name == service.default.name
    return LibraryOut(
        id=library.id,
        name=library.name,
        num_instruments=library.num_instruments,
        created_at=library.created_at,
        encoder=library.encoder_hash,
        default=default,
    )


@router.get("")
def list_libraries(page: PageDep, service: ServiceDep) -> LibraryPage:
    """All libraries, by name."""
    libraries = sorted(service.index.libraries.all(), key=lambda library: (library.name, library.id))
    following = [library for library in libraries if page.next is None or library.name > page.next]
    shown = following[: page.limit]
    more = len(following) > len(shown)
    return LibraryPage(
        items=[library_out(library, service) for library in shown], next=shown[-1].name if more else None
    )


@router.post("", status_code=201, responses=documented(errors.LibraryExists, errors.InvalidRequest))
def create_library(body: LibraryIn, response: Response, service: ServiceDep) -> LibraryOut:
    """An empty library."""
    library = service.index.libraries.create(body.name)
    response.headers["Location"] = f"/v1/libraries/{library.id}"
    return library_out(library, service)


@router.get("/{library_id}", responses=documented(errors.LibraryNotFound))
def get_library(library_id: str, service: ServiceDep) -> LibraryOut:
    """One library, by id or by name."""
    return library_out(service.index.libraries.get(library_id), service)


@router.delete(
    "/{library_id}", status_code=204, responses=documented(errors.LibraryNotFound, errors.JobConflict)
)
def delete_library(library_id: str, service: ServiceDep) -> None:
    """Remove a library with its instruments and previews; stored queries keep their answers.

    For a while (SHOWME_UNDO_SECONDS, an hour) it can be restored by its id; its name is free at once.
    """
    service.delete_library(library_id)


@router.patch(
    "/{library_id}",
    responses=documented(errors.LibraryNotFound, errors.LibraryExists, errors.InvalidRequest),
)
def rename_library(library_id: str, body: LibraryIn, service: ServiceDep) -> LibraryOut:
    """Give a library another name; the default library keeps its own."""
    return library_out(service.rename_library(library_id, body.name), service)


@router.post(
    "/{library_id}/restore",
    responses=documented(errors.LibraryNotFound, errors.LibraryExists),
)
def restore_library(library_id: str, service: ServiceDep) -> LibraryOut:
    """Bring a deleted library back whole, if that was not too long ago; one that is there is answered as it is."""
    return library_out(service.index.libraries.restore(library_id), service)


@router.get(
    "/{library_id}/map",
    responses=documented(errors.LibraryNotFound, errors.QueryNotFound, errors.IndexDamaged),
)
def get_map(
    library_id: str,
    service: ServiceDep,
    query: Annotated[
        str | None, Query(max_length=100, description="a stored query whose slots are placed on the map")
    ] = None,
) -> MapOut:
    """The library's instruments in two dimensions (t-SNE, or principal components), each within ±1.

    It is drawn when instruments are enrolled; a library that has none yet gets it now, which may take some seconds.
    """
    library = service.index.libraries.get(library_id)
    result = None if query is None else service.queries.result(query)
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
        slots=[] if result is None else slot_places(result, points),
    )


@router.get(
    "/{library_id}/duplicates",
    responses=documented(errors.LibraryNotFound, errors.EncoderMismatch, errors.InvalidRequest),
)
def get_duplicates(
    library_id: str,
    service: ServiceDep,
    min_similarity: Annotated[
        float, Query(ge=0.5, le=1, description="cosine from which a pair counts as the same")
    ] = 0.98,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="groups at most")] = 100,
) -> DuplicatesOut:
    """Groups of instruments that are nearly the same, connected by pairs that are similar enough."""
    found = service.index.duplicates(library_id, min_similarity, limit)
    return DuplicatesOut(
        groups=[
            DuplicateGroup(
                similarity=round(similarity, 4), instruments=[instrument_out(one) for one in group]
            )
            for similarity, group in found
        ]
    )


@router.get("/{library_id}/instruments", responses=documented(errors.LibraryNotFound, errors.InvalidRequest))
def list_instruments(
    library_id: str,
    page: PageDep,
    service: ServiceDep,
    family: Annotated[FamilyName | None, Query(description="only this family")] = None,
    search: Annotated[str | None, Query(max_length=200, description="part of the name")] = None,
) -> InstrumentPage:
    """The instruments of a library, a page at a time."""
    library = service.index.libraries.get(library_id)
    rows, following = service.index.instruments.page(library.id, page.limit, page.next, family, search)
    return InstrumentPage(items=[instrument_out(row) for row in rows], next=following)


@router.post(
    "/{library_id}/instruments",
    status_code=202,
    responses=documented(
        *(
            errors.LibraryNotFound,
            errors.NotAudio,
            errors.UnsupportedAudio,
            errors.EmptyAudio,
            errors.AudioTooLarge,
        ),
        *(errors.SourceError, errors.EncoderMismatch, errors.InvalidRequest, errors.Busy),
    ),
)
def add_instruments(
    library_id: str,
    response: Response,
    service: ServiceDep,
    files: Annotated[list[UploadFile], File(description=f"one or more of: {ACCEPTED}")],
) -> JobOut:
    """Enroll instruments in the background: each audio file, top-level folder or .sfz of a zip, and SoundFont preset.

    A zip with .sfz files also brings their samples, in the folders where they look for them.

    The answer is the job; nothing appears in the library unless all of it could be stored.
    """
    library = service.index.libraries.get(library_id)
    view = service.enroll_uploads(library, [Upload(upload_name(item.filename), item.file) for item in files])
    response.headers["Location"] = f"/v1/jobs/{view.id}"
    return job_out(view)
