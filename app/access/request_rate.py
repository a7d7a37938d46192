"""Limits how many costly requests each key makes: a token bucket for each, as the generic cell rate algorithm keeps it.

A bucket is one moment, at which it is full again; a request moves it on by the time of one token (ITU-T I.371, appendix).
"""

import math
import threading
from collections.abc import Callable
from time import monotonic

from models.errors import TooManyRequests

WINDOW_SECONDS = 60.0  # in which an empty bucket is full again


class RequestRate:
    """At most `per_minute` requests of a key at once, and as many again over each minute; 0: any number. Thread-safe.

    Requests without a key count together, as those of one key, if `counts_unkeyed`, and are not counted otherwise.
    """

    def __init__(
        self, per_minute: int = 0, *, counts_unkeyed: bool = False, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_minute = per_minute
        self._counts_unkeyed = counts_unkeyed
        self._clock = clock
        self._full_at: dict[str | None, float] = {}
        self._lock = threading.Lock()

    def check(self, key_id: str | None) -> None:
        """Raise TooManyRequests if the bucket of the key is empty."""
        with self._lock:
            self._check(key_id)

    def take(self, key_id: str | None, number: int = 1) -> None:
        """Count `number` requests, those of one batch, together: the bucket may go below empty for them.

        Raises TooManyRequests if it is empty before, and counts nothing then.
        """
        with self._lock:
            self._check(key_id)
            if self._is_counted(key_id):
                start = max(self._full_at.get(key_id, 0.0), self._clock())
                self._full_at[key_id] = start + number * WINDOW_SECONDS / self._per_minute

    def _check(self, key_id: str | None) -> None:
        if not self._is_counted(key_id):
            return
        one = WINDOW_SECONDS / self._per_minute
        missing = self._full_at.get(key_id, 0.0) - self._clock()
        wait = missing + one - WINDOW_SECONDS
        if wait > 1e-6:  # seconds, as sums of floats are
            number = math.ceil(missing / one - 1e-6)
            who = "everybody without a key together" if key_id is None else "the key"
            message = f"{who} has made {number} costly requests in a minute; wait {math.ceil(wait)} s"
            raise TooManyRequests(message, value=number, limit=self._per_minute, retry_after_seconds=wait)

    def _is_counted(self, key_id: str | None) -> bool:
        return self._per_minute > 0 and (key_id is not None or self._counts_unkeyed)
