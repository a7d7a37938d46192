"""The queue in front of the encoder: a bounded number of queries, two decoding, one in the encoder at a time.

Admission is decided on the event loop's own thread, so the bound needs no lock. Work runs in threads, off the event loop.
"""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from anyio import CapacityLimiter, to_thread

from models.errors import Busy

T = TypeVar("T")
SMOOTHING = 0.2  # weight of the newest query in the running mean


class QueueFull(Busy):
    """Too many queries are in flight; `retry_after_seconds` is estimated from the recent ones."""

    def __init__(self, waiting: int, limit: int, retry_after_seconds: int) -> None:
        super().__init__(f"{waiting} queries are already in flight; try again", value=waiting, limit=limit)
        self.retry_after_seconds = retry_after_seconds


class QueryQueue:
    """Admits at most `max_waiting` queries and runs each stage in a thread, within the stage's capacity."""

    def __init__(self, max_waiting: int, decoders: int = 2) -> None:
        self.max_waiting = max_waiting
        self.in_flight = 0
        self._decoding = CapacityLimiter(decoders)
        self._inference = CapacityLimiter(1)
        self._mean_seconds = 0.3

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Hold a place for one query. Raises QueueFull when all places are taken."""
        if self.in_flight >= self.max_waiting:
            retry_after = math.ceil(self._mean_seconds * self.in_flight)
            raise QueueFull(self.in_flight, self.max_waiting, max(1, min(retry_after, 120)))
        self.in_flight += 1
        started = time.perf_counter()
        try:
            yield
        finally:
            self.in_flight -= 1
            seconds = (time.perf_counter() - started) / (self.in_flight + 1)
            self._mean_seconds += SMOOTHING * (seconds - self._mean_seconds)

    async def decode(self, work: Callable[[], T]) -> T:
        """Run `work` (reading and resampling a file) in a thread."""
        return await to_thread.run_sync(work, limiter=self._decoding)

    async def infer(self, work: Callable[[], T]) -> T:
        """Run `work` (the encoder and the search) in a thread, one at a time, in the order of arrival."""
        return await to_thread.run_sync(work, limiter=self._inference)
