"""What is rendered at once: a clip of one instrument, or a mixture of several.

Section 4 of Kim et al. 2022, figure 3: five seconds, as int16 samples, so that stems sum to their mixture exactly.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError

Samples = NDArray[np.int16]


class Part(NamedTuple):
    """What one instrument plays in a take: its number and int16 samples [clip_samples]."""

    instrument: int
    samples: Samples


class Take(NamedTuple):
    """A clip of one part, or a mixture of several; numbers count from 1 within the instrument or the split."""

    number: int
    parts: tuple[Part, ...]


def mix(parts: tuple[Part, ...]) -> Samples:
    """The exact sum of the parts, int16 [clip_samples]. Raises TrainingError if it leaves the range of 16 bits."""
    total: NDArray[np.int32] = np.stack([part.samples for part in parts]).sum(axis=0, dtype=np.int32)
    if np.abs(total).max(initial=0) > 32767:
        raise TrainingError(
            "the stems sum to more than full scale", value=int(np.abs(total).max()), limit=32767
        )
    return total.astype(np.int16)
