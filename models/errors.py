"""Every error this project raises on purpose, drawn as one tree.

Each class carries a stable `slug` (the problem type of RFC 9457) and a title; HTTP status codes live in `app/errors.py` only.

    ShowMeError
    ├── AudioError ── NotAudio · UnsupportedAudio · AudioTooLarge · EmptyAudio · NonFiniteAudio · SilentAudio
    │                 RangeOutsideAudio
    ├── LibraryError ── LibraryNotFound · LibraryExists · LibraryEmpty · InstrumentNotFound · InstrumentExists
    │                   QueryNotFound · JobNotFound
    ├── SourceError          a library source that cannot be read
    ├── InvalidRequest       a parameter outside its limits
    ├── JobConflict          the job's state forbids the request
    ├── Busy                 the queue is full; try again
    ├── CheckpointError ── EncoderMismatch
    ├── IndexDamaged         vectors that cannot be rebuilt
    └── TrainingError        a recipe or a data folder that cannot be trained on
"""

from typing import ClassVar


class ShowMeError(Exception):
    """A mistake worth telling the user about: what was seen (`value`) and what is allowed (`limit`)."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, message: str, *, value: object = None, limit: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.limit = limit


class AudioError(ShowMeError):
    slug = "audio"
    title = "The audio cannot be used"


class NotAudio(AudioError):
    slug = "not-audio"
    title = "Not an audio file"


class UnsupportedAudio(AudioError):
    slug = "unsupported-audio"
    title = "Audio format not supported"


class AudioTooLarge(AudioError):
    slug = "audio-too-large"
    title = "Audio too large"


class EmptyAudio(AudioError):
    slug = "empty-audio"
    title = "The audio holds no samples"


class NonFiniteAudio(AudioError):
    slug = "non-finite-audio"
    title = "The audio holds NaN or infinite samples"


class SilentAudio(AudioError):
    slug = "silent-audio"
    title = "The audio is silent"


class RangeOutsideAudio(AudioError):
    slug = "range-outside-audio"
    title = "The time range lies outside the audio"


class LibraryError(ShowMeError):
    slug = "library"
    title = "The library cannot be used"


class LibraryNotFound(LibraryError):
    slug = "library-not-found"
    title = "No such library"


class LibraryExists(LibraryError):
    slug = "library-exists"
    title = "A library of this name exists"


class LibraryEmpty(LibraryError):
    slug = "library-empty"
    title = "The library holds no instruments"


class InstrumentNotFound(LibraryError):
    slug = "instrument-not-found"
    title = "No such instrument"


class InstrumentExists(LibraryError):
    slug = "instrument-exists"
    title = "An instrument of this name exists"


class QueryNotFound(LibraryError):
    slug = "query-not-found"
    title = "No such query"


class JobNotFound(LibraryError):
    slug = "job-not-found"
    title = "No such job"


class SourceError(ShowMeError):
    slug = "source"
    title = "The instrument source cannot be read"


class InvalidRequest(ShowMeError):
    slug = "invalid-request"
    title = "A parameter is outside its limits"


class JobConflict(ShowMeError):
    slug = "job-conflict"
    title = "The job's state does not allow this"


class Busy(ShowMeError):
    slug = "busy"
    title = "The service is busy"


class CheckpointError(ShowMeError):
    slug = "checkpoint"
    title = "The checkpoint cannot be used"


class EncoderMismatch(CheckpointError):
    slug = "encoder-mismatch"
    title = "Embeddings and encoder do not belong together"


class IndexDamaged(ShowMeError):
    slug = "index-damaged"
    title = "The vector index is damaged"


class TrainingError(ShowMeError):
    slug = "training"
    title = "This cannot be trained on"
