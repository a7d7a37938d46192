"""The cache of arrays: which entries it drops, and when."""

import numpy as np

from index.sources.array_cache import ArrayCache


def test_the_least_recently_used_is_dropped() -> None:
    made: list[str] = []
    cache: ArrayCache[np.ndarray] = ArrayCache(2)

    def make(key: str) -> np.ndarray:
        made.append(key)
        return np.array([ord(key)], np.uint8)

    def get(key: str) -> str:
        return chr(cache.get(key, lambda: make(key))[0])

    assert [get(key) for key in "abacab"] == list("abacab")
    assert made == ["a", "b", "c", "b"]
