"""The documents of a correction of several instruments at once: the HTTP contract, field by field, with examples.

Follows docs/ARCHITECTURE.md, section "HTTP contract". Fields are added and never renamed or removed.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.library_schemas import EXAMPLE_INSTRUMENT, InstrumentChanges, InstrumentOut
from app.schemas import Document

MAX_CORRECTED = 500  # instruments of one request

InstrumentKey = Annotated[str, StringConstraints(max_length=100)]


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
