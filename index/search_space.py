"""The search space of a query: a library's instruments, compared by their cosines and by their families.

Kim et al. 2022, section 3.3 compares by cosine alone. Ours is the cosine plus the bonus of the family model
(`models/family.py`), which is never above 0: the *similarity* by which the service ranks, links and answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.family import FamilyModel

Floats = NDArray[np.float32]
# Embeddings [q, dim] → similarity with every instrument of a library [q, n].
Similarities = Callable[[Floats], Floats]


@dataclass(frozen=True)
class SearchSpace:
    """The n instruments of a library: their `cosines` with queries, and with a family `model` their shares `[n, families]`."""

    cosines: Similarities
    size: int
    model: FamilyModel | None = None
    share: Floats | None = None

    @classmethod
    def of(
        cls, embedding: Floats, families: Sequence[str | None] = (), model: FamilyModel | None = None
    ) -> "SearchSpace":
        """The space of `embedding [n, dim]`, of unit norm. Without a model it is one of cosines."""

        def cosines(queries: Floats) -> Floats:
            product: Floats = queries @ embedding.T
            return product

        share = None if model is None else model.shares(embedding, families)
        return cls(cosines, len(embedding), model, share)

    def __len__(self) -> int:
        return self.size

    def __call__(self, queries: Floats) -> Floats:
        """The similarity of every query `[q, dim]` with each instrument, `[q, n]`, at most the cosine."""
        cosine = self.cosines(queries)
        if self.model is None or self.share is None or not cosine.size:
            return cosine
        similarity: Floats = cosine + self.model.bonus(queries, self.share)
        return similarity
