"""Scores of frame-level recognition: F1 of each class over all frames, their mean, and the thresholds that make the most of it.

Hung & Yang 2018, section 4.3: for each class the best of .01, .02 … .99. The paper chooses thresholds on training data; its
code chooses them again on test data. Here they are chosen on validation recordings alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.recognition.frame_level import FrameLevelNetwork
from training.evaluation.metrics import Values
from training.recognition.frame_features import Bytes, FrameSet

Floats = NDArray[np.float32]
STEPS = 100  # of the grid of thresholds


def predicted(network: FrameLevelNetwork, frames: FrameSet) -> list[Floats]:
    """The probabilities of each recording, `[frames // 9, classes]`, by the network in evaluation mode."""
    device = next(network.parameters()).device
    was_training, out = network.training, list[Floats]()
    network.eval()
    with torch.inference_mode():
        for place in range(len(frames.ids)):
            inputs = frames.recording(place, network.config.source)
            logits = network(*(None if one is None else one.to(device) for one in inputs))[0]
            out.append(logits.sigmoid().T.cpu().numpy())
    network.train(was_training)
    return out


def best_thresholds(probability: Floats, target: Bytes) -> tuple[float, ...]:
    """The threshold of each class with the highest F1, for `probability` and `target [n, classes]`; .5 where none sounds."""
    grid = np.clip((probability * STEPS + 1e-4).astype(np.int64), 0, STEPS - 1)
    chosen = []
    for places, truth in zip(grid.T, target.T.astype(bool), strict=True):
        # From each step of the grid on: what is told rightly, and all that is told.
        right = np.cumsum(np.bincount(places[truth], minlength=STEPS)[::-1])[::-1]
        told = np.cumsum(np.bincount(places, minlength=STEPS)[::-1])[::-1]
        f1 = 2 * right / np.maximum(told + truth.sum(), 1)
        chosen.append((1 + int(f1[1:].argmax())) / STEPS if truth.any() else 0.5)
    return tuple(chosen)


def counts(
    probability: Sequence[Floats], target: Sequence[Bytes], thresholds: Sequence[float]
) -> NDArray[np.float64]:
    """Of each recording and class the frames told rightly, told, and true: `[recordings, 3, classes]`."""
    rows = []
    for share, truth in zip(probability, target, strict=True):
        told = share >= np.asarray(thresholds, np.float32)
        rows.append(np.stack([(told & (truth > 0)).sum(axis=0), told.sum(axis=0), truth.sum(axis=0)]))
    return np.stack(rows).astype(np.float64)


def class_f1(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of each class, `totals [..., 3, classes]` → `[..., classes]`; 0 where nothing is true or told."""
    right, told, true = totals[..., 0, :], totals[..., 1, :], totals[..., 2, :]
    return 2 * right / np.maximum(told + true, 1e-12)


def mean_f1(totals: NDArray[np.float64]) -> Values:
    """The mean of the F1 of the classes that occur in the truth, `totals [..., 3, classes]` → `[...]`."""
    occurs = totals[..., 2, :] > 0
    return (class_f1(totals) * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
