"""Counts the heard notes that are right: a true one of the same pitch begins within 50 ms, as MIREX counts."""

from collections import defaultdict
from collections.abc import Sequence

TOLERANCE_SECONDS = 0.05

Onset = tuple[float, int]  # seconds, pitch


def matched_notes(heard: Sequence[Onset], true: Sequence[Onset]) -> int:
    """How many heard notes can be paired with true ones, each with one, of the same pitch within 50 ms."""
    return sum(_paired(sorted(ours), sorted(theirs)) for ours, theirs in _by_pitch(heard, true).values())


def _by_pitch(heard: Sequence[Onset], true: Sequence[Onset]) -> dict[int, tuple[list[float], list[float]]]:
    onsets: dict[int, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for side, notes in enumerate((heard, true)):
        for start, pitch in notes:
            onsets[pitch][side].append(start)
    return onsets


def _paired(heard: Sequence[float], true: Sequence[float]) -> int:
    """The largest number of pairs within the tolerance, of onsets in order: the earliest that fit are paired."""
    pairs, place = 0, 0
    for onset in heard:
        while place < len(true) and true[place] < onset - TOLERANCE_SECONDS:
            place += 1
        if place < len(true) and true[place] <= onset + TOLERANCE_SECONDS:
            pairs, place = pairs + 1, place + 1
    return pairs
