"""Scores of solo recognition: precision, recall and F of every family, their macro average, top-1 and the confusions.

Segal 2016 reports these, but divides the sums over 12 classes by 13. Here the macro average is over the families that
occur in the truth, each once. `[…, families, families]` is a confusion matrix (or one for each resample): the number of
recordings by true and by recognised family.
"""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.metrics import Values

Counts = NDArray[np.float64]


def class_scores(confusion: Counts) -> tuple[Counts, Counts, Counts]:
    """Precision, recall and F1 of every family, `[…, families]` each; 0 where nothing was told, or is true."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    told, true = confusion.sum(axis=-2), confusion.sum(axis=-1)
    precision, recall = right / np.maximum(told, 1e-12), right / np.maximum(true, 1e-12)
    return precision, recall, 2 * right / np.maximum(told + true, 1e-12)


def macro_scores(confusion: Counts) -> dict[str, Values]:
    """Top-1 and the macro averages of precision, recall and F1, `[…]` each, over the families that occur in the truth."""
    occurs = confusion.sum(axis=-1) > 0
    right = np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1)
    scores = {"top1": right / np.maximum(confusion.sum(axis=(-2, -1)), 1e-12)}
    for name, values in zip(("precision", "recall", "f1"), class_scores(confusion), strict=True):
        scores[f"{name}_macro"] = (values * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
    return scores


def confusion_of(truth: NDArray[np.int64], told: NDArray[np.int64], number: int) -> Counts:
    """The confusion matrix `[number, number]` of places of families, `truth [n]` and `told [n]`."""
    confusion = np.zeros((number, number))
    np.add.at(confusion, (truth, told), 1)
    return confusion
