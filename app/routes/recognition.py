"""Recognition: a recording in, the families of instruments in it out. Nothing is stored, and no library is needed."""

from typing import Annotated

from fastapi import APIRouter, UploadFile
from pydantic import ConfigDict, Field

from app.deps import BACK_PRESSURE, MULTIPART, AccessDep, ServiceDep
from app.errors import BODY_STATUSES, documented
from app.heard_families import RecognitionOut
from app.question import AskedRange
from app.routes.queries import AUDIO_PROBLEMS
from app.uploads import Upload, upload_name
from models import errors

router = APIRouter(prefix="/v1/recognise", tags=["recognition"])


class RecognitionForm(AskedRange):
    """The form fields of a recognition: a file, and the range of it to analyse."""

    model_config = ConfigDict(json_schema_extra={"example": {"file": "song.mp3", "start_seconds": 4.0}})

    file: UploadFile = Field(description="The recording: wav, aiff, flac, ogg, opus, mp3, m4a or aac.")


@router.post(
    "",
    responses=documented(
        *AUDIO_PROBLEMS, errors.InvalidRequest, *BACK_PRESSURE, errors.CheckpointError, http=BODY_STATUSES
    ),
)
async def recognise(
    form: Annotated[RecognitionForm, MULTIPART], service: ServiceDep, access: AccessDep
) -> RecognitionOut:
    """Tell which families of instruments a recording holds and when each of them plays, without any library."""
    async with service.queue.admit(access.caller.key_id):
        return await service.listening.recognise(
            Upload(upload_name(form.file.filename), form.file.file), form
        )
