"""One core's work: every library is kept to one thread, and processor time is counted instead of the clock's.

Figures "per core" are measured so, and other programs on the machine disturb them less.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


class Stopwatch:
    """Processor seconds of this process, while it is the one that works."""

    seconds = 0.0


@contextmanager
def one_core() -> Iterator[Stopwatch]:
    """Keep to one thread, and tell the processor time of the block at its end."""
    watch, threads = Stopwatch(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            begun = time.process_time()
            yield watch
            watch.seconds = time.process_time() - begun
    finally:
        torch.set_num_threads(threads)
