"""Recognition of one recording as a document: the families heard in it, and when each of them plays. No library is needed."""

from collections.abc import Sequence

from pydantic import ConfigDict, Field

from app.query_examples import EXAMPLE_FAMILY
from app.schemas import Document, HeardFamilyOut, Span
from index.recognition import HeardFamily, recognise
from models.audio import Decoded
from models.encoder_pair import EncoderPair

LEAST_PROBABILITY = 0.05  # of a family in a document


class RecognitionOut(Document):
    """The families of instruments that a recording holds; those below a probability of .05 are left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "song.mp3",
                "encoder": "sha256:9f2c…",
                "duration_seconds": 12.4,
                "range_seconds": [0.0, 12.4],
                "families": [EXAMPLE_FAMILY],
            }
        }
    )

    name: str = Field(description="File name of the recording.")
    encoder: str = Field(description="Hash of the encoder that heard it.")
    duration_seconds: float = Field(description="Length of the whole file.")
    range_seconds: Span = Field(description="The analysed range: (start, end) in seconds of the file.")
    families: list[HeardFamilyOut] = Field(description="The families heard, the most probable first.")


def recognition_of(pair: EncoderPair, decoded: Decoded, name: str) -> RecognitionOut:
    """Recognise the families in decoded audio of the file `name`. Raises SilentAudio and CheckpointError."""
    start, end = decoded.range_seconds
    heard = recognise(pair, decoded.samples, start)
    return RecognitionOut(
        name=name,
        encoder=pair.encoder_hash,
        duration_seconds=round(decoded.duration_seconds, 6),
        range_seconds=(round(start, 6), round(end, 6)),
        families=families_out(heard),
    )


def families_out(heard: Sequence[HeardFamily]) -> list[HeardFamilyOut]:
    """Convert the families that are heard; those that nearly certainly do not play are left out."""
    return [
        HeardFamilyOut(
            family=one.family,
            probability=round(one.probability, 4),
            active=[(round(start, 3), round(end, 3)) for start, end in one.active],
            curve=[(round(second, 3), round(height, 4)) for second, height in one.curve],
            plays=one.plays,
        )
        for one in heard
        if one.plays or one.probability >= LEAST_PROBABILITY
    ]
