"""One decode worker as the service sees it: its process, the channel to it, and what becomes of it when it fails."""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from index.decoding.channel import Channel, ChannelClosed, ChannelTimeout, Message, ProtocolError
from index.decoding.limits import MEBIBYTE, DecodeLimits, Reason, reason_of_exit, stopped
from models import errors
from models.errors import Busy, DecodingStopped, ShowMeError

log = logging.getLogger(__name__)

START_SECONDS = 120.0  # a cold disk
END_SECONDS = 10.0
_INHERITED = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
_ALLOCATING = {  # one thread, so that the sandbox holds for all; freed blocks stay, which saves a millisecond a file
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 * MEBIBYTE),
    "MALLOC_TRIM_THRESHOLD_": str(32 * MEBIBYTE),
}
_KINDS = {
    kind.slug: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.AudioError | errors.SourceError)
}


class WorkerConnection:
    """A worker process. Not for several threads at once; `close` may come from any."""

    def __init__(self, limits: DecodeLimits, when_stopped: Callable[[Reason], None]) -> None:
        """Start a process; it is not waited for. Raises Busy where the system has none."""
        self.limits = limits
        self.held: tuple[str, ...] = ()  # of its sandbox, once it is armed
        self.files = 0
        self.closed = False
        self._when_stopped = when_stopped
        ours, its = socket.socketpair()
        try:
            # -P: never import from the folder that the command runs in, which may be a stranger's
            command = [sys.executable, "-P", "-B", "-m", "index.decoding.worker"]
            self._process = subprocess.Popen(
                [*command, str(its.fileno()), str(limits.open_files)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                pass_fds=[its.fileno()],
            )
        except OSError as error:
            ours.close()
            message = f"no decode worker can be started: {error.strerror}; try again"
            raise Busy(message, value=error.strerror, limit="a process") from error
        finally:
            its.close()
        self._channel = Channel(ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_armed(self) -> bool:
        return bool(self.held)

    @property
    def is_usable(self) -> bool:
        """Whether another file may be given to the worker."""
        return self.is_open and self.files < self.limits.files_per_worker

    @property
    def is_open(self) -> bool:
        return not self.closed and self._process.poll() is None

    def arm(self, readable: Sequence[Path], memory_bytes: int, *, sources: bool) -> None:
        """Wait for the start, and have the worker give up its rights: it may read `readable`, and no other file by its path."""
        request = {
            "do": "arm",
            "readable": [str(path.absolute()) for path in readable],
            "memory_bytes": memory_bytes,
            "cpu_seconds": self.limits.cpu_seconds,
            "sources": sources,
        }
        self._channel.deadline = time.monotonic() + START_SECONDS
        try:
            self._channel.send(request)
            answer = self._channel.receive()
            if "held" not in answer:
                raise ProtocolError(str(answer))
        except (ChannelClosed, ChannelTimeout, ProtocolError) as error:
            self.close()
            log.error("a decode worker has not started: %s, exit %s", error, self._process.returncode)
            message = "a decode worker has not started; `showme doctor` may tell why"
            raise Busy(message, value=self._process.returncode, limit=f"{START_SECONDS:g} s") from error
        self.held = (*map(str, answer["held"]), "armed")

    def request(self, message: Message, name: str, descriptor: int | None = None) -> Message:
        """Return the answer about the file called `name`; `descriptor` is of an open file to send.

        Raises the error of the answer, and DecodingStopped if the worker has failed: it is closed then.
        """
        with self.working(name) as channel:
            channel.send(message, [] if descriptor is None else [descriptor])
            answer = channel.receive()
        return self.checked(answer, name)

    @contextmanager
    def working(self, name: str, *, same_work: bool = False) -> Iterator[Channel]:
        """Talk to the worker about a file within the time for one; `same_work` goes on with the last one's.

        A failure closes the worker and raises DecodingStopped. Any other error in the block closes it too: what the worker
        would say next is about the file that was given up.
        """
        if not same_work:
            self.files += 1
            self._channel.deadline = time.monotonic() + self.limits.wall_seconds
        try:
            yield self._channel
        except ChannelTimeout:
            raise self._stop(name, "time") from None
        except ProtocolError as error:
            log.warning("a decode worker sent %s", error)
            raise self._stop(name, "protocol") from error
        except ChannelClosed:
            raise self._stop(name, None) from None
        except BaseException:
            self.close()
            raise

    def checked(self, answer: Message, name: str) -> Message:
        """Return the answer, or raise the error that it holds."""
        if "stopped" in answer:
            raise self._stop(name, "memory")
        if "error" in answer:
            raise _error_of(answer["error"])
        if "unexpected" in answer:
            kind = str(answer["unexpected"])[:100]
            log.warning("a decode worker met an unexpected error: %s", kind)
            message = f"{name} is damaged in a way that its decoder does not expect ({kind})"
            raise DecodingStopped(message, value=kind, limit="a file that decodes")
        return answer

    def close(self) -> None:
        """End the process."""
        if not self.closed:
            self.closed = True
            self._channel.close()
            self._process.kill()
            self._process.wait()

    def _stop(self, name: str, reason: Reason | None) -> DecodingStopped:
        """Close the worker, count why, and return the error; None means that it has ended by itself."""
        was_ended = self.closed  # by the service, which stops
        if reason is None and not was_ended:
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:  # alive without its channel
                reason = "protocol"
        code = self._process.returncode
        self.close()
        reason = reason or reason_of_exit(code)
        if not was_ended:
            self._when_stopped(reason)
        return stopped(name, reason, code, self.limits)


def _environment() -> dict[str, str]:
    """Return the worker's environment: nothing of the service's settings, which may hold secrets."""
    ours = str(Path(__file__).parents[2])
    paths = [ours, *(str(Path(path).absolute()) for path in sys.path if path and path != ours)]
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | _ALLOCATING | {"PYTHONPATH": os.pathsep.join(paths)}


def _error_of(content: object) -> ShowMeError:
    match content:
        case {"slug": str(slug), "message": str(message), "value": value, "limit": limit} if slug in _KINDS:
            return _KINDS[slug](message, value=value, limit=limit)
    return DecodingStopped("the decoder answered nonsense", limit="a file that decodes")
