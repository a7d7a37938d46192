"""Worker processes: they end with their parent, even one that is killed while they wait for work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.errors import TrainingError
from training.processes import call_apart, worker_pool

PARENT = """
import os, sys, time
from training.processes import worker_pool
with worker_pool(2) as pool:
    print(*{pool.submit(os.getpid).result() for _ in range(8)}, flush=True)
    time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system tells nothing of processes")
def test_idle_workers_end_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert workers
    assert all(map(is_alive, workers))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, workers))


def test_a_worker_that_dies_is_an_error_in_words() -> None:
    with pytest.raises(TrainingError, match="one of 1 worker processes died"), worker_pool(1) as pool:
        pool.submit(os._exit, 1).result()


def test_a_call_apart_outlives_a_crash_and_a_hang_and_passes_our_errors_on() -> None:
    with worker_pool(1) as pool:
        worker = pool.submit(os.getpid).result()
        assert pool.submit(call_apart, os.getpid, limit_seconds=60).result() != worker
        with pytest.raises(TrainingError, match=r"crashed \(exit status -6\)"):
            pool.submit(call_apart, os.abort, limit_seconds=60).result()
        with pytest.raises(TrainingError, match="took longer than 1 s"):
            pool.submit(call_apart, time.sleep, 60, limit_seconds=1).result()
        with pytest.raises(TrainingError, match="does not divide"):
            pool.submit(call_apart, _raise, "does not divide", limit_seconds=60).result()
        assert pool.submit(os.getpid).result() == worker


def _raise(message: str) -> None:
    raise TrainingError(message)
