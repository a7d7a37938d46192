"""Scores of solo recognition: precision, recall and F of every family, their macro average, top-1 and the confusions.

Segal 2016 reports these, but divides the sums over 12 classes by 13. Here the macro average is over the families that
occur in the truth, each once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SoloScores:
    """`precision`, `recall`, `f1` and `support [families]`, and `confusion [true family, recognised family]` as counts."""

    families: tuple[str, ...]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: Ints
    confusion: Ints

    @classmethod
    def of(cls, truth: Ints, told: Ints, families: Sequence[str]) -> "SoloScores":
        """Score places in `families`: `truth [n]` and `told [n]`."""
        labels = np.arange(len(families))
        figures = precision_recall_fscore_support(truth, told, labels=labels, zero_division=0.0)
        precision, recall, f1, support = figures
        confusion = confusion_matrix(truth, told, labels=labels)
        return cls(tuple(families), precision, recall, f1, support, confusion)

    @property
    def present(self) -> NDArray[np.bool_]:
        """The families that occur in the truth, `[families]`."""
        present: NDArray[np.bool_] = self.support > 0
        return present

    @property
    def macro_f1(self) -> float:
        return float(self.f1[self.present].mean())

    @property
    def top1(self) -> float:
        return float(np.trace(self.confusion) / self.confusion.sum())
