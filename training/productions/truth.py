"""The truth of productions: for each part its instrument, its family, and when it sounds, as a file beside the audio.

Spans are measured on the finished stems, so that `showme data verify` can measure them again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.atomic import write_atomically
from models.errors import TrainingError
from training.nlakh.dataset import DatasetInstrument

TRUTH_FILE = "truth.jsonl"  # of a split: a production a line
FRAME_SECONDS = 0.02
RANGE_DB = 40.0  # frames within this range of the stem's loudest one sound
LONGEST_GAP_FRAMES = 15  # a shorter silence does not end a span
SHORTEST_FRAMES = 3

Spans = tuple[tuple[float, float], ...]  # (start, end) in seconds, in order, apart


def total_seconds(spans: Spans) -> float:
    return sum(end - start for start, end in spans)


@dataclass(frozen=True)
class PartTruth:
    """One part of a production: the number, id and family of its instrument, and the spans in which it sounds."""

    instrument: int
    id: str
    family: str | None
    spans: Spans


def sounding_spans(samples: NDArray[np.int16] | NDArray[np.float32], sample_rate: int) -> Spans:
    """When a stem `[samples]` of any level sounds: its frames of 20 ms within 40 dB of the loudest one.

    Gaps under 0.3 s are closed, and spans under 60 ms dropped.
    """
    size = round(FRAME_SECONDS * sample_rate)
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % size)).reshape(-1, size)
    power = (padded**2).mean(axis=1)
    sounds = (power > 0) & (power >= power.max(initial=0.0) * 10 ** (-RANGE_DB / 10))
    edges = np.flatnonzero(np.diff(np.pad(sounds, 1).astype(np.int8))).reshape(-1, 2)  # [spans, (start, end)]
    if not len(edges):
        return ()
    apart = np.concatenate([[True], edges[1:, 0] - edges[:-1, 1] >= LONGEST_GAP_FRAMES])
    starts, ends = edges[apart, 0], edges[np.append(apart[1:], True), 1]
    length = len(samples) / sample_rate
    return tuple(
        (round(start * FRAME_SECONDS, 2), round(min(end * FRAME_SECONDS, length), 2))
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
        if end - start >= SHORTEST_FRAMES
    )


def describe_parts(
    numbers: Sequence[int], spans: Sequence[Spans], row_of: Mapping[int, DatasetInstrument]
) -> tuple[PartTruth, ...]:
    """The truth of one production: its instruments by number, and when each sounds."""
    return tuple(
        PartTruth(number, row_of[number].id, row_of[number].family, found)
        for number, found in zip(numbers, spans, strict=True)
    )


def write_truth(
    folder: Path,
    instruments: Iterable[DatasetInstrument],
    productions: Sequence[tuple[int, ...]],
    spans: Sequence[tuple[Spans, ...]],
) -> None:
    """Write the truth of a split: the instrument numbers of each production, and the spans of each of its parts."""
    row_of = {row.number: row for row in instruments}
    lines = []
    for place, (numbers, sounding) in enumerate(zip(productions, spans, strict=True), 1):
        parts = [asdict(part) for part in describe_parts(numbers, sounding, row_of)]
        lines.append(json.dumps({"production": place, "parts": parts}))
    write_atomically(folder / TRUTH_FILE, ("\n".join(lines) + "\n").encode())


def read_truth(folder: Path) -> tuple[tuple[PartTruth, ...], ...]:
    """The parts of each production of a split, in the order of its stems. Raises TrainingError when it cannot be read."""
    path = folder / TRUTH_FILE
    try:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return tuple(tuple(_part(part) for part in row["parts"]) for row in rows)
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}", value=str(path)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{path} is damaged: {error!r}", value=str(path)) from error


def _part(row: dict[str, Any]) -> PartTruth:
    return PartTruth(
        row["instrument"], row["id"], row["family"], tuple((start, end) for start, end in row["spans"])
    )


class TruthCheck:
    """Compares the productions of a split, one after the other, with its file of truth."""

    def __init__(self, folder: Path, instruments: Iterable[DatasetInstrument], sample_rate: int) -> None:
        """Raises TrainingError when the file cannot be read."""
        self._told = list(read_truth(folder))[::-1]
        self._row_of = {row.number: row for row in instruments}
        self._rate = sample_rate

    @property
    def num_left(self) -> int:
        """Productions of the file that were not compared."""
        return len(self._told)

    def agrees(self, numbers: Sequence[int], stems: NDArray[np.int16]) -> bool:
        """Whether the file says of the next production what its stems `[parts, samples]` sound like."""
        told = self._told.pop() if self._told else ()
        if not self._row_of.keys() >= set(numbers):
            return False
        spans = [sounding_spans(stem, self._rate) for stem in stems]
        return told == describe_parts(numbers, spans, self._row_of)
