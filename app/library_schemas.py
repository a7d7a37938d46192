"""What goes over the wire of libraries, their instruments and their maps: the HTTP contract, field by field, with examples.

Follows the HTTP section of DESIGN.md; names are the contract, so fields are added and never renamed.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.schemas import HitOut
from index.families import FAMILIES
from index.instruments import MAX_INSTRUMENT_NAME_LENGTH
from index.libraries import MAX_NAME_LENGTH

LibraryName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH, pattern=r"^[^\x00-\x1f\x7f/\\]+$"
    ),
]

InstrumentName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=MAX_INSTRUMENT_NAME_LENGTH,
        pattern=r"^[^\x00-\x1f\x7f]+$",
    ),
]
FamilyName = Literal[FAMILIES]  # type: ignore[valid-type]


class LibraryIn(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"name": "My synths"}})

    name: LibraryName


class InstrumentPatch(BaseModel):
    """A correction; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "Picked Bass", "family": "bass"}})

    name: InstrumentName | None = None
    family: FamilyName | None = Field(default=None, description="null when none of the families fits")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give a name, a family, or both")
        if "name" in self.model_fields_set and self.name is None:
            raise ValueError("the name cannot be null; leave it out to keep it")
        return self


class LibraryOut(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "l_0b1e6f3c9a2d",
                "name": "TimGM6mb",
                "num_instruments": 128,
                "created_at": "2026-11-20T12:00:00Z",
                "encoder": "sha256:9f2c…",
                "default": True,
            }
        }
    )

    id: str
    name: str
    num_instruments: int
    created_at: datetime
    encoder: str = Field(description="hash of the encoder of its embeddings")
    default: bool = Field(description="whether queries that name no library use this one")


class LibraryPage(BaseModel):
    items: list[LibraryOut]
    next: str | None = Field(description="pass it as `next` to get the following page; null on the last")


class InstrumentOut(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "i_5d1c9a04be77",
                "library_id": "l_0b1e6f3c9a2d",
                "name": "Fretless Bass",
                "family": "bass",
                "source": "TimGM6mb.sf2#0:35",
                "num_clips": 8,
                "licence": "GPL-2.0",
                "playable_range": [0, 127],
                "preview_url": "/v1/instruments/i_5d1c9a04be77/preview",
            }
        }
    )

    id: str
    library_id: str
    name: str
    family: str | None
    source: str
    num_clips: int
    licence: str | None = Field(description="what the source says of it; null when it says nothing")
    playable_range: tuple[int, int] | None = Field(
        description="lowest and highest MIDI pitch; null for recordings, and for what older versions enrolled"
    )
    preview_url: str


class InstrumentPage(BaseModel):
    items: list[InstrumentOut]
    next: str | None = Field(description="pass it as `next` to get the following page; null on the last")


class DuplicateGroup(BaseModel):
    similarity: float = Field(description="the lowest cosine of any of them to the first")
    instruments: list[InstrumentOut] = Field(description="at least two, in the order of enrollment")


class DuplicatesOut(BaseModel):
    groups: list[DuplicateGroup] = Field(description="the most similar first")


class SimilarOut(BaseModel):
    items: list[HitOut]


class MapPoint(BaseModel):
    instrument_id: str
    name: str
    family: str | None
    x: float
    y: float


class MapSlot(BaseModel):
    slot: int
    x: float
    y: float


class MapOut(BaseModel):
    """The library's instruments in two dimensions, within ±1: what sounds alike lies together."""

    library_id: str
    method: Literal["t-SNE", "PCA"] = Field(description="PCA for libraries of fewer than 10 or very many")
    points: list[MapPoint]
    explained_variance: tuple[float, float] | None = Field(
        description="share of the variance on each axis, 0 to 1; null for t-SNE, whose axes mean nothing"
    )
    slots: list[MapSlot] = Field(
        description="of the query that was named: amid its nearest instruments; a slot none of whose hits is here is left out"
    )
