"""The queue in front of the encoder: a bounded number of queries and of seconds of audio, one in the encoder at a time.

A place is given on the event loop's own thread, so that bound needs no lock; seconds are counted in the threads that decode.
"""

import asyncio
import math
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import copy_context
from typing import TypeVar

from anyio import CancelScope, CapacityLimiter, to_thread

from app.access.request_rate import RequestRate
from models.errors import Busy, TooManyRequests

T = TypeVar("T")
SMOOTHING = 0.2  # weight of the newest query in the running mean


class QueueFull(Busy):
    """Too much is in flight, queries or their audio; `retry_after_seconds` is estimated from the recent ones."""

    def __init__(self, message: str, value: float, limit: float, retry_after_seconds: int) -> None:
        super().__init__(message, value=value, limit=limit)
        self.retry_after_seconds = retry_after_seconds


class HeldAudio:
    """The seconds of audio that one query has in memory, or is about to; `QueryQueue.hold_audio` releases them."""

    def __init__(self, queue: "QueryQueue") -> None:
        self._queue = queue
        self.seconds = 0.0

    def set_to(self, seconds: float) -> None:
        """Hold this many seconds from now on. Raises QueueFull if there are more than before, and too many of all."""
        self._queue.check_audio(self, seconds)

    def grow_to(self, seconds: float) -> None:
        """Hold at least this many seconds: a header may have told less than there is. Raises QueueFull."""
        if seconds > self.seconds:
            self.set_to(seconds)


class QueryQueue:
    """Admits at most `max_waiting` queries and runs each stage in a thread, within the stage's capacity.

    Of one key it admits at most `max_of_key` at a time (0: all places), so that others find places, and as many as `rate`
    allows. Those without a key may take all places.

    All queries together may hold `max_audio_seconds` of decoded audio; one that is alone may always hold its own.
    """

    def __init__(
        self,
        max_waiting: int,
        max_audio_seconds: float = math.inf,
        decoders: int = 2,
        *,
        max_of_key: int = 0,
        rate: RequestRate | None = None,
    ) -> None:
        self.max_waiting = max_waiting
        self.max_of_key = max_of_key
        self.max_audio_seconds = max_audio_seconds
        self.in_flight = 0
        self._of_key: Counter[str | None] = Counter()  # queries in flight
        self._rate = rate or RequestRate()
        self._held: set[HeldAudio] = set()
        self._lock = threading.Lock()
        self._decoding = CapacityLimiter(decoders)
        self._inference = CapacityLimiter(1)
        self._encoder_thread = ThreadPoolExecutor(1, thread_name_prefix="encoder")
        self._rendering = CapacityLimiter(1)
        self._mean_seconds = 0.3

    @asynccontextmanager
    async def admit(self, key_id: str | None = None, number: int = 1) -> AsyncIterator[None]:
        """Hold a place for one query of a key, or for a batch of `number`. Raises as `check_place` does."""
        self.check_place(key_id)
        self._rate.take(key_id, number)
        self.in_flight += 1
        self._of_key[key_id] += 1
        started = time.perf_counter()
        try:
            yield
        finally:
            self.in_flight -= 1
            self._of_key[key_id] -= 1
            seconds = (time.perf_counter() - started) / (self.in_flight + 1)
            self._mean_seconds += SMOOTHING * (seconds - self._mean_seconds)

    def check_place(self, key_id: str | None = None) -> None:
        """Raise QueueFull when all places are taken, TooManyRequests when the key has its share of them, or asks too often."""
        self._rate.check(key_id)
        own = self._of_key[key_id]
        if key_id is not None and 0 < self.max_of_key <= own:
            message = f"{own} queries of the key are already in flight; try again"
            raise TooManyRequests(
                message,
                value=own,
                limit=self.max_of_key,
                retry_after_seconds=self._retry_after_seconds(),
            )
        if self.in_flight >= self.max_waiting:
            message = f"{self.in_flight} queries are already in flight; try again"
            raise QueueFull(message, self.in_flight, self.max_waiting, self._retry_after_seconds())

    @property
    def waiting(self) -> dict[str, int]:
        """The number of queries that wait for each stage."""
        stages = {"decode": self._decoding, "encode": self._inference}
        return {stage: limiter.statistics().tasks_waiting for stage, limiter in stages.items()}

    @contextmanager
    def hold_audio(self) -> Iterator[HeldAudio]:
        """Count the audio of one query, none to begin with, until the block ends."""
        held = HeldAudio(self)
        with self._lock:
            self._held.add(held)
        try:
            yield held
        finally:
            with self._lock:
                self._held.remove(held)

    @property
    def audio_seconds(self) -> float:
        """The seconds of audio that queries hold."""
        with self._lock:
            return sum(held.seconds for held in self._held)

    def check_audio(self, held: HeldAudio, seconds: float) -> None:
        """Let `held` hold `seconds`. Raises QueueFull if it is not alone and all would hold too many."""
        with self._lock:
            others = sum(other.seconds for other in self._held if other is not held)
            if seconds > held.seconds and others > 0 and others + seconds > self.max_audio_seconds:
                raise QueueFull(
                    f"queries in flight would hold {others + seconds:.0f} s of audio in memory; try again",
                    round(others + seconds, 3),
                    self.max_audio_seconds,
                    self._retry_after_seconds(),
                )
            held.seconds = seconds

    def _retry_after_seconds(self) -> int:
        return max(1, min(math.ceil(self._mean_seconds * self.in_flight), 120))

    async def decode(self, work: Callable[[], T]) -> T:
        """Run `work` (reading and resampling a file) in a thread."""
        return await to_thread.run_sync(work, limiter=self._decoding)

    async def infer(self, work: Callable[[], T]) -> T:
        """Run `work` (the encoder and the search) in the encoder's thread, one at a time, in the order of arrival.

        It is always the same one: each thread that computes keeps helpers (OpenMP) and freed memory (glibc) of its own.
        """
        async with self._inference:
            running = self._encoder_thread.submit(copy_context().run, work)
            with CancelScope(shield=True):  # what has begun is awaited, as in the other stages
                done = await asyncio.wrap_future(running)
        return done

    def close(self) -> None:
        """End the encoder's thread, when nothing runs in it any more."""
        self._encoder_thread.shutdown()

    async def render(self, work: Callable[[], T]) -> T:
        """Run `work` (an instrument that plays) in a thread, one at a time, so that queries go on meanwhile."""
        return await to_thread.run_sync(work, limiter=self._rendering)
