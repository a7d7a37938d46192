"""Runs enrollments one after another in a worker thread, with progress and cancellation.

An enrollment is one transaction (`index/enroll.py`), so a job that fails, is cancelled or is killed leaves nothing behind.
"""

import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from time import monotonic

import anyio

from app.job_store import JobStore, JobView
from index.enroll import EnrollReport, enroll
from index.instrument_index import InstrumentIndex
from index.sources.base import InstrumentSource
from models.encoder_pair import EncoderPair
from models.errors import Busy, JobConflict, ShowMeError

log = logging.getLogger("showme")

SAVE_SECONDS = 0.5  # between two writes of the progress to the database, at least
POLL_SECONDS = 0.2  # between two looks of a watcher
INTERRUPTED = "interrupted by a restart; nothing was stored"
MAX_SKIPPED_NAMED = 5
Listener = Callable[[JobView], None]


@dataclass
class _Work:
    """A job in flight. `view` is replaced and never mutated, so that readers need no lock."""

    view: JobView
    source: InstrumentSource
    clean_up: Callable[[], None]
    cancelled: threading.Event = field(default_factory=threading.Event)
    saved_at: float = 0.0


class JobRunner:
    """A worker thread with a bounded queue of enrollments. It calls `listener` with every change of a job."""

    def __init__(
        self,
        index: InstrumentIndex,
        pair: EncoderPair,
        store: JobStore,
        max_waiting: int,
        listener: Listener | None = None,
    ) -> None:
        self._index = index
        self._pair = pair
        self._store = store
        self._max_waiting = max_waiting
        self._listener = listener
        self._lock = threading.Lock()
        self._stopping = False
        self._works: dict[str, _Work] = {}
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="enrollment", daemon=True)

    def start(self) -> None:
        """Mark the unfinished jobs of an earlier process as failed, and start the thread."""
        for job_id in self._store.fail_unfinished(INTERRUPTED):
            log.warning("job %s was interrupted by a restart", job_id)
        self._thread.start()

    def stop(self) -> None:
        """Interrupt everything in flight and wait for the thread to end."""
        with self._lock:
            self._stopping = True
            for work in self._works.values():
                work.cancelled.set()
        self._queue.put(None)
        self._thread.join()

    def submit(
        self, library_id: str, source: InstrumentSource, clean_up: Callable[[], None] = lambda: None
    ) -> JobView:
        """Queue an enrollment; `clean_up` is called when it has ended. Raises Busy and LibraryNotFound."""
        with self._lock:
            if len(self._works) >= self._max_waiting:
                message = f"{len(self._works)} enrollments are already in flight; try again"
                raise Busy(message, value=len(self._works), limit=self._max_waiting)
            work = _Work(self._store.create(library_id, len(source)), source, clean_up)
            self._works[work.view.id] = work
        self._queue.put(work)
        return work.view

    def view(self, job_id: str) -> JobView:
        """Return the present state of a job. Raises JobNotFound."""
        work = self._works.get(job_id)
        return work.view if work else self._store.get(job_id)

    def in_flight(self, library_id: str | None = None) -> list[JobView]:
        """Return the queued and running jobs of one library, or of all."""
        with self._lock:
            views = [work.view for work in self._works.values()]
        return [view for view in views if not view.finished and library_id in (None, view.library_id)]

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job: a queued one never starts, a running one ends after its current instrument.

        Raises JobNotFound, and JobConflict when the job has already ended.
        """
        work = self._works.get(job_id)
        if work is None or work.view.finished:  # ended, and about to be forgotten
            view = self.view(job_id)
            raise JobConflict(
                f"job {job_id} is already {view.state}", value=view.state, limit="queued or running"
            )
        work.cancelled.set()
        return work.view

    async def watch(self, job_id: str) -> AsyncIterator[JobView]:
        """Yield the job now and after every change, until it has ended."""
        seen = None
        while True:
            view = await anyio.to_thread.run_sync(self.view, job_id)
            if view != seen:
                yield view
            if view.finished:
                return
            seen = view
            await anyio.sleep(POLL_SECONDS)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            ended = self._ended(work)
            try:
                work.clean_up()
            except OSError:
                log.exception("job %s: its uploaded files could not be removed", work.view.id)
            self._show(work, ended, save=True)
            with self._lock:
                del self._works[work.view.id]

    def _ended(self, work: _Work) -> JobView:
        """Run the enrollment and return the ended job. Never raises."""
        view = work.view
        if work.cancelled.is_set():
            return self._cancelled(work)
        self._show(work, replace(view, state="running", message="starting"), save=True)
        try:
            report = enroll(
                self._index,
                self._pair,
                str(view.library_id),
                work.source,
                progress=lambda done, total, name: self._progress(work, done, total, name),
                cancelled=work.cancelled.is_set,
            )
        except ShowMeError as error:
            log.warning("job %s failed: %s", view.id, error)
            return replace(work.view, state="failed", message=error.message)
        except Exception:
            log.exception("job %s failed", view.id)
            return replace(
                work.view, state="failed", message="an unexpected error; see the log of the service"
            )
        return self._cancelled(work) if report.cancelled else self._done(work, report)

    def _cancelled(self, work: _Work) -> JobView:
        if self._stopping:
            return replace(work.view, state="failed", message=INTERRUPTED)
        return replace(work.view, state="cancelled", message="cancelled; nothing was stored")

    def _done(self, work: _Work, report: EnrollReport) -> JobView:
        skipped = [f"{name} ({reason})" for name, reason in report.skipped]
        parts = [f"{len(report.added)} added"]
        if skipped:
            more = f" and {len(skipped) - MAX_SKIPPED_NAMED} more" if len(skipped) > MAX_SKIPPED_NAMED else ""
            parts.append(f"{len(skipped)} skipped: {', '.join(skipped[:MAX_SKIPPED_NAMED])}{more}")
        total = work.view.total
        return replace(work.view, state="done", done=total, message="; ".join(parts))

    def _progress(self, work: _Work, done: int, total: int, name: str) -> None:
        due = monotonic() - work.saved_at >= SAVE_SECONDS
        self._show(work, replace(work.view, done=done, total=total, message=name), save=due)

    def _show(self, work: _Work, view: JobView, *, save: bool) -> None:
        work.view = view
        try:
            if save:
                self._store.save(view)
                work.saved_at = monotonic()
            if self._listener:
                self._listener(view)
        except Exception:  # a full disk or a closed terminal must not end the thread
            log.exception("job %s: its progress could not be recorded", view.id)
