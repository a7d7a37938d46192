"""The limits of a decode worker, and the words for a worker that was stopped at one of them."""

import signal
from dataclasses import dataclass
from typing import Literal

from models.errors import DecodingStopped

MEBIBYTE = 1024 * 1024
MEMORY_BYTES = 2048 * MEBIBYTE
CPU_SECONDS = 60.0
WALL_SECONDS = 180.0
OPEN_FILES = 256
FILES_PER_WORKER = 200

Reason = Literal["crash", "memory", "processor", "time", "protocol"]
REASONS: tuple[Reason, ...] = ("crash", "memory", "processor", "time", "protocol")


@dataclass(frozen=True)
class DecodeLimits:
    """Limits of the work on one file, or on one instrument of a source; a worker is replaced after `files_per_worker`."""

    memory_bytes: int = MEMORY_BYTES  # of address space
    cpu_seconds: float = CPU_SECONDS
    wall_seconds: float = WALL_SECONDS
    open_files: int = OPEN_FILES
    files_per_worker: int = FILES_PER_WORKER


def reason_of_exit(code: int | None) -> Reason:
    """Return why a worker is gone that nobody has stopped; `code` as of `Popen.returncode`."""
    return "processor" if code == -signal.SIGXCPU else "crash"


def stopped(name: str, reason: Reason, code: int | None, limits: DecodeLimits) -> DecodingStopped:
    """Return the error of the file called `name`, whose worker is gone."""
    if reason == "processor":
        message = (
            f"{name} took more than {limits.cpu_seconds:g} s of processor time (SHOWME_DECODE_CPU_SECONDS)"
        )
        return DecodingStopped(message, value=f"more than {limits.cpu_seconds:g}", limit=limits.cpu_seconds)
    if reason == "time":
        message = f"{name} was not decoded in {limits.wall_seconds:g} s (SHOWME_DECODE_SECONDS)"
        return DecodingStopped(message, value=f"more than {limits.wall_seconds:g}", limit=limits.wall_seconds)
    if reason == "memory":
        message = f"{name} needs more than {limits.memory_bytes} bytes of memory (SHOWME_DECODE_MEMORY_BYTES)"
        return DecodingStopped(message, value=f"more than {limits.memory_bytes}", limit=limits.memory_bytes)
    how = "answered nonsense" if reason == "protocol" else f"ended by {_name_of_exit(code)}"
    message = f"{name} is damaged in a way that made its decoder fail: the decoder {how}"
    return DecodingStopped(message, value=_name_of_exit(code), limit="a file that decodes")


def _name_of_exit(code: int | None) -> str:
    if code is None:
        return "no exit"
    try:
        return signal.Signals(-code).name if code < 0 else f"exit {code}"
    except ValueError:
        return f"signal {-code}"
