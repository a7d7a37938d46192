"""Measures, in the background, the instruments that were enrolled before there was anything to measure, or imported.

One thread reads their previews; decoding is in the worker processes, since an imported preview is anybody's file.
"""

import logging
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.decoding.workers import DecodeWorkers
from index.instrument_index import InstrumentIndex
from index.sound_descriptors import measure_missing
from models.errors import Busy, IndexDamaged, StorageFull

log = logging.getLogger("showme")

PREVIEW_SAMPLE_RATE = 44_100
MOST_SECONDS = 10.0  # of a preview, which has six


class PreviewMeasuring:
    """Measures what is not measured, each time that it is started; one run at a time."""

    def __init__(self, index: InstrumentIndex, decoding: DecodeWorkers) -> None:
        self._index = index
        self._decoding = decoding
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, unless it runs."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="descriptors", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End after the preview that is being read."""
        self._stopped.set()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        index = self._index
        with suppress(Busy, StorageFull, IndexDamaged):  # the next run may succeed
            number = measure_missing(
                index.catalog, index.folder.preview_file, self._read, self._stopped.is_set
            )
            if number:
                log.info("measured %d previews", number)

    def _read(self, path: Path) -> tuple[NDArray[np.float32], int]:
        decoded = self._decoding.decode(
            path, sample_rate=PREVIEW_SAMPLE_RATE, end_seconds=MOST_SECONDS, name=path.name
        )
        return decoded.samples, decoded.sample_rate
