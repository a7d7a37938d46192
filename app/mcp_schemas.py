"""The documents of the tools for language models: what each takes, and what it answers, field by field.

Answers are shorter than those of the API: what a model reads costs.
"""

from pathlib import Path

from pydantic import BaseModel, Field

from app.instrument_schemas import MAX_SIMILAR
from app.question import Question
from app.schemas import Span


class TrackQuestion(Question):
    """A track, and what is asked about it."""

    path: Path = Field(description="Path of the audio file on this machine; absolute is best.")


class LaneQuestion(BaseModel):
    """A lane of an answer."""

    query: str = Field(max_length=100, description="Id of the answer (q_…), from query_track.")
    slot: int = Field(ge=0, description="Number of the lane (`slot`) in that answer.")


class SimilarQuestion(BaseModel):
    """An instrument, or a file with one sound."""

    instrument: str | None = Field(default=None, max_length=100, description="Id of an instrument (i_…).")
    path: Path | None = Field(
        default=None, description="Instead: path of an audio file with one sound, not a mixture."
    )
    library: str | None = Field(
        default=None,
        max_length=200,
        description="With a path: id or name of the library; left out: the default one, or the only one.",
    )
    limit: int = Field(default=10, ge=1, le=MAX_SIMILAR, description="Largest number of instruments.")


class NoQuestion(BaseModel):
    """No arguments."""


class ExportQuestion(BaseModel):
    """The instruments of an answer, and the file to write."""

    query: str = Field(max_length=100, description="Id of the answer (q_…), from query_track.")
    path: Path = Field(
        description="File to write, which must not exist; .json, .csv or .zip (with mp3 previews)."
    )
    instruments: list[str] = Field(
        default=[],
        max_length=500,
        description="Ids of the instruments to export; left out: the best of each lane.",
    )


class SimilarInstrument(BaseModel):
    """An instrument of a library, and how similar it is."""

    instrument: str = Field(description="Id of the instrument.")
    name: str = Field(description="Name of the instrument.")
    family: str | None = Field(description="Its family; null when it is not known.")
    source: str | None = Field(description="File, preset or folder that it was enrolled from.")
    similarity: float = Field(description="Cosine similarity, −1 to 1.")


class Lane(BaseModel):
    """One instrument that is heard in the track."""

    slot: int = Field(description="Number of the lane.")
    family: str | None = Field(description="Family that is heard; null when nothing tells one.")
    match: str | None = Field(
        description="How likely the library holds what plays: strong, fair, weak, or none, when no hit resembles it."
    )
    active: list[Span] = Field(description="Spans in which it plays: (start, end) in seconds of the file.")
    hits: list[SimilarInstrument] = Field(
        description="Instruments of the library most similar to it, best first."
    )


class TrackAnswer(BaseModel):
    """The instruments heard in a track."""

    query: str = Field(description="Id of the answer, for the other tools.")
    library: str = Field(description="Name of the library that was searched.")
    range_seconds: Span = Field(description="The analysed range: (start, end) in seconds of the file.")
    lanes: list[Lane] = Field(description="One lane for each instrument heard.")


class LaneExplanation(Lane):
    """Why a lane has its family and its hits."""

    summary: str = Field(description="The explanation in a few sentences.")
    presence: float = Field(description="Probability that something plays here, 0 to 1.")
    match_probability: float | None = Field(
        description="Probability that the library holds what plays, 0 to 1."
    )
    families: dict[str, float] = Field(description="Probability of each family, the most probable first.")
    lead: float | None = Field(
        description="Similarity of the best hit above that of the second; null without two."
    )


class SimilarInstruments(BaseModel):
    """Similar instruments, best first."""

    instruments: list[SimilarInstrument] = Field(description="The instruments, best first.")


class ListedLibrary(BaseModel):
    """A library of instruments."""

    library: str = Field(description="Id of the library.")
    name: str = Field(description="Name of the library.")
    num_instruments: int = Field(description="Number of its instruments.")
    default: bool = Field(description="Whether query_track uses it when no library is named.")
    state: str = Field(
        description="ready; partly stale or stale: embedded with another encoder and left out of searches."
    )


class ListedLibraries(BaseModel):
    """The libraries of this machine."""

    libraries: list[ListedLibrary] = Field(description="The libraries, the oldest first.")


class Exported(BaseModel):
    """A file that was written."""

    path: str = Field(description="Absolute path of the file.")
    num_instruments: int = Field(description="Number of instruments in it.")
