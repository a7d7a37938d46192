"""Instruments of one library that are nearly the same: groups connected by pairs of high cosine similarity.

Cosines are taken a block of rows at a time and each block's pairs are merged into the groups so far, so that a library of ten
thousand never needs its whole matrix, however many of its instruments are alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from index.vector_store import Floats

BLOCK_ROWS = 256
ROUNDING = 1e-6  # the cosine of a float32 vector with itself may fall short of one by this


@dataclass(frozen=True)
class Group:
    """Rows `members`, in rising order, at least two; `similarity` is the lowest cosine of any to the first."""

    members: NDArray[np.int64]
    similarity: float


def groups_of(vectors: Floats, min_similarity: float, block_rows: int = BLOCK_ROWS) -> list[Group]:
    """Groups among unit `vectors [n, dim]` whose members are connected by pairs of at least `min_similarity`.

    The most similar group comes first. A chain may connect members that are further apart than `min_similarity`.
    """
    labels = np.arange(len(vectors))
    for first, second in _pairs(vectors, min_similarity, block_rows):
        labels = _merged(labels, first, second)
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    groups = [_group(vectors, rows) for rows in np.split(order, bounds) if len(rows) > 1]
    return sorted(groups, key=lambda group: (-group.similarity, int(group.members[0])))


def _pairs(
    vectors: Floats, min_similarity: float, block_rows: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows `first < second` of each pair that is similar enough, a block of first rows at a time."""
    for start in range(0, len(vectors), block_rows):
        cosine = vectors[start : start + block_rows] @ vectors[start:].T
        first, second = np.nonzero(np.triu(cosine >= min_similarity - ROUNDING, 1))
        if len(first):
            yield first + start, second + start


def _merged(
    labels: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """`labels [n]` of connected rows with these pairs connected too."""
    number = len(labels)
    edges = coo_array((np.ones(len(first), bool), (labels[first], labels[second])), shape=(number, number))
    _, component_of_label = connected_components(edges, directed=False)
    merged: NDArray[np.int64] = component_of_label[labels].astype(np.int64)
    return merged


def _group(vectors: Floats, members: NDArray[np.int64]) -> Group:
    cosines = vectors[members[1:]] @ vectors[members[0]]
    return Group(members, min(1.0, float(cosines.min())))
