"""Worker processes that end when the process that started them ends, however it ends, and calls in a process of their own.

After `concurrent.futures` of Python, whose workers wait for ever, with all that they have open, once their parent is killed.
"""

import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from models.errors import ShowMeError, TrainingError

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


def call_apart(function: Callable[..., Any], *arguments: Any, limit_seconds: int) -> Any:
    """Return `function(*arguments)` of a forked process, so that foreign code may crash, hang or leak.

    To be called in a worker process: a fork of one with other threads may find their locks held for ever. Raises the
    function's own ShowMeError, and TrainingError if the process dies or runs longer than `limit_seconds`.
    """
    receiver, sender = CONTEXT.Pipe(duplex=False)
    child = os.fork()
    if not child:
        _answer(sender, limit_seconds, function, arguments)
    sender.close()
    with receiver:
        try:
            answer = receiver.recv()
        except EOFError:
            answer = None
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -signal.SIGALRM:
        raise TrainingError(f"took longer than {limit_seconds} s", limit=limit_seconds)
    if status:
        raise TrainingError(f"crashed (exit status {status})", value=status)
    if isinstance(answer, ShowMeError):
        raise answer
    return answer


def _answer(
    sender: Connection, limit_seconds: int, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> NoReturn:
    """Send the function's answer or its ShowMeError; the process ends here, without the destructors of foreign code."""
    try:
        signal.alarm(limit_seconds)  # ends the process, whatever it is doing
        try:
            answer = function(*arguments)
        except ShowMeError as error:
            answer = error
        sender.send(answer)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


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
