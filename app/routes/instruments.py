"""Instruments: their properties, corrections, previews, neighbours and single notes.

Follows docs/ARCHITECTURE.md, section "HTTP contract".
"""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from app.answering import hit_out, preview_url
from app.archive import clean_name
from app.audio_response import MEDIA_TYPES, UNKNOWN_TYPE, audio_response
from app.deps import (
    BACK_PRESSURE,
    AccessDep,
    FavouritesOnly,
    InstrumentDep,
    InstrumentId,
    InstrumentPageDep,
    OwnInstrumentDep,
    SearchedFamily,
    SearchedName,
    SearchedOrder,
    ServiceDep,
)
from app.errors import BODY_STATUSES, documented
from app.export.document import MEDIA_TYPES as EXPORT_TYPES
from app.export.document import disposition
from app.export.packing import chunks_of, files_as_zip
from app.instrument_schemas import (
    MAX_SIMILAR,
    CorrectedOut,
    Direction,
    InstrumentOut,
    InstrumentPage,
    InstrumentPatch,
    InstrumentsPatch,
    KeysOut,
    SimilarOut,
)
from app.service import Service
from index.records import InstrumentInfo
from index.sound_descriptors import Directions
from models.errors import (
    CannotPlay,
    EncoderMismatch,
    InstrumentExists,
    InstrumentNotFound,
    InvalidRequest,
    LibraryNotOwned,
    SourceNotKept,
)

router = APIRouter(prefix="/v1/instruments", tags=["instruments"])


def instrument_out(instrument: InstrumentInfo, service: Service) -> InstrumentOut:
    """Convert an instrument."""
    return InstrumentOut(
        id=instrument.id,
        library_id=instrument.library_id,
        name=instrument.name,
        family=instrument.family,
        recognised_family=instrument.recognised_family,
        families=dict(instrument.families) if instrument.families else None,
        source=instrument.source,
        num_clips=instrument.num_clips,
        licence=instrument.licence,
        playable_range=instrument.playable_range,
        preview_url=preview_url(instrument.id),
        stale=instrument.encoder_hash != service.index.encoder_hash,
        tags=list(instrument.tags),
        favourite=instrument.favourite,
    )


@router.get("", responses=documented(InvalidRequest))
def search_instruments(
    page: InstrumentPageDep,
    service: ServiceDep,
    access: AccessDep,
    family: SearchedFamily = None,
    search: SearchedName = None,
    sort: SearchedOrder = "enrolled",
    favourite: FavouritesOnly = False,
) -> InstrumentPage:
    """List the instruments of all libraries that the caller may read, a page at a time. `next` belongs to the same `sort`."""
    readable = service.index.libraries.sizes(access.may_read)
    rows, following = service.index.instruments.page_of(
        readable, page.limit, page.next, family, search, sort=sort, favourite=favourite
    )
    return InstrumentPage(items=[instrument_out(row, service) for row in rows], next=following)


@router.patch(
    "",
    responses=documented(InstrumentNotFound, LibraryNotOwned, InvalidRequest, http=BODY_STATUSES),
)
def correct_instruments(body: InstrumentsPatch, service: ServiceDep, access: AccessDep) -> CorrectedOut:
    """Correct or mark several instruments, of one library or of several: all of them, or none."""
    ids = [access.instrument(one, to_change=True).id for one in dict.fromkeys(body.ids)]
    rows = service.index.instruments.correct_all(ids, body.changes.correction())
    return CorrectedOut(items=[instrument_out(row, service) for row in rows])


@router.get("/{instrument_id}", responses=documented(InstrumentNotFound))
def get_instrument(instrument: InstrumentDep, service: ServiceDep) -> InstrumentOut:
    """Get an instrument."""
    return instrument_out(instrument, service)


@router.patch(
    "/{instrument_id}",
    responses=documented(
        InstrumentNotFound, LibraryNotOwned, InstrumentExists, InvalidRequest, http=BODY_STATUSES
    ),
)
def correct_instrument(
    instrument: OwnInstrumentDep, body: InstrumentPatch, service: ServiceDep
) -> InstrumentOut:
    """Correct an instrument's name or family, tag it, or mark it as a favourite. Enrolling its source again keeps that."""
    return instrument_out(service.index.instruments.correct(instrument.id, body.correction()), service)


@router.delete("/{instrument_id}", status_code=204, responses=documented(InstrumentNotFound, LibraryNotOwned))
def delete_instrument(instrument: OwnInstrumentDep, service: ServiceDep) -> None:
    """Delete an instrument. It can be restored for a while (SHOWME_UNDO_SECONDS, an hour)."""
    service.index.instruments.delete(instrument.id)


@router.post(
    "/{instrument_id}/restore",
    responses=documented(InstrumentNotFound, InstrumentExists),
)
def restore_instrument(instrument_id: InstrumentId, service: ServiceDep, access: AccessDep) -> InstrumentOut:
    """Restore a recently deleted instrument. One that is not deleted is returned unchanged."""
    return instrument_out(service.index.instruments.restore(instrument_id, access.may_change), service)


@router.get(
    "/{instrument_id}/preview",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole preview.", "content": {"audio/mpeg": {}}},
        206: {"description": "The requested bytes.", "content": {"audio/mpeg": {}}},
        **documented(InstrumentNotFound),
    },
)
def get_instrument_preview(instrument: InstrumentDep, request: Request, service: ServiceDep) -> FileResponse:
    """Get a few seconds of the instrument as mp3; supports byte ranges."""
    path = service.index.instruments.preview_path(instrument.id)
    if not path.is_file():
        raise InstrumentNotFound(f"instrument {instrument.id} no longer has a preview", value=instrument.id)
    return audio_response(request, path)


