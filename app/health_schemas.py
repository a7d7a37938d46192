"""The documents of limits, health and readiness: the HTTP contract, field by field, with examples."""

from typing import Literal

from pydantic import ConfigDict, Field

from app.job_store import JobState
from app.problems import Problem
from app.schemas import Document


class LimitsOut(Document):
    """The limits of this service, so that a client can check before it sends anything."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "max_upload_bytes": 104857600,
                "max_library_bytes": 1073741824,
                "max_decoded_seconds": 1800.0,
                "max_batch_files": 32,
                "max_top_k": 100,
                "families": ["bass", "brass", "…"],
                "audio_formats": [".wav", ".mp3", "…"],
                "library_formats": [".wav", ".zip", ".sf2", "…"],
                "source_roots": ["/srv/samples"],
            }
        }
    )

    max_upload_bytes: int = Field(
        description="Largest request body, but for files that are added to a library."
    )
    max_library_bytes: int = Field(
        description="Largest upload for a library: in one request, or resumable in pieces."
    )
    max_decoded_seconds: float = Field(description="Longest range of audio that a query may analyse.")
    max_batch_files: int = Field(description="Most files of one batch.")
    max_top_k: int = Field(description="Most hits per slot.")
    families: list[str] = Field(description="Names of the instrument families.")
    audio_formats: list[str] = Field(description="File suffixes that a query accepts.")
    library_formats: list[str] = Field(description="File suffixes that can be added to a library.")
    source_roots: list[str] = Field(
        description="Folders of the server below which libraries may be filled by path; empty: none."
    )


class Health(Document):
    """The process is alive."""

    model_config = ConfigDict(json_schema_extra={"example": {"status": "ok"}})

    status: Literal["ok"] = Field(default="ok", description="Always `ok`.")


class Progress(Document):
    """The progress of the default library's enrollment."""

    state: JobState = Field(description="State of the enrollment's job.")
    done: int = Field(description="Number of instruments processed so far.")
    total: int = Field(description="Number of instruments to process.")
    message: str = Field(description="The progress in words.")


class Readiness(Document):
    """The state of the service."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "ready": True,
                "reasons": [],
                "device": "cpu",
                "encoder": "sha256:9f2c…",
                "search": "faiss-cpu 1.15.0",
                "libraries": 2,
                "instruments": 140,
                "progress": None,
            }
        }
    )

    ready: bool = Field(description="Whether nothing keeps the service from answering.")
    reasons: list[str] = Field(
        default=[],
        description="What keeps the service from answering, a sentence each; empty when it is ready.",
    )
    device: str = Field(description="Device that the encoders run on.")
    encoder: str = Field(description="Hash of the encoder in use.")
    search: str = Field(description="Engine of the vector search, with its version.")
    libraries: int = Field(description="Number of libraries.")
    instruments: int = Field(description="Number of instruments in all libraries.")
    progress: Progress | None = Field(
        default=None, description="Progress of the default library's enrollment; null when it is complete."
    )


class NotReady(Problem, Readiness):
    """The problem document of a service that is not ready, with its state beside the problem."""
