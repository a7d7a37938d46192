"""Recognition of one recording as a document: the families heard in it, and when each of them plays. No library is needed."""

from pydantic import ConfigDict, Field, JsonValue

from app.schemas import Document, Span
from index.recognition import HeardFamily, recognise
from models.audio import Decoded
from models.encoder_pair import EncoderPair

LEAST_PROBABILITY = 0.01  # of a family in the document

EXAMPLE_FAMILY: dict[str, JsonValue] = {
    "family": "guitar",
    "probability": 0.93,
    "active": [[0.0, 12.4]],
    "curve": [[2.5, 0.97], [5.0, 0.81], [7.5, 0.93], [9.9, 0.95]],
}


class HeardFamilyOut(Document):
    """A family of instruments heard in the recording."""

    family: str = Field(description="Name of the family.")
    probability: float = Field(
        description="Probability that an instrument of the family plays, 0 to 1: averaged over fifteen seconds, at its highest."
    )
    active: list[Span] = Field(
        description="Spans in which it plays more likely than not: (start, end) in seconds of the file."
    )
    curve: list[tuple[float, float]] = Field(
        description="Probability over time: (second, probability) at the centre of every window of five seconds."
    )


class RecognitionOut(Document):
    """The families of instruments that a recording holds; those below a probability of .01 are left out."""

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
        families=[_out(family) for family in heard if family.probability >= LEAST_PROBABILITY],
    )


def _out(heard: HeardFamily) -> HeardFamilyOut:
    return HeardFamilyOut(
        family=heard.family,
        probability=round(heard.probability, 4),
        active=[(round(start, 3), round(end, 3)) for start, end in heard.active],
        curve=[(round(second, 3), round(height, 4)) for second, height in heard.curve],
    )
