"""The parts of a query: the notes of each slot, as a MIDI file and played by an instrument, and what the slot isolates.

Follows docs/ARCHITECTURE.md, section "HTTP contract".
"""

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from app.audio_response import audio_response
from app.deps import BACK_PRESSURE, AccessDep, OwnQueryId, ServiceDep
from app.errors import documented
from app.export.document import disposition
from app.parts import PartsOut
from models import errors

router = APIRouter(prefix="/v1/queries", tags=["queries"])

MIDI = "audio/midi"
READ_PROBLEMS = (
    *(errors.QueryNotFound, errors.AudioGone, errors.AudioError, errors.CheckpointError),
    *(errors.InvalidRequest, *BACK_PRESSURE),
)
SlotNumber = Annotated[int, Path(ge=0, description="Number of the slot in the answer.")]


@router.get("/{query_id}/parts", responses=documented(*READ_PROBLEMS))
async def list_parts(query_id: OwnQueryId, service: ServiceDep, access: AccessDep) -> PartsOut:
    """List the parts of a stored query: for each slot how many notes are heard, and how surely they are its own."""
    return (await service.listening.parts(query_id, access.caller.key_id)).document


@router.get(
    "/{query_id}/slots/{slot}/midi",
    response_class=Response,
    responses={
        200: {"description": "A Standard MIDI File of format 0.", "content": {MIDI: {}}},
        **documented(*READ_PROBLEMS, errors.SlotNotFound, errors.NoNotes),
    },
)
async def get_part_midi(
    query_id: OwnQueryId, slot: SlotNumber, service: ServiceDep, access: AccessDep
) -> Response:
    """Download the part of a slot as notes. The file begins with the audio file, so that the two can be laid side by side."""
    parts = await service.listening.parts(query_id, access.caller.key_id)
    headers = {"Content-Disposition": disposition(parts.file_name(slot))}
    return Response(parts.midi(slot), media_type=MIDI, headers=headers)


@router.get(
    "/{query_id}/slots/{slot}/render",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole part.", "content": {"audio/mpeg": {}}},
        206: {"description": "The requested bytes.", "content": {"audio/mpeg": {}}},
        **documented(
            *READ_PROBLEMS,
            *(errors.SlotNotFound, errors.InstrumentNotFound, errors.NoNotes, errors.CannotPlay),
        ),
    },
)
async def render_part(
    query_id: OwnQueryId,
    slot: SlotNumber,
    request: Request,
    service: ServiceDep,
    access: AccessDep,
    instrument: Annotated[
        str, Query(max_length=100, description="Id of the instrument that plays the part.")
    ],
) -> FileResponse:
    """Hear the part of a slot played by an instrument, as mp3 from the beginning of the queried range on.

    At most five minutes are played. Notes out of the instrument's range move by octaves; a folder of one-shots plays its
    nearest sample, transposed by a fifth at most. An instrument that cannot is refused with the reason. Supports byte ranges.
    """
    player = await to_thread.run_sync(access.instrument, instrument)
    parts = await service.listening.parts(query_id, access.caller.key_id)
    async with service.queue.admit(access.caller.key_id):
        path = await service.queue.render(lambda: service.renderer.rendered(parts, slot, player))
    return audio_response(request, path)


Muted = Annotated[
    bool, Query(description="Whether to get the mixture without what the slot isolates, instead of it.")
]
ISOLATED_PROBLEMS = documented(*READ_PROBLEMS, errors.SlotNotFound)


@router.get(
    "/{query_id}/slots/{slot}/isolated",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole range.", "content": {"audio/mpeg": {}}},
        206: {"description": "The requested bytes.", "content": {"audio/mpeg": {}}},
        **ISOLATED_PROBLEMS,
    },
)
async def get_isolated_slot(
    query_id: OwnQueryId,
    slot: SlotNumber,
    request: Request,
    service: ServiceDep,
    access: AccessDep,
    mute: Muted = False,
) -> FileResponse:
    """Hear what a slot isolates of the mixture, as mp3 of one channel over the queried range: a preview, not a stem.

    The mixture is masked by the slot's share of each cell in time and frequency, which follows from the notes, the slot's
    presence and its families. At most five minutes are isolated, from the beginning of the range on. Supports byte ranges.
    """
    path = await service.listening.isolated(query_id, slot, mute, access.caller.key_id)
    return audio_response(request, path)


@router.head(
    "/{query_id}/slots/{slot}/isolated",
    response_class=FileResponse,
    responses={
        200: {"description": "The headers of the whole range."},
        206: {"description": "The headers of the requested bytes."},
        **ISOLATED_PROBLEMS,
    },
)
async def head_isolated_slot(
    query_id: OwnQueryId,
    slot: SlotNumber,
    request: Request,
    service: ServiceDep,
    access: AccessDep,
    mute: Muted = False,
) -> FileResponse:
    """Get the size and the type of what a slot isolates, which is made if need be, without the audio."""
    return await get_isolated_slot(query_id, slot, request, service, access, mute)
