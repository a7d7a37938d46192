"""Measures the processor time of one core: all libraries run on one thread.

Measurements "per core" use it; other programs disturb processor time less than wall time.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


class Stopwatch:
    """Processor seconds of this process."""

    seconds = 0.0


@contextmanager
def one_core() -> Iterator[Stopwatch]:
    """Run the block on one thread; the stopwatch holds its processor time afterwards."""
    watch, threads = Stopwatch(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            begun = time.process_time()
            yield watch
            watch.seconds = time.process_time() - begun
    finally:
        torch.set_num_threads(threads)
