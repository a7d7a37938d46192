"""Enrollment: render a source's instruments, embed their clips, and store them batch by batch.

The next instruments are rendered (`index/enrollment/readers.py`) while the encoder hears several at once. Each batch is one
transaction (`index/enrollment/batches.py`): what it has stored stays, whether the enrollment is cancelled, fails or is killed,
and the next run of its job goes on from there.
"""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.enrollment.batches import BatchWriter, Destination, Storing
from index.enrollment.hearing import hear_together
from index.enrollment.readers import InstrumentReaders, RenderedInstrument
from index.instrument_index import InstrumentIndex
from index.records import InstrumentInfo
from index.sources.base import Floats, InstrumentSource, SourceInstrument
from models.encoder_pair import EncoderPair
from models.errors import SourceError

Progress = Callable[[int, int, str], None]

DRAWING = "drawing the map"  # the progress message after the last instrument


@dataclass(frozen=True)
class EnrollReport:
    """The instruments that were added, and the (name, reason) of each instrument or file that was skipped.

    `num_stored` counts those that earlier runs of the job have added too; a cancelled enrollment keeps them.
    """

    added: list[InstrumentInfo] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    cancelled: bool = False
    num_stored: int = 0


def enroll(
    index: InstrumentIndex,
    pair: EncoderPair,
    library_id: str,
    source: InstrumentSource,
    *,
    job_id: str | None = None,
    opened_at: Path | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    storing: Storing | None = None,
) -> EnrollReport:
    """Add the instruments of `source` as `add_instruments` does, and draw the library's map anew.

    `progress(done, total, DRAWING)` is called before the map is drawn. Raises SourceError too if no instrument could be used.
    """
    stops = cancelled or (lambda: False)
    report = add_instruments(
        index,
        pair,
        library_id,
        source,
        job_id=job_id,
        opened_at=opened_at,
        progress=progress,
        cancelled=stops,
        storing=storing,
    )
    if report.cancelled:
        return report
    if not report.num_stored:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in report.skipped[:3])
        raise SourceError(f"no instrument of {source.name} could be enrolled ({reasons})", value=source.name)
    (progress or _no_progress)(len(source), len(source), DRAWING)
    library = index.libraries.get(library_id)
    return replace(report, cancelled=not index.maps.draw(library.id, stops))


def add_instruments(
    index: InstrumentIndex,
    pair: EncoderPair,
    library_id: str,
    source: InstrumentSource,
    *,
    job_id: str | None = None,
    opened_at: Path | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    storing: Storing | None = None,
) -> EnrollReport:
    """Add the instruments of `source` to the library (id or name); unusable instruments are skipped with a reason.

    Those that the job `job_id` has enrolled before are left as they are, deleted or not.
    `opened_at` is the path at which `source` was opened, for embedding it again with another encoder (`index/reembed.py`).
    `storing(session, num_stored)` is called in the transaction that stores a batch, for what is to be stored with it.

    `progress(done, total, name)` is called once at the start and after each instrument. `cancelled()` is asked before each
    instrument; what was stored by then is kept. Raises LibraryNotFound and EncoderMismatch.
    """
    index.check_pair(pair.encoder_hash)
    library = index.libraries.get(library_id)
    index.check_encoder(library)
    before = index.job_instruments.keys(library.id, job_id) if job_id else set()
    folder = Path(tempfile.mkdtemp(prefix="enroll-", dir=index.folder.tmp_dir))
    to = Destination(library.id, index.folder.stored_path(opened_at) if opened_at else None, job_id)
    try:
        with BatchWriter(index, to, folder, storing, len(before)) as batches:
            run = _Enrollment(pair, batches, progress or _no_progress, cancelled or (lambda: False))
            added = run.add_all(source, lambda one: (one.source, one.id) not in before)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return EnrollReport(added, run.skipped, run.is_cancelled, batches.num_stored)


class _Enrollment:
    """One run over a source. `heard` together are the clips of a few instruments, as many as the encoder takes at once."""

    def __init__(
        self, pair: EncoderPair, batches: BatchWriter, progress: Progress, cancelled: Callable[[], bool]
    ) -> None:
        self.skipped: list[tuple[str, str]] = []
        self.is_cancelled = False
        self.progress = progress
        self.cancelled = cancelled
        self._pair = pair
        self._batches = batches
        self._unheard: list[tuple[RenderedInstrument, Floats]] = []

    def add_all(
        self, source: InstrumentSource, wanted: Callable[[SourceInstrument], bool]
    ) -> list[InstrumentInfo]:
        """Store all instruments of the source that are wanted and usable, unless cancelled; return those that were."""
        added: list[InstrumentInfo] = []
        self.skipped += source.faults
        self.progress(0, len(source), "")
        with InstrumentReaders(source, wanted, self._pair.sample_rate, self._pair.clip_samples) as readers:
            for done, item in enumerate(readers, 1):
                if self._stops():
                    return added
                self._take(item)
                self.progress(done, len(source), item.instrument.name)
                if self._batches.is_due(len(self._unheard)):
                    added += self._store()
            return added + self._store()

    def _take(self, item: RenderedInstrument) -> None:
        self.skipped += item.skipped
        if item.clips is not None:
            self._unheard.append((item, item.clips))
            if sum(len(clips) for _, clips in self._unheard) >= self._pair.batch_size:
                self._hear()

    def _hear(self) -> None:
        if not self._unheard:
            return
        heard = hear_together(self._pair, [(item.instrument, clips) for item, clips in self._unheard])
        for (item, _), found in zip(self._unheard, heard, strict=True):
            if isinstance(found, SourceError):
                self.skipped.append((item.instrument.name, found.message))
            else:
                self._batches.add(item.instrument, found, item.preview)
        self._unheard = []

    def _store(self) -> list[InstrumentInfo]:
        """Store the batch, unless the enrollment was cancelled while it was heard."""
        self._hear()
        return [] if self._stops() else self._batches.store()

    def _stops(self) -> bool:
        self.is_cancelled = self.is_cancelled or self.cancelled()
        return self.is_cancelled


def _no_progress(done: int, total: int, name: str) -> None:
    """Nobody looks."""
