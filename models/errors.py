"""The tree of all errors that this project raises on purpose.

Each class has a stable `slug` (the problem type of RFC 9457) and a title. HTTP status codes are in `app/errors.py` only.

    ShowMeError
    ├── AudioError ── NotAudio · UnsupportedAudio · AudioTooLarge · EmptyAudio · NonFiniteAudio · SilentAudio
    │                 RangeOutsideAudio · DecodingStopped
    ├── LibraryError ── LibraryNotFound · LibraryExists · LibraryEmpty · LibraryKept · InstrumentNotFound
    │                   InstrumentExists · SourceNotKept · QueryNotFound · SlotNotFound · JobNotFound · UploadNotFound
    │                   WatchNotFound
    ├── SourceError          an unreadable source of instruments
    ├── InvalidRequest       a parameter outside its limits ── KeyReused
    ├── AccessError ── KeyRequired · KeyRefused · TooManyAttempts · ScopeTooSmall · LibraryNotOwned · SourceForbidden
    │                  KeyNotFound
    ├── PartError ── AudioGone · NoNotes · CannotPlay
    ├── TooManyRequests      a key asks for more than its share
    ├── KeyInUse             a request that is still being answered is sent again
    ├── JobConflict · UploadConflict   a request that the state of the job or of the upload forbids
    ├── Busy                 a full queue, or a database that is being written; try again ── DatabaseUnavailable
    ├── StorageFull          no room on the disk
    ├── CheckpointError ── EncoderMismatch
    ├── IndexDamaged         a damaged database, or vectors that cannot be rebuilt
    ├── BackupError          a backup that cannot be made or restored
    ├── ArchiveError · MoveError   an archive that cannot be imported, a catalogue that cannot be moved to another database
    └── TrainingError        an unusable recipe or data folder
"""

import math
from typing import ClassVar


class ShowMeError(Exception):
    """An error to show to the user; `value` is the value seen, `limit` what is allowed."""

    slug: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    def __init__(self, message: str, *, value: object = None, limit: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.value = value
        self.limit = limit

    @property
    def sentence(self) -> str:
        """The message, with the limit unless it names it."""
        if self.limit is None or str(self.limit) in self.message:
            return self.message
        return f"{self.message} (allowed: {self.limit})"


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
    title = "The file contains no audio"


class NonFiniteAudio(AudioError):
    slug = "non-finite-audio"
    title = "The audio contains NaN or infinite samples"


class SilentAudio(AudioError):
    slug = "silent-audio"
    title = "The audio is silent"


class RangeOutsideAudio(AudioError):
    slug = "range-outside-audio"
    title = "The time range lies outside the audio"


class DecodingStopped(AudioError):
    slug = "decoding-stopped"
    title = "The file made its decoder fail"


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
    title = "The library contains no instruments"


class LibraryKept(LibraryError):
    slug = "library-kept"
    title = "The default library cannot be deleted"


class InstrumentNotFound(LibraryError):
    slug = "instrument-not-found"
    title = "No such instrument"


class InstrumentExists(LibraryError):
    slug = "instrument-exists"
    title = "An instrument of this name exists"


class SourceNotKept(LibraryError):
    slug = "source-not-kept"
    title = "The source of the instrument is not at hand"


class QueryNotFound(LibraryError):
    slug = "query-not-found"
    title = "No such query"


class SlotNotFound(LibraryError):
    slug = "slot-not-found"
    title = "No such slot in the query"


class JobNotFound(LibraryError):
    slug = "job-not-found"
    title = "No such job"


class UploadNotFound(LibraryError):
    slug = "upload-not-found"
    title = "No such upload"


class WatchNotFound(LibraryError):
    slug = "watch-not-found"
    title = "The library does not follow this folder"


class SourceError(ShowMeError):
    slug = "source"
    title = "The instrument source cannot be read"


class InvalidRequest(ShowMeError):
    slug = "invalid-request"
    title = "A parameter is outside its limits"


class KeyReused(InvalidRequest):
    slug = "idempotency-key-reused"
    title = "The Idempotency-Key belongs to another request"


class AccessError(ShowMeError):
    slug = "access"
    title = "The caller may not do this"


class KeyRequired(AccessError):
    slug = "key-required"
    title = "The service needs a key"


class KeyRefused(AccessError):
    slug = "key-refused"
    title = "The key or the session is not valid"


class TooManyAttempts(AccessError):
    slug = "too-many-attempts"
    title = "Too many wrong keys"

    def __init__(self, most: int, seconds: float, wait_seconds: float) -> None:
        message = f"{most} wrong keys came from this address in {seconds:g} s; wait {wait_seconds:.0f} s"
        super().__init__(message, value=most, limit=f"{most} in {seconds:g} s")
        self.retry_after_seconds = max(1, round(wait_seconds))


class ScopeTooSmall(AccessError):
    slug = "scope-too-small"
    title = "The key does not allow this"


class LibraryNotOwned(AccessError):
    slug = "library-not-owned"
    title = "The library belongs to another key"


class SourceForbidden(AccessError):
    slug = "source-forbidden"
    title = "The service may not read this path"


class KeyNotFound(AccessError):
    slug = "key-not-found"
    title = "No such key"


class PartError(ShowMeError):
    slug = "part"
    title = "The part of a slot cannot be given"


class AudioGone(PartError):
    slug = "audio-gone"
    title = "The audio of the query is no longer kept"


class NoNotes(PartError):
    slug = "no-notes"
    title = "No notes are heard in the slot"


class CannotPlay(PartError):
    slug = "cannot-play"
    title = "The instrument cannot play this"


class TooManyRequests(ShowMeError):
    slug = "too-many-requests"
    title = "The key asks for too much"

    def __init__(self, message: str, *, value: int, limit: int, retry_after_seconds: float) -> None:
        super().__init__(message, value=value, limit=limit)
        self.retry_after_seconds = max(1, math.ceil(retry_after_seconds))


class KeyInUse(ShowMeError):
    slug = "idempotency-key-in-use"
    title = "The first request of this Idempotency-Key is still being answered"


class JobConflict(ShowMeError):
    slug = "job-conflict"
    title = "The job's state does not allow this"


class UploadConflict(ShowMeError):
    slug = "upload-conflict"
    title = "The upload is at another place"


class Busy(ShowMeError):
    slug = "busy"
    title = "The service is busy"


class DatabaseUnavailable(Busy):
    """A database server that cannot be reached, or does not let us in."""

    slug = "database-unavailable"
    title = "The database cannot be reached"


class StorageFull(ShowMeError):
    slug = "storage-full"
    title = "The disk is full"


class CheckpointError(ShowMeError):
    slug = "checkpoint"
    title = "The checkpoint cannot be used"


class RecogniserMissing(ShowMeError):
    slug = "recogniser-missing"
    title = "This service does not recognise that"


class EncoderMismatch(CheckpointError):
    slug = "encoder-mismatch"
    title = "Embeddings and encoder do not belong together"


class IndexDamaged(ShowMeError):
    slug = "index-damaged"
    title = "The index is damaged"


class BackupError(ShowMeError):
    slug = "backup"
    title = "The backup cannot be made or restored"


class ArchiveError(ShowMeError):
    slug = "archive"
    title = "The archive of a library cannot be imported"


class MoveError(ShowMeError):
    slug = "move"
    title = "The catalogue cannot be moved"


class TrainingError(ShowMeError):
    slug = "training"
    title = "Training cannot use this"
