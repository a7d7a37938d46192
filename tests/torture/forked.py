"""Child processes of the attacks: forked, so that each is ready at once, and a `kill -9` ends nothing but the child.

The process that forks has no threads and no open database. A child tells what it does in lines of JSON on a pipe; what it
has written before it is killed is still read.
"""

import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

Say = Callable[[dict[str, Any]], None]
Work = Callable[[Say], None]
DEADLINE_SECONDS = 120.0
ROOT = Path(__file__).parents[2]


class Forked:
    """A forked child that runs `work(say)`."""

    def __init__(self, work: Work) -> None:
        self._reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._reader)
            os._exit(_run(work, writer))
        os.close(writer)
        self._rest = b""
        self._status: int | None = None  # once it has been waited for

    def hear(self, seconds: float = DEADLINE_SECONDS) -> dict[str, Any] | None:
        """Return the next message; None when the child has ended. Raises TimeoutError after `seconds` of silence."""
        deadline = monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._reader], [], [], max(0.0, deadline - monotonic()))
            if not ready:
                raise TimeoutError(f"the child has said nothing for {seconds:g} s")
            data = os.read(self._reader, 65536)
            if not data:
                return None
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    def kill(self) -> None:
        """End the child at once, whatever it does."""
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)

    def close(self) -> int:
        """Wait for the end of the child; return its status, negative for a signal."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        if self._status is None:
            _, self._status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(self._status)

    def wait(self, seconds: float) -> bool:
        """Whether the child has ended within `seconds`."""
        deadline = monotonic() + seconds
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = status
            elif monotonic() >= deadline:
                return False
            else:
                sleep(0.005)
        return True


def fresh(work: Callable[[], Any]) -> Any:
    """Return the result of `work()`, which runs in a process of its own. Raises RuntimeError with its traceback."""
    child = Forked(lambda say: say({"result": work()}))
    try:
        message = child.hear()
    finally:
        child.kill()
        child.close()
    if message is None or "error" in message:
        raise RuntimeError(message["error"] if message else "the process has ended without a word")
    return message["result"]


def _run(work: Work, writer: int) -> int:
    def say(message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(writer, data) :]

    try:
        work(say)
    except BaseException as error:
        say({"error": _in_one_line(error)})
        return 1
    return 0


def _in_one_line(error: BaseException) -> str:
    """The error, and the lines of our own code that it went through, the last ones first."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [Path(one.filename).relative_to(ROOT) for one in frames if Path(one.filename).is_relative_to(ROOT)]
    lines = [one.lineno for one in frames if Path(one.filename).is_relative_to(ROOT)]
    where = [f"{path}:{line}" for path, line in zip(ours, lines, strict=True) if ".venv" not in path.parts]
    return f"{type(error).__name__}: {error} at {' < '.join(reversed(where[-6:]))}"
