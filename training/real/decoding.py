"""Decodes the files of real recordings at any rate, and remembers which of them are unusable."""

from collections.abc import Callable

import numpy as np
import soxr

from index.sources.base import Floats
from models.errors import SourceError
from training.real.rows import RecordingRow

Read = Callable[[RecordingRow], tuple[Floats, int]]


class RowDecoder:
    """Decodes rows; `faults` names the unusable files, as (file, reason), as far as they were decoded."""

    def __init__(self, read: Read) -> None:
        """`read` returns the mono samples and the rate of a row; it raises SourceError for an unusable file."""
        self._read = read
        self._faults: dict[str, str] = {}

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        return tuple(self._faults.items())

    def __call__(self, row: RecordingRow, sample_rate: int) -> Floats:
        """The mono samples `[n]` of a row at `sample_rate`; none for an unusable file."""
        try:
            samples, rate = self._read(row)
        except SourceError as error:
            self._faults[row.file] = error.message
            return np.zeros(0, np.float32)
        return samples if rate == sample_rate else soxr.resample(samples, rate, sample_rate)
