"""A cache of arrays that is bounded by their bytes, for decoded and resampled samples."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


ArrayT = TypeVar("ArrayT", bound=_Sized)


class ArrayCache(Generic[ArrayT]):
    """Values by key; the least recently used are dropped when all together exceed `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._values: OrderedDict[Hashable, ArrayT] = OrderedDict()
        self._bytes_left = max_bytes

    def get(self, key: Hashable, make: Callable[[], ArrayT]) -> ArrayT:
        """Return the value of `key`, made by `make` if it is not cached."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = self._values[key] = make()
        self._bytes_left -= value.nbytes
        while self._bytes_left < 0 and len(self._values) > 1:
            self._bytes_left += self._values.popitem(last=False)[1].nbytes
        return value
