"""The parameters of a query, validated in one place for the HTTP API, the terminal and the Python API.

The fields are those of POST /v1/queries (docs/ARCHITECTURE.md, section "HTTP contract"). The service's own upper limit on
`top_k` is a setting and is checked where the library is chosen (`app/answering.py`).
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from app.problems import InvalidFields
from index.families import FAMILIES
from models.audio import LATEST_SECONDS

DEFAULT_TOP_K = 5  # hits per slot
MAX_EXCLUDED = 1000  # instruments

Mode = Literal["auto", "paper"]
FamilyName = Literal[FAMILIES]  # type: ignore[valid-type]
Seconds = Annotated[float, Field(ge=0, le=LATEST_SECONDS, allow_inf_nan=False)]


class AskedRange(BaseModel):
    """The range of a file that is asked about. Construction raises InvalidRequest for invalid fields."""

    model_config = ConfigDict(frozen=True)

    start_seconds: Seconds = Field(default=0.0, description="Start of the range to analyse.")
    end_seconds: Seconds | None = Field(
        default=None, description="End of the range to analyse. Empty: the end of the file."
    )

    @field_validator("end_seconds")
    @classmethod
    def _range_is_not_empty(cls, end: float | None, info: ValidationInfo) -> float | None:
        start = info.data.get("start_seconds")
        if end is not None and start is not None and end <= start:
            raise PydanticCustomError(
                "empty_range", "must be after start_seconds, which is {gt}", {"gt": start}
            )
        return end

    @model_validator(mode="wrap")
    @classmethod
    def _raise_invalid_request(cls, data: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return validate(data)
        except ValidationError as error:
            raise InvalidFields.of(error.errors(include_url=False)) from None


class Question(AskedRange):
    """The parameters of a query: library, method, range and filters."""

    library: str | None = Field(
        default=None,
        max_length=200,
        description="Id or name of the library. Empty: the default library, or else the only one.",
    )
    top_k: int = Field(
        default=DEFAULT_TOP_K, ge=1, description="Hits per slot; at most SHOWME_MAX_TOP_K (100)."
    )
    mode: Mode = Field(
        default="auto",
        description="`auto` links slots over time and keeps those that are present; `paper` returns every slot and "
        "the retrieved set R as Kim et al. 2022 (section 3.3) do.",
    )
    family: FamilyName | None = Field(default=None, description="Restrict hits to this family.")
    exclude: tuple[str, ...] = Field(
        default=(), max_length=MAX_EXCLUDED, description="Ids of instruments that must not be hits."
    )
    effects: bool = Field(
        default=False,
        description="Whether sound effects may be hits. They may in any case with `family=effect`, and in a library of "
        "nothing else.",
    )
