"""Sources of instruments that a decode worker reads and plays: SoundFonts, SFZ, NSynth, note banks, folders of several kinds.

A source is opened once for its list of instruments, and again when the first of them is played: an upload may wait long for its
enrollment, and a worker that fails at one instrument is replaced for the next. Each iteration over the instruments has its own
worker, so that several threads can render at once (`index/enrollment/readers.py`).
"""

import weakref
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from index.decoding.channel import Message, ProtocolError
from index.decoding.connection import WorkerConnection
from index.decoding.workers import DecodeWorkers, LostTime
from index.sources.base import Floats, Note
from index.sources.folder import FolderSource
from index.sources.opening import CombinedSource, is_folder_of_audio, open_source, places_of_upload
from index.sources.sfz.source import sfz_files
from models.audio_tracks import MAX_SAMPLE_RATE
from models.errors import DecodingStopped, SourceError

BYTES_IN_MEMORY = 4  # for each of a file: a player holds 16 bits as 32, beside what it has read
LARGE_BYTES = 256 << 20  # a larger file is held by one worker only
Faults = tuple[tuple[str, str], ...]


class DecodingOpener:
    """Opens sources whose audio is decoded in workers; `index.sources.opening` opens the same ones in this process."""

    def __init__(self, workers: DecodeWorkers) -> None:
        self.workers = workers

    def open_source(self, path: Path, banks: Collection[int] | None = None) -> "FolderSource | RemoteSource":
        """Open a file or folder of the user's own, whose links may lead anywhere; `banks` are those of a SoundFont.

        Raises SourceError.
        """
        if not path.exists():
            open_source(path)  # says what is missing
        if is_folder_of_audio(path):
            return self.open_recordings(path)
        request = {"path": str(path), "as": "any" if banks is None else sorted(banks)}
        return RemoteSource(self.workers, request, path, Path(path.absolute().anchor))

    def open_upload(self, folder: Path, name: str) -> CombinedSource:
        """Open the stored files of an upload, as `index.sources.opening.open_upload` does. Raises SourceError."""
        return CombinedSource(name, [self.open_place(place) for place in places_of_upload(folder)])

    def open_place(self, place: Path) -> "FolderSource | RemoteSource":
        """Open one file of an upload, or one unpacked zip; nothing beside the upload is read. Raises SourceError."""
        if place.is_dir() and not sfz_files(place):
            return self.open_recordings(place)
        request = {"path": str(place), "as": "sfz" if place.is_dir() else "any"}
        return RemoteSource(self.workers, request, place, place.parent.parent)

    def open_recordings(self, path: Path) -> FolderSource:
        """Open a file or folder as recordings, whatever else it holds. Raises SourceError."""
        lost = LostTime(self.workers.limits)

        def decode_start(file: Path, sample_rate: int, seconds: float) -> Floats:
            with lost.counted(file.name):
                return self.workers.decode(
                    file, sample_rate=sample_rate, end_seconds=seconds, name=file.name
                ).samples

        return FolderSource(
            path, decode_start, num_readers=max(1, self.workers.size - 1)
        )  # one is left for queries


