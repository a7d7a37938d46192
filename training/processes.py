"""Worker processes that end when the process that started them ends, however it ends.

After `concurrent.futures` of Python, whose workers wait for ever, with all that they have open, once their parent is killed.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

from models.errors import TrainingError

# Workers are forked from a server process without threads; it imports a module once for all workers when the caller
# names it with `CONTEXT.set_forkserver_preload`.
CONTEXT = get_context("forkserver")
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def worker_pool(
    workers: int, start: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes that each call `start(*arguments)` first; tasks not begun are dropped at the end.

    They do not hear Ctrl-C: the parent does. Raises TrainingError when one of them dies.
    """
    # The server reads these when it starts: each worker is one thread.
    os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
    pool = ProcessPoolExecutor(workers, CONTEXT, _begin, (start, arguments))
    try:
        yield pool
    except BrokenProcessPool as error:
        message = f"one of {workers} worker processes died (memory?): try the same command with fewer"
        raise TrainingError(message, value=workers) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start is not None:
        start(*arguments)


def _end_with_parent() -> None:
    """Exit as soon as the parent ends, so that this process writes no files during a later run."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
