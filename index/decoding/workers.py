"""Decodes files of strangers in worker processes, so that a file that crashes, hangs or fills its decoder harms nothing else.

Libraries that decode are written in C and read what strangers send: TinySoundFont, for one, has an open report of reading past
its memory. A few workers are kept and used again for single files; one that opens a source of instruments is used for it alone.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from index.decoding.archives import RemoteZip, read_entries
from index.decoding.channel import SAMPLES, Channel, Message, ProtocolError, check_samples
from index.decoding.connection import WorkerConnection
from index.decoding.limits import DecodeLimits, Reason
from models.audio import MAX_SECONDS, Admit, Decoded, DecodedRange, SampleBuffer
from models.errors import DecodingStopped, SourceError

SIZE = 2
SPARE_SECONDS = 10.0  # of samples that a range may have more than asked for, before they are cut off
LOST_FILES = 3  # so many times the time of a file may be lost in a source, then the rest of it is left out


class DecodeWorkers:
    """At most `size` workers for single files, and as many for each source that is read. Thread-safe; close it when done.

    None is started before the first file, or `warm`.
    """

    def __init__(self, limits: DecodeLimits | None = None, size: int = SIZE) -> None:
        self.limits = limits or DecodeLimits()
        self.size = size
        self.stopped: Counter[Reason] = Counter()  # workers that failed, by reason
        self._slots = threading.BoundedSemaphore(size)
        self._lock = (
            threading.RLock()
        )  # the end of a source, which may come at any moment, releases its worker
        self._idle: list[WorkerConnection] = []  # armed for single files, the last used one last
        self._spare: WorkerConnection | None = None  # started, not yet armed
        self._sources: set[WorkerConnection] = set()
        self._closed = False

    def warm(self) -> None:
        """Start a worker, without waiting for it, so that the first file does not wait either."""
        with self._lock:
            if self._spare is None and not self._closed:
                self._spare = self._start()

    def close(self) -> None:
        """End all workers; what they are doing fails."""
        with self._lock:
            self._closed = True
            workers = [*self._idle, *self._sources, *([self._spare] if self._spare else [])]
            self._idle, self._spare = [], None
            self._sources.clear()
        for worker in workers:
            worker.close()

    @property
    def pids(self) -> list[int]:
        """The processes that wait for single files."""
        with self._lock:
            return [worker.pid for worker in self._idle]

    def held(self) -> tuple[str, ...]:
        """Start a worker if there is none, and return which parts of its sandbox hold here. Raises Busy."""
        with self._file_worker() as worker:
            return worker.held

    # Single files

    def expected_seconds(self, path: Path, *, name: str, **options: Any) -> float:
        """Return what `models.audio.expected_seconds` does. Raises its errors and DecodingStopped."""
        with self._file_worker() as worker, path.open("rb") as file:
            request = {"do": "expect", "options": {"name": name, **options}}
            answer = worker.request(request, name, file.fileno())
            with worker.working(name, same_work=True):
                return _number(answer.get("seconds"))

    def check(self, path: Path, name: str) -> None:
        """Raise NotAudio, UnsupportedAudio, EmptyAudio or DecodingStopped for a file that does not begin as audio."""
        self.expected_seconds(path, name=name, start_seconds=0.0, end_seconds=None, max_seconds=MAX_SECONDS)

    def decode(
        self,
        source: Path,
        *,
        sample_rate: int,
        start_seconds: float = 0.0,
        end_seconds: float | None = None,
        max_seconds: float = MAX_SECONDS,
        name: str = "upload",
        admit: Admit | None = None,
    ) -> Decoded:
        """Return what `models.audio.decode` does: the samples come in blocks, and are in memory once.

        Raises its errors, DecodingStopped, and what `admit` raises before a block is read.
        """
        options = {
            "sample_rate": sample_rate,
            "start_seconds": start_seconds,
            "end_seconds": end_seconds,
            "max_seconds": max_seconds,
            "name": name,
        }
        longest = min(max_seconds, math.inf if end_seconds is None else max(0.0, end_seconds - start_seconds))
        most = round((longest + SPARE_SECONDS) * sample_rate)
        collected = SampleBuffer()
        with self._file_worker() as worker, source.open("rb") as file:
            with worker.working(name) as channel:
                channel.send({"do": "decode", "options": options}, [file.fileno()])
                answer = _collect(channel, collected, most, admit)
            answer = worker.checked(answer, name)
            with worker.working(name, same_work=True):
                return collected.take(_range_of(answer, sample_rate, most))

    @contextmanager
    def zip(self, path: Path) -> Iterator[RemoteZip]:
        """Open a zip. Raises BadZipFile, and DecodingStopped, also while its entries are read."""
        with self._file_worker() as worker, path.open("rb") as file:
            yield RemoteZip(worker, path.name, read_entries(worker, path.name, file.fileno()))

    # Sources

    def source_worker(self, readable: Path, memory_bytes: int) -> WorkerConnection:
        """Return a worker of one's own, which may read below `readable`. Close it by `release`."""
        with self._lock:
            spare, self._spare = self._spare, None
        worker = spare if spare and spare.is_usable else self._start()
        worker.arm([readable], memory_bytes, sources=True)
        with self._lock:
            self._sources.add(worker)
        return worker

    def release(self, worker: WorkerConnection) -> None:
        """Close a worker of `source_worker`."""
        with self._lock:
            self._sources.discard(worker)
        worker.close()

    @contextmanager
    def _file_worker(self) -> Iterator[WorkerConnection]:
        """Borrow a worker, armed for single files; the next one is started if it fails."""
        with self._slots:
            worker = self._taken()
            try:
                if not worker.is_armed:
                    worker.arm([], self.limits.memory_bytes, sources=False)
                yield worker
            finally:
                self._put_back(worker)

    def _taken(self) -> WorkerConnection:
        with self._lock:
            while self._idle:
                if (worker := self._idle.pop()).is_usable:
                    return worker
                worker.close()
            spare, self._spare = self._spare, None
        return spare if spare and spare.is_usable else self._start()

    def _put_back(self, worker: WorkerConnection) -> None:
        with self._lock:
            if worker.is_usable and not self._closed:
                self._idle.append(worker)
                return
        worker.close()
        self.warm()

    def _start(self) -> WorkerConnection:
        return WorkerConnection(self.limits, self._count)

    def _count(self, reason: Reason) -> None:
        with self._lock:
            self.stopped[reason] += 1


