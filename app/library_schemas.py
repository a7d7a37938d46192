"""The documents of libraries, their instruments and their maps: the HTTP contract, field by field, with examples.

Follows docs/ARCHITECTURE.md, section "HTTP contract". Fields are added and never renamed or removed.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema

from app.instrument_schemas import EXAMPLE_INSTRUMENT, InstrumentOut, without_default
from app.schemas import NEXT, Document
from index.libraries import MAX_NAME_LENGTH

LibraryName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH, pattern=r"^[^\x00-\x1f\x7f/\\]+$"
    ),
]

EXAMPLE_LIBRARY: dict[str, JsonValue] = {
    "id": "l_0b1e6f3c9a2d",
    "name": "TimGM6mb",
    "num_instruments": 136,
    "created_at": "2026-11-20T12:00:00Z",
    "encoder": "sha256:9f2c…",
    "default": True,
    "state": "ready",
    "state_reason": None,
    "num_stale": 0,
    "num_from_previews": 0,
    "update_job": None,
    "filling": False,
    "shared": True,
    "writable": False,
}


class LibraryIn(BaseModel):
    """The name for a library."""

    model_config = ConfigDict(json_schema_extra={"example": {"name": "My synths"}})

    name: LibraryName = Field(description="Name of the library; white space counts once.")


class LibraryPatch(BaseModel):
    """A change of a library. Fields that are left out stay as they are."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "My synths", "shared": True}, "minProperties": 1}
    )

    name: LibraryName | SkipJsonSchema[None] = Field(
        default=None,
        description="The new name; white space counts once.",
        json_schema_extra=without_default,
    )
    shared: bool | SkipJsonSchema[None] = Field(
        default=None, description="Whether all keys may read it.", json_schema_extra=without_default
    )

    @model_validator(mode="after")
    def _require_change(self) -> Self:
        if all(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("give a name, shared, or both")
        return self


class LibraryOut(Document):
    """A library of instruments."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE_LIBRARY})

    id: str = Field(description="Id of the library.")
    name: str = Field(description="Name of the library.")
    num_instruments: int = Field(description="Number of its instruments.")
    created_at: datetime = Field(description="Time of its creation, UTC.")
    encoder: str = Field(description="Hash of the encoder that made its embeddings.")
    default: bool = Field(description="Whether queries that name no library use this one.")
    state: Literal["ready", "partly_stale", "stale"] = Field(
        default="ready",
        description="`stale`: another encoder made its embeddings, and it cannot be searched until it is updated "
        "(POST …/reembed); `partly_stale`: so it is with some of its instruments, which queries leave out.",
    )
    state_reason: str | None = Field(
        default=None, description="What is stale, and why, in a sentence; null when nothing is."
    )
    num_stale: int = Field(default=0, description="Number of its instruments that cannot be searched.")
    num_from_previews: int = Field(
        default=0,
        description="Number of its instruments that were updated from their previews, since their sources were not kept.",
    )
    update_job: str | None = Field(
        default=None,
        description="Id of the queued or running job that updates it; null without one, or if it is not the caller's.",
    )
    filling: bool = Field(
        default=False,
        description="Whether a job is adding instruments to it: those that are stored can be searched, more will appear.",
    )
    shared: bool = Field(default=False, description="Whether all keys may read it; the default library is.")
    writable: bool = Field(default=True, description="Whether the caller may change it.")


class LibraryPage(Document):
    """A page of libraries."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [EXAMPLE_LIBRARY], "next": None}})

    items: list[LibraryOut] = Field(description="Libraries, by name.")
    next: str | None = Field(description=NEXT)


class DuplicateGroup(Document):
    """Instruments that sound nearly the same."""

    similarity: float = Field(description="Lowest cosine similarity of any of them to the first.")
    instruments: list[InstrumentOut] = Field(
        description="The instruments, at least two, in the order of enrollment."
    )


class DuplicatesOut(Document):
    """The duplicates of a library."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "groups": [
                    {
                        "similarity": 0.993,
                        "instruments": [
                            EXAMPLE_INSTRUMENT,
                            EXAMPLE_INSTRUMENT | {"id": "i_90a7c3315fe2", "name": "Fretless Bass (2)"},
                        ],
                    }
                ]
            }
        }
    )

    groups: list[DuplicateGroup] = Field(description="Groups of duplicates, the most similar first.")


class MapPoint(Document):
    """An instrument's place on the map."""

    instrument_id: str = Field(description="Id of the instrument.")
    name: str = Field(description="Name of the instrument.")
    family: str | None = Field(description="Family of the instrument; null when it is not known.")
    x: float = Field(description="Horizontal coordinate, −1 to 1.")
    y: float = Field(description="Vertical coordinate, −1 to 1.")


class MapSlot(Document):
    """A slot's place on the map, among its most similar instruments."""

    slot: int = Field(description="Number of the slot.")
    x: float = Field(description="Horizontal coordinate, −1 to 1.")
    y: float = Field(description="Vertical coordinate, −1 to 1.")


class MapOut(Document):
    """The instruments of a library in two dimensions: neighbours on the map sound alike."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "library_id": "l_0b1e6f3c9a2d",
                "method": "t-SNE",
                "points": [
                    {
                        "instrument_id": "i_5d1c9a04be77",
                        "name": "Fretless Bass",
                        "family": "bass",
                        "x": 0.31,
                        "y": -0.62,
                    }
                ],
                "explained_variance": None,
                "slots": [{"slot": 0, "x": 0.28, "y": -0.6}],
            }
        }
    )

    library_id: str = Field(description="Id of the library.")
    method: Literal["t-SNE", "PCA"] = Field(
        description="Projection method; PCA for libraries with fewer than 10 instruments or with very many."
    )
    points: list[MapPoint] = Field(description="The instruments.")
    explained_variance: tuple[float, float] | None = Field(
        description="Share of the variance on each axis, 0 to 1; null for t-SNE, whose axes have no meaning."
    )
    slots: list[MapSlot] = Field(
        description="The slots of the query that was named; slots without a hit in this library are left out."
    )
