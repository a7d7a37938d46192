"""The library's posterior: the probability that each instrument of a library plays, from the slots of one window.

Kim et al. 2022, section 3.3 ranks by the highest cosine. A cosine says more where no other instrument is as similar, and
nothing where the slot is not used. So each slot divides its presence among the instruments by a softmax of its cosines, as
the prototype loss of the training does, and a noisy or combines the slots.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SCALE = 15.0  # of cosines before the softmax; chosen on the validation instruments


def softmax_shares(cosine: Floats, scale: float = SCALE) -> Floats:
    """The softmax of `scale * cosine [..., instruments]` over the instruments; a cosine of −inf gets no share."""
    share: Floats = np.exp(scale * (cosine - cosine.max(axis=-1, keepdims=True)))
    share /= share.sum(axis=-1, keepdims=True)
    return share


def library_posterior(cosine: Floats, presence: Floats, scale: float = SCALE) -> Floats:
    """The probability of each instrument: `cosine [..., slots, instruments]`, `presence [..., slots]` → `[..., instruments]`.

    `1 - prod over slots of (1 - presence * softmax over instruments of (scale * cosine))`, in 0…1.
    """
    share = softmax_shares(cosine, scale)
    missed = np.log1p(-np.minimum(presence[..., None] * share, 1 - 1e-7)).sum(axis=-2)
    posterior: Floats = -np.expm1(missed).astype(np.float32)
    return posterior
