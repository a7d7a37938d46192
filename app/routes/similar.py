"""One sound in, the instruments of a library that sound like it out. Nothing is stored."""

from typing import Annotated

from fastapi import APIRouter, UploadFile
from pydantic import ConfigDict, Field

from app.answering import hit_out
from app.deps import BACK_PRESSURE, MULTIPART, AccessDep, ServiceDep
from app.errors import BODY_STATUSES, documented
from app.instrument_schemas import MAX_SIMILAR, SimilarOut
from app.question import AskedRange
from app.routes.queries import AUDIO_PROBLEMS, LIBRARY_PROBLEMS
from app.uploads import Upload, upload_name
from models import errors

router = APIRouter(prefix="/v1/similar", tags=["instruments"])


class SimilarForm(AskedRange):
    """The form fields of a search by sound: a file, the range of it that is heard, and the library."""

    model_config = ConfigDict(json_schema_extra={"example": {"file": "bass.wav", "library": "TimGM6mb"}})

    file: UploadFile = Field(
        description="One sound, such as a sample: wav, aiff, flac, ogg, opus, mp3, m4a or aac."
    )
    library: str | None = Field(
        default=None,
        max_length=200,
        description="Id or name of the library. Empty: the default library, or else the only one.",
    )
    limit: int = Field(
        default=10, ge=1, le=MAX_SIMILAR, description="Largest number of instruments to return."
    )


@router.post(
    "",
    responses=documented(
        *AUDIO_PROBLEMS, *LIBRARY_PROBLEMS, errors.InvalidRequest, *BACK_PRESSURE, http=BODY_STATUSES
    ),
)
async def find_similar(
    form: Annotated[SimilarForm, MULTIPART], service: ServiceDep, access: AccessDep
) -> SimilarOut:
    """Find the instruments of a library that sound like a sound of one instrument, best first.

    It is heard as an instrument is that is enrolled from this file; for a mixture there is POST /v1/queries.
    """
    upload = Upload(upload_name(form.file.filename), form.file.file)
    async with service.queue.admit(access.caller.key_id):
        hits = await service.listening.similar(upload, form, form.library, form.limit, access)
    return SimilarOut(items=[hit_out(hit) for hit in hits])
