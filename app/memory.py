"""Gives memory that is no longer used back to the system: the C library of Linux keeps most of it for the process.

`malloc_trim` of glibc, https://man7.org/linux/man-pages/man3/malloc_trim.3.html; elsewhere nothing is done.
"""

import ctypes
from collections.abc import Callable
from functools import cache


def release_free_memory() -> None:
    """Give back the pages of all freed blocks, whichever thread has allocated them; takes some milliseconds."""
    _trim()(0)


@cache
def _trim() -> Callable[[int], object]:
    try:
        trim: Callable[[int], object] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return lambda pad: None
    return trim
