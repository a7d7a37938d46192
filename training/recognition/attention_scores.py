"""Scores of attention recognition: of each class the mean of its F1 and of the F1 of its absence, on labelled clips alone.

Gururani et al. 2019 and Taenzer et al. 2021, section 5: a probability of .5 or more says that a class plays; the macro average
is over the classes. A class of which the labelled clips hold only one side has no figure.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

THRESHOLD = 0.5


def both_sides_f1(probability: Floats, truth: Bools, is_labelled: Bools) -> NDArray[np.float64]:
    """The figure of each class, `[classes]`, from `[clips, classes]` each; NaN where a side is not labelled."""
    told = probability >= THRESHOLD
    sides = []
    for wanted in (True, False):
        right = ((told == wanted) & (truth == wanted) & is_labelled).sum(axis=0)
        claimed, true = (((side == wanted) & is_labelled).sum(axis=0) for side in (told, truth))
        f1 = 2 * right / np.maximum(claimed + true, 1)
        sides.append(np.where(true > 0, f1, np.nan))
    return np.mean(sides, axis=0)


def macro_f1(probability: Floats, truth: Bools, is_labelled: Bools) -> float:
    """The mean of `both_sides_f1` over the classes that have a figure; 0 where none has."""
    found = both_sides_f1(probability, truth, is_labelled)
    known = ~np.isnan(found)
    return float(found[known].mean()) if known.any() else 0.0