class LostTime:
    """The time that failing files may cost a source: one of ten thousand that each hang would never end otherwise."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._left = LOST_FILES * limits.wall_seconds

    @contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """Count the block if it raises DecodingStopped. Raises SourceError where no time is left."""
        if self._left <= 0:
            raise SourceError(f"{name} is left out: too many before it made their decoder fail", value=name)
        started = time.monotonic()
        try:
            yield
        except DecodingStopped:
            self._left -= time.monotonic() - started
            raise


def _collect(channel: Channel, collected: SampleBuffer, most: int, admit: Admit | None) -> Message:
    """Collect blocks of samples up to the answer, and return it."""
    total = 0
    while True:
        kind, size = channel.head()
        if kind != SAMPLES:
            return channel.message(size)
        seconds, num_samples = channel.block_seconds(size)
        total += num_samples
        if total > most:
            raise ProtocolError("more samples than were asked for")
        if admit:
            admit(seconds)
        block = collected.grow(num_samples)
        channel.fill(block.data.cast("B"))
        check_samples(block)


def _range_of(answer: Message, sample_rate: int, most: int) -> DecodedRange:
    first, number = answer.get("first_sample"), answer.get("num_samples")
    if not (isinstance(first, int) and isinstance(number, int)) or first < 0 or not 1 <= number <= most:
        raise ProtocolError("a range that is none")
    if first + number > most:
        raise ProtocolError("a range beyond the samples")
    match answer.get("range_seconds"):
        case [start, stop]:
            ends = (_number(start), _number(stop))
        case _:
            raise ProtocolError("a range without ends")
    return DecodedRange(first, number, sample_rate, _number(answer.get("duration_seconds")), ends)


def _number(value: object) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ProtocolError("no number")
    return float(value)
