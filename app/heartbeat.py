"""A thread that does something small again and again, as renewing a lease, while other threads work."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from models.error_kind import kind_of

log = logging.getLogger("showme")


class Heartbeat:
    """Calls `beat` every `seconds`, as a context or from `start` to `stop`. What it raises is logged, and it goes on."""

    def __init__(self, beat: Callable[[], object], seconds: float) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread, after the beat that it may be in."""
        self._stopped.set()
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._beat()
            except Exception as error:  # the database may be busy: the next beat may succeed
                log.warning("a heartbeat failed: %s", kind_of(error))
