"""The harmonic series feature: where the first partials of the sounding pitches lie among the bins of the constant-Q transform.

Hung & Yang 2018, section 4.2.2: the pitch map, shifted upwards to each harmonic, all summed. HSF-n has the fundamental and n
more; HSF-0 is the pitch map itself, which the paper calls "CQT+Pitch (C)".
"""

from torch import Tensor
from torch.nn import functional

SHIFTS = (0, 12, 19, 24, 28, 31)  # semitones from the fundamental to harmonics 1 to 6
MAX_ORDER = len(SHIFTS) - 1


def harmonic_series(pitch: Tensor, order: int) -> Tensor:
    """HSF-`order` of pitch maps: `pitch [..., bins, frames]` → the same shape; what lies above the highest bin is lost.

    Raises ValueError for an order outside 0…5.
    """
    if not 0 <= order <= MAX_ORDER:
        raise ValueError(f"order is {order}; it must lie in 0…{MAX_ORDER}")
    bins = pitch.shape[-2]
    total = pitch.clone()
    for shift in SHIFTS[1 : order + 1]:
        total = total + functional.pad(pitch, (0, 0, shift, 0))[..., :bins, :]
    return total
