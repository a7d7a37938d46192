"""One instrument: what it is, how it sounds, and what sounds like it.

Follows the HTTP section of DESIGN.md.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from app.answering import hit_out, preview_url
from app.audio_response import audio_response
from app.deps import ServiceDep
from app.errors import documented
from app.library_schemas import InstrumentOut, InstrumentPatch, SimilarOut
from index.instruments import Correction
from index.records import InstrumentInfo
from models.errors import EncoderMismatch, InstrumentExists, InstrumentNotFound, InvalidRequest

router = APIRouter(prefix="/v1/instruments", tags=["instruments"])
MAX_SIMILAR = 100


def instrument_out(instrument: InstrumentInfo) -> InstrumentOut:
    return InstrumentOut(
        id=instrument.id,
        library_id=instrument.library_id,
        name=instrument.name,
        family=instrument.family,
        source=instrument.source,
        num_clips=instrument.num_clips,
        licence=instrument.licence,
        playable_range=instrument.playable_range,
        preview_url=preview_url(instrument.id),
    )


@router.get("/{instrument_id}", responses=documented(InstrumentNotFound))
def get_instrument(instrument_id: str, service: ServiceDep) -> InstrumentOut:
    """One instrument."""
    return instrument_out(service.index.instruments.get(instrument_id))


@router.patch("/{instrument_id}", responses=documented(InstrumentNotFound, InstrumentExists, InvalidRequest))
def correct_instrument(instrument_id: str, body: InstrumentPatch, service: ServiceDep) -> InstrumentOut:
    """Correct an instrument's name, its family, or both; enrolling its source again does not undo that."""
    correction: Correction = {}
    if body.name is not None:
        correction["name"] = body.name
    if "family" in body.model_fields_set:
        correction["family"] = body.family
    return instrument_out(service.index.instruments.correct(instrument_id, correction))


@router.delete("/{instrument_id}", status_code=204, responses=documented(InstrumentNotFound))
def delete_instrument(instrument_id: str, service: ServiceDep) -> None:
    """Remove an instrument from its library; for a while (SHOWME_UNDO_SECONDS, an hour) it can be restored."""
    service.index.instruments.delete(instrument_id)


@router.post(
    "/{instrument_id}/restore",
    responses=documented(InstrumentNotFound, InstrumentExists, EncoderMismatch),
)
def restore_instrument(instrument_id: str, service: ServiceDep) -> InstrumentOut:
    """Bring a deleted instrument back, if that was not too long ago; one that is there is answered as it is."""
    return instrument_out(service.index.instruments.restore(instrument_id))


@router.get(
    "/{instrument_id}/preview",
    response_class=FileResponse,
    responses={
        200: {"description": "The preview", "content": {"audio/mpeg": {}}},
        206: {"description": "The bytes asked for", "content": {"audio/mpeg": {}}},
        **documented(InstrumentNotFound),
    },
)
def get_preview(instrument_id: str, request: Request, service: ServiceDep) -> FileResponse:
    """A few seconds of the instrument as mp3; takes byte ranges."""
    path = service.index.instruments.preview_path(service.index.instruments.get(instrument_id).id)
    if not path.is_file():
        raise InstrumentNotFound(f"instrument {instrument_id} has no preview any more", value=instrument_id)
    return audio_response(request, path)


@router.get(
    "/{instrument_id}/similar", responses=documented(InstrumentNotFound, EncoderMismatch, InvalidRequest)
)
def get_similar(
    instrument_id: str, service: ServiceDep, limit: Annotated[int, Query(ge=1, le=MAX_SIMILAR)] = 10
) -> SimilarOut:
    """The instruments of the same library that come nearest, best first, without the instrument itself."""
    return SimilarOut(items=[hit_out(candidate) for candidate in service.index.similar(instrument_id, limit)])
