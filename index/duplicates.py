"""Groups of near-identical instruments of one library: connected components of pairs with a high cosine similarity.

Cosines are computed a block of rows at a time, and each block's pairs are merged into the groups so far. A library of ten
thousand therefore never needs its whole matrix, however many of its instruments are alike.
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
class SimilarGroup:
    """Rows `members`, in rising order, at least two; `similarity` is the lowest cosine of any member to the first."""

    members: NDArray[np.int64]
    similarity: float


def find_similar_groups(
    vectors: Floats, min_similarity: float, block_rows: int = BLOCK_ROWS
) -> list[SimilarGroup]:
    """Group unit `vectors [n, dim]` that are connected by pairs with a cosine of at least `min_similarity`.

    The most similar group comes first. A chain may connect members that are further apart than `min_similarity`.
    """
    labels = np.arange(len(vectors))
    for first, second in _similar_pairs(vectors, min_similarity, block_rows):
        labels = _merge_labels(labels, first, second)
    order = np.argsort(labels, kind="stable")
    bounds = np.flatnonzero(np.diff(labels[order])) + 1
    groups = [_group(vectors, rows) for rows in np.split(order, bounds) if len(rows) > 1]
    return sorted(groups, key=lambda group: (-group.similarity, int(group.members[0])))


def _similar_pairs(
    vectors: Floats, min_similarity: float, block_rows: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows `first < second` of each pair that is similar enough, a block of first rows at a time."""
    for start in range(0, len(vectors), block_rows):
        cosine = vectors[start : start + block_rows] @ vectors[start:].T
        first, second = np.nonzero(np.triu(cosine >= min_similarity - ROUNDING, 1))
        if len(first):
            yield first + start, second + start


def _merge_labels(
    labels: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Component labels `[n]` after the rows `first` and `second` have been connected pair by pair."""
    number = len(labels)
    edges = coo_array((np.ones(len(first), bool), (labels[first], labels[second])), shape=(number, number))
    _, component_of_label = connected_components(edges, directed=False)
    merged: NDArray[np.int64] = component_of_label[labels].astype(np.int64)
    return merged


def _group(vectors: Floats, members: NDArray[np.int64]) -> SimilarGroup:
    cosines = vectors[members[1:]] @ vectors[members[0]]
    return SimilarGroup(members, min(1.0, float(cosines.min())))
