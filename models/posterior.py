"""From slots to a library: how probable it is that each instrument plays, and which set of them does.

Kim et al. 2022, section 3.3 takes every slot's nearest instrument and ranks by the highest cosine. A cosine means more where
no other instrument of the library is as near, and nothing where the slot is not used; so a slot shares its presence out among
the instruments by a softmax of its cosines, as the prototype loss of the training does, and slots are combined by a noisy or.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

SCALE = 15.0  # of cosines before the softmax; chosen on the validation instruments


def library_posterior(cosine: Floats, presence: Floats, scale: float = SCALE) -> Floats:
    """The probability of each instrument: `cosine [..., slots, instruments]`, `presence [..., slots]` → `[..., instruments]`.

    `1 - prod over slots of (1 - presence * softmax over instruments of (scale * cosine))`, in 0…1.
    """
    shifted = scale * (cosine - cosine.max(axis=-1, keepdims=True))
    share = np.exp(shifted)
    share /= share.sum(axis=-1, keepdims=True)
    missed = np.log1p(-np.minimum(presence[..., None] * share, 1 - 1e-7)).sum(axis=-2)
    posterior: Floats = -np.expm1(missed).astype(np.float32)
    return posterior


def expected_count(presence: Floats) -> NDArray[np.int64]:
    """The number of instruments, at least one: the rounded sum of `presence [..., slots]`, `[...]`."""
    return np.maximum(np.rint(presence.sum(axis=-1)).astype(np.int64), 1)


def most_probable(posterior: Floats, presence: Floats) -> Bools:
    """The set of as many instruments as are expected, the most probable ones: `[..., instruments]` bool."""
    rank = np.argsort(np.argsort(-posterior, axis=-1, kind="stable"), axis=-1, kind="stable")
    chosen: Bools = rank < expected_count(presence)[..., None]
    return chosen