class RemoteInstrument:
    """An instrument of a source that a worker reads; it plays notes, its clips and its preview there."""

    def __init__(self, session: "_Session", place: int, fields: "_Fields") -> None:
        self._session = session
        self._place = place
        self.id, self.name, self.family = fields.id, fields.name, fields.family
        self.source, self.licence = fields.source, fields.licence
        self.playable_range = fields.playable_range
        self.faults: Faults = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The file that its source was opened at, or the folder of many."""
        return (self._session.path,)

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Return sounding clips `[n ≥ 1, clip_samples]`. Raises SourceError if there is none, or the worker fails."""
        request = {"do": "clips", "sample_rate": sample_rate, "clip_samples": clip_samples}
        clips, _ = self._play(request)
        if clips.ndim != 2 or clips.shape[1] != clip_samples:
            raise SourceError(f"the clips of {self.name} have no known shape", value=self.source)
        return clips

    def preview(self) -> tuple[Floats, int]:
        """Return at most 6 s of samples `[n]` or `[n, 2]`, and their sample rate. Raises SourceError."""
        return self._play({"do": "preview"})

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[round(seconds · sample_rate)]`. Raises SourceError, also if the worker fails."""
        rows = [[note.pitch, note.velocity, note.start_seconds, note.end_seconds] for note in notes]
        request = {"do": "play", "notes": rows, "seconds": seconds, "sample_rate": sample_rate}
        samples, _ = self._play(request)
        if samples.shape != (round(seconds * sample_rate),):
            raise SourceError(f"{self.name} played something of no known shape", value=self.source)
        return samples

    def _play(self, request: Message) -> tuple[Floats, int]:
        samples, sample_rate, self.faults = self._session.play(request | {"place": self._place}, self.name)
        return samples, sample_rate


class RemoteSource:
    """A source that a worker has opened."""

    def __init__(self, workers: DecodeWorkers, request: Message, path: Path, readable: Path) -> None:
        """Raises SourceError, also where the source makes the worker fail."""
        self._new_session = partial(_Session, workers, request, path, readable)
        self._session = self._new_session()
        try:
            answer = self._session.open()
        finally:
            self._session.close()
        self.name = answer.name
        self.faults = answer.faults
        self.files = (path,)
        self.num_readers = workers.size if self._session.num_bytes <= LARGE_BYTES else 1
        self._fields = answer.instruments

    def __len__(self) -> int:
        return len(self._fields)

    def __iter__(self) -> Iterator[RemoteInstrument]:
        session = self._new_session()
        try:
            for place, fields in enumerate(self._fields):
                yield RemoteInstrument(session, place, fields)
        finally:
            session.close()

    def get(self, key: str) -> RemoteInstrument:
        """Return the instrument of an id. Raises SourceError if there is none."""
        for place, fields in enumerate(self._fields):
            if fields.id == key:
                return RemoteInstrument(self._session, place, fields)
        raise SourceError(f"no instrument {key} in {self.name}", value=key)


class _Fields(NamedTuple):
    """An instrument as a worker describes it."""

    id: str
    name: str
    family: str | None
    source: str
    licence: str | None
    playable_range: tuple[int, int] | None


class _Opened(NamedTuple):
    """A source as a worker describes it: its name, its instruments, and the faults in it."""

    name: str
    instruments: list[_Fields]
    faults: Faults


class _Session:
    """The worker that a source is read by, from the first request until it is closed or fails; then there is another.

    It ends when neither the source nor any of its instruments is left.
    """

    def __init__(self, workers: DecodeWorkers, request: Message, path: Path, readable: Path) -> None:
        self._worker: WorkerConnection | None = None
        self._workers = workers
        self._request = request | {"do": "open"}
        self.path = path
        self._name = path.name
        self._readable = readable
        self.num_bytes = path.stat().st_size if path.is_file() else 0
        self._memory_bytes = workers.limits.memory_bytes + BYTES_IN_MEMORY * self.num_bytes
        self._lost = LostTime(workers.limits)
        self._lock = Lock()

    def open(self) -> _Opened:
        """Start a worker that opens the source, and return what it tells. Raises SourceError."""
        with self._lock, self._failing(self._name):
            return self._start()

    def play(self, request: Message, name: str) -> tuple[Floats, int, Faults]:
        """Return the samples, their rate and the faults of an instrument. Raises SourceError."""
        with self._lock, self._failing(name):
            if self._worker is None or not self._worker.is_open:
                self._start()
            assert self._worker is not None
            answer = self._worker.request(request, name)
            with self._worker.working(name, same_work=True) as channel:
                samples = channel.receive_array(answer.get("shape", ()))
                sample_rate = answer.get("sample_rate")
                if not isinstance(sample_rate, int) or not 1 <= sample_rate <= MAX_SAMPLE_RATE:
                    raise ProtocolError("no sample rate")
                return samples, sample_rate, _faults_of(answer)

    def close(self) -> None:
        """End the worker, if there is one."""
        worker, self._worker = self._worker, None
        if worker:
            self._release()

    def _start(self) -> _Opened:
        self.close()
        self._worker = self._workers.source_worker(self._readable, self._memory_bytes)
        self._release = weakref.finalize(self, self._workers.release, self._worker)
        answer = self._worker.request(self._request, self._name)
        with self._worker.working(self._name, same_work=True):
            name, instruments = answer.get("name"), answer.get("instruments")
            if not isinstance(name, str) or not isinstance(instruments, list):
                raise ProtocolError("a source that is none")
            return _Opened(name, [_fields_of(one) for one in instruments], _faults_of(answer))

    @contextmanager
    def _failing(self, name: str) -> Iterator[None]:
        """Raise a failed worker as SourceError, and count the time that it took."""
        try:
            with self._lost.counted(name):
                yield
        except DecodingStopped as error:
            raise SourceError(error.message, value=error.value, limit=error.limit) from error


def _fields_of(content: object) -> _Fields:
    match content:
        case [str(key), str(name), str() | None as family, str(source), str() | None as licence, [low, high]]:
            if isinstance(low, int) and isinstance(high, int):
                return _Fields(key, name, family, source, licence, (low, high))
        case [str(key), str(name), str() | None as family, str(source), str() | None as licence, None]:
            return _Fields(key, name, family, source, licence, None)
    raise ProtocolError("an instrument that is none")


def _faults_of(answer: Message) -> Faults:
    faults = answer.get("faults")
    if not isinstance(faults, list):
        raise ProtocolError("no list of faults")
    for fault in faults:
        match fault:
            case [str(), str()]:
                pass
            case _:
                raise ProtocolError("a fault that is none")
    return tuple((what, reason) for what, reason in faults)
