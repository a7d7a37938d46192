"""The documents of instruments, their corrections and their keys: the HTTP contract, field by field, with examples.

Follows docs/ARCHITECTURE.md, section "HTTP contract". Fields are added and never renamed or removed.
"""

from typing import Annotated, Self, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema

from app.query_examples import EXAMPLE_HIT
from app.question import FamilyName
from app.schemas import NEXT, Document, HitOut
from index.instruments import MAX_INSTRUMENT_NAME_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, Correction

MAX_SIMILAR = 100  # instruments of one answer

MAX_CORRECTED = 500  # instruments of one request

Direction = Annotated[
    float, Field(ge=-1, le=1, allow_inf_nan=False)
]  # in which similar instruments are looked for

InstrumentKey = Annotated[str, StringConstraints(max_length=100)]


InstrumentName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=MAX_INSTRUMENT_NAME_LENGTH,
        pattern=r"^[^\x00-\x1f\x7f]+$",
    ),
]

Tag = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=MAX_TAG_LENGTH, pattern=r"^[^\x00-\x1f\x7f,]+$"
    ),
]

EXAMPLE_INSTRUMENT: dict[str, JsonValue] = {
    "id": "i_5d1c9a04be77",
    "library_id": "l_0b1e6f3c9a2d",
    "name": "Fretless Bass",
    "family": "bass",
    "recognised_family": None,
    "families": None,
    "source": "TimGM6mb.sf2#0:35",
    "num_clips": 8,
    "licence": "GPL-2.0",
    "playable_range": [0, 127],
    "preview_url": "/v1/instruments/i_5d1c9a04be77/preview",
    "stale": False,
    "tags": ["warm"],
    "favourite": False,
}


def without_default(schema: JsonDict) -> None:
    """Leave out the default of a field that can be left out, but not be null."""
    schema.pop("default")


class InstrumentChanges(BaseModel):
    """Corrections and marks that one instrument or several can get. Fields that are left out stay as they are."""

    model_config = ConfigDict(json_schema_extra={"example": {"family": "bass"}, "minProperties": 1})

    family: FamilyName | None = Field(
        default=None, description="The new family; null when none of the families fits."
    )
    tags: Annotated[list[Tag], Field(max_length=MAX_TAGS)] | SkipJsonSchema[None] = Field(
        default=None,
        description="All its tags from now on; each counts once.",
        json_schema_extra=without_default,
    )
    favourite: bool | SkipJsonSchema[None] = Field(
        default=None, description="Whether it is a favourite.", json_schema_extra=without_default
    )

    @model_validator(mode="after")
    def _require_valid_change(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"give at least one of {', '.join(type(self).model_fields)}")
        for name in self.model_fields_set - {"family"}:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null; leave it out to keep it")
        return self

    def correction(self) -> Correction:
        """The fields that were given."""
        return cast(Correction, {name: getattr(self, name) for name in self.model_fields_set})


class InstrumentPatch(InstrumentChanges):
    """A correction of an instrument, or a mark on it. Fields that are left out stay as they are."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "Picked Bass", "family": "bass"}, "minProperties": 1}
    )

    name: InstrumentName | SkipJsonSchema[None] = Field(
        default=None, description="The new name.", json_schema_extra=without_default
    )


class InstrumentOut(Document):
    """An instrument of a library."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_INSTRUMENT})

    id: str = Field(description="Id of the instrument.")
    library_id: str = Field(description="Id of its library.")
    name: str = Field(description="Name of the instrument, unique in its library.")
    family: str | None = Field(description="Family of the instrument; null when it is not known.")
    recognised_family: str | None = Field(
        default=None,
        description="Most probable of `families`, where neither its source nor a person names the family; null elsewhere.",
    )
    families: dict[str, float] | None = Field(
        default=None,
        description="Probability of each family, recognised from its sound at enrollment, the most probable first; null where "
        "the family is named, or corrected to none, and where nothing recognises one.",
    )
    source: str = Field(description="File, preset or folder that it was enrolled from.")
    num_clips: int = Field(description="Number of clips that were embedded.")
    licence: str | None = Field(description="Licence that the source states; null when it states none.")
    playable_range: tuple[int, int] | None = Field(
        description="Lowest and highest MIDI pitch; null for recordings, and for instruments enrolled by older versions."
    )
    preview_url: str = Field(description="Path of its preview as mp3.")
    stale: bool = Field(
        default=False, description="Whether another encoder has embedded it, so that queries leave it out."
    )
    tags: list[str] = Field(default=[], description="Words that people have marked it with.")
    favourite: bool = Field(default=False, description="Whether people have marked it as a favourite.")


class InstrumentPage(Document):
    """A page of instruments."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE_INSTRUMENT], "next": None}})

    items: list[InstrumentOut] = Field(description="Instruments, in the order asked for.")
    next: str | None = Field(description=NEXT)


class InstrumentsPatch(BaseModel):
    """A correction of several instruments."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"ids": ["i_5d1c9a04be77", "i_90a7c3315fe2"], "changes": {"family": "bass"}}
        }
    )

    ids: list[InstrumentKey] = Field(
        min_length=1,
        max_length=MAX_CORRECTED,
        description="Ids of the instruments; one that is repeated counts once.",
    )
    changes: InstrumentChanges = Field(description="The fields that all of them get.")


class CorrectedOut(Document):
    """Instruments that were corrected together."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE_INSTRUMENT]}})

    items: list[InstrumentOut] = Field(description="The instruments, in the order of their ids.")


class SimilarOut(Document):
    """The instruments of one library that sound most like an instrument of it, or like an uploaded sound."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE_HIT]}})

    items: list[HitOut] = Field(description="Instruments of the library, the most similar first.")


class KeysOut(Document):
    """The single notes that an instrument plays."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"instrument_id": "i_5d1c9a04be77", "pitches": [40, 41, 42, 43]}}
    )

    instrument_id: str = Field(description="Id of the instrument.")
    pitches: list[int] = Field(
        description="MIDI pitches, ascending; of a folder of one-shots there may be gaps."
    )
