"""Stopping the service: the first signal lets it finish what it does, for a limited time; the second one ends it at once.

uvicorn gives requests `GRACE_SECONDS` and cancels them, but a thread that decodes or encodes goes on, and is waited for. To end
it is safe: what is not stored yet has not been acknowledged, and jobs are taken over when their leases have expired.
"""

import logging
import os
import signal
import threading
from types import FrameType

import uvicorn

STOP_SECONDS = 8.0  # container engines kill after ten
LAST_WORDS_SECONDS = 0.5

log = logging.getLogger("showme")


class StoppableServer(uvicorn.Server):
    """uvicorn's server, which ends within `stop_seconds` of the first signal to stop, and at once with the second."""

    def __init__(self, config: uvicorn.Config, stop_seconds: float = STOP_SECONDS) -> None:
        super().__init__(config)
        self._stop_seconds = stop_seconds
        self._asked_to_stop = threading.Event()
        self._signal = signal.SIGTERM

    def run(self, *arguments: object, **options: object) -> None:
        threading.Thread(target=self._end_in_time, name="stopping", daemon=True).start()
        super().run(*arguments, **options)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            signal.signal(sig, signal.SIG_DFL)
            signal.raise_signal(sig)
        self._signal = signal.Signals(sig)
        self._asked_to_stop.set()
        super().handle_exit(sig, frame)

    def _end_in_time(self) -> None:
        self._asked_to_stop.wait()
        threading.Event().wait(self._stop_seconds)  # the process ends meanwhile, as a rule
        words = ("ended %g s after it was asked to stop, in the middle of its work", self._stop_seconds)
        saying = threading.Thread(target=log.warning, args=words, daemon=True)
        saying.start()
        saying.join(LAST_WORDS_SECONDS)  # the log may be what everybody waits for
        os._exit(128 + self._signal)