@router.head(
    "/{instrument_id}/preview",
    response_class=FileResponse,
    responses={
        200: {"description": "The headers of the whole preview."},
        206: {"description": "The headers of the requested bytes."},
        **documented(InstrumentNotFound),
    },
)
def head_instrument_preview(instrument: InstrumentDep, request: Request, service: ServiceDep) -> FileResponse:
    """Get the size and the type of the instrument's preview, and whether it is there, without the audio."""
    return get_instrument_preview(instrument, request, service)


@router.get(
    "/{instrument_id}/source",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The file, or a zip of several.",
            "content": {kind: {} for kind in (*MEDIA_TYPES.values(), EXPORT_TYPES["zip"], UNKNOWN_TYPE)},
        },
        206: {"description": "The requested bytes of a single file."},
        **documented(InstrumentNotFound, LibraryNotOwned, SourceNotKept),
    },
)
def get_instrument_source(instrument: OwnInstrumentDep, request: Request, service: ServiceDep) -> Response:
    """Download what the instrument was enrolled from: its recording, its recordings as a zip, its SoundFont or its .sfz.

    Only the owner of its library may. Sources that were not kept, that are gone, or that lie outside the folders which the
    service may read are answered with 409 and the reason, and so are SFZ instruments and data sets in folders of many files.
    """
    files = service.source_files(instrument)
    if len(files) == 1:
        return audio_response(request, files[0])
    try:
        total, limit = sum(path.stat().st_size for path in files), service.settings.max_unpacked_bytes
        if total > limit:
            message = f"the files of {instrument.name} have {total} bytes; a download may have {limit}"
            raise SourceNotKept(message, value=total, limit=limit)
        file = files_as_zip(files, service.index.folder.tmp_dir)
    except FileNotFoundError as error:
        raise SourceNotKept(
            f"a file of {instrument.name} is not there any more", value=instrument.id
        ) from error
    name = clean_name(f"{instrument.name}.zip")
    headers = {"Content-Disposition": disposition(name), "Content-Length": str(file.tell())}
    return StreamingResponse(chunks_of(file), media_type=EXPORT_TYPES["zip"], headers=headers)


@router.get(
    "/{instrument_id}/similar", responses=documented(InstrumentNotFound, EncoderMismatch, InvalidRequest)
)
def list_similar_instruments(
    instrument: InstrumentDep,
    service: ServiceDep,
    limit: Annotated[
        int, Query(ge=1, le=MAX_SIMILAR, description="Largest number of instruments to return.")
    ] = 10,
    brightness: Annotated[
        Direction, Query(description="From darker (-1) to brighter (1) instruments.")
    ] = 0.0,
    attack: Annotated[Direction, Query(description="From a softer (-1) to a harder (1) attack.")] = 0.0,
    length: Annotated[Direction, Query(description="From shorter (-1) to longer (1) sounds.")] = 0.0,
) -> SimilarOut:
    """List the most similar other instruments of the same library, best first, or those in the directions that are given.

    A direction weighs beside the similarity, by how far an instrument lies in it among those of the library. The spectral
    centroid, the attack and the length are measured of the previews.
    """
    to = Directions(brightness, attack, length)
    return SimilarOut(items=[hit_out(hit) for hit in service.index.similar(instrument.id, limit, to)])


@router.get("/{instrument_id}/keys", responses=documented(InstrumentNotFound, CannotPlay, *BACK_PRESSURE))
async def list_keys(instrument: InstrumentDep, service: ServiceDep, access: AccessDep) -> KeysOut:
    """List the pitches that an instrument plays as single notes; one-shots are listened to for it.

    An instrument that plays none is refused with the reason.
    """
    async with service.queue.admit(access.caller.key_id):
        pitches = await service.queue.render(lambda: service.renderer.keys(instrument))
    return KeysOut(instrument_id=instrument.id, pitches=list(pitches))


@router.get(
    "/{instrument_id}/note",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole note.", "content": {"audio/flac": {}}},
        206: {"description": "The requested bytes.", "content": {"audio/flac": {}}},
        **documented(InstrumentNotFound, CannotPlay, InvalidRequest, *BACK_PRESSURE),
    },
)
async def get_note(
    instrument: InstrumentDep,
    request: Request,
    service: ServiceDep,
    access: AccessDep,
    pitch: Annotated[int, Query(ge=0, le=127, description="MIDI pitch; 60 is middle C.")],
    velocity: Annotated[
        int, Query(ge=1, le=127, description="How hard the key is struck; every note peaks at -3 dBFS.")
    ] = 100,
) -> FileResponse:
    """Get one note of an instrument, held for three seconds and then released, as flac; supports byte ranges.

    The notes within an octave of it are rendered too and kept for a while, so that they come at once. An instrument that
    cannot play the pitch is refused with the reason.
    """
    path = await to_thread.run_sync(service.renderer.kept_note, instrument, pitch, velocity)
    if path is None:
        async with service.queue.admit(access.caller.key_id):
            path = await service.queue.render(lambda: service.renderer.note(instrument, pitch, velocity))
    return audio_response(request, path)
