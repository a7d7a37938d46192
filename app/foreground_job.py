"""An enrollment in the caller's own thread, recorded as a job: other processes on the data folder see it and leave it alone.

`showme index add` and the Python API enroll so; the service runs its jobs in a queue (`app/jobs.py`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

from sqlalchemy.orm import Session

from app.heartbeat import Heartbeat
from app.job_store import BEATS_PER_LEASE, SAVE_SECONDS, JobState, JobStore, JobView
from app.tasks import Outcome
from index.enroll import EnrollReport, Progress
from models.errors import ShowMeError, kind_of

log = logging.getLogger("showme")


class ForegroundJob:
    """The record of an enrollment: give `progress` and `settle` to it."""

    def __init__(self, store: JobStore, view: JobView, progress: Progress | None) -> None:
        self.view = view
        self._store = store
        self._progress = progress
        self._saved_at = monotonic()

    def progress(self, done: int, total: int, name: str) -> None:
        """Show the progress, and record it now and then."""
        if self._progress:
            self._progress(done, total, name)
        self.view = replace(self.view, done=done, total=total, message=name)
        if monotonic() - self._saved_at >= SAVE_SECONDS:
            self.record("running", name)

    def settle(self, session: Session, report: EnrollReport) -> None:
        """Record the result in the transaction that stores it. Raises JobConflict if the job was taken over."""
        outcome = Outcome.of_enrollment(report)
        ended = replace(
            self.view,
            state=outcome.state,
            done=self.view.total,
            message=outcome.message,
            skipped=outcome.skipped,
        )
        self._store.save_with(session, ended)

    def record(self, state: JobState, message: str) -> None:
        """Write the state; that it cannot be written does not disturb the enrollment."""
        try:
            self._store.save(replace(self.view, state=state, message=message))
            self._saved_at = monotonic()
        except ShowMeError as error:
            log.warning("job %s: its state could not be recorded: %s", self.view.id, kind_of(error))


@contextmanager
def foreground_job(
    store: JobStore, library_id: str, total: int, progress: Progress | None, *, alone: bool = False
) -> Iterator[ForegroundJob]:
    """Record the enrollment in the block as a job, and renew its lease meanwhile.

    Raises LibraryNotFound, and JobConflict if it is to be `alone` and another process enrolls into the library.
    """
    job = ForegroundJob(store, store.create(library_id, "enroll", total, alone=alone), progress)
    with Heartbeat(lambda: store.renew([job.view.id]), store.lease_seconds / BEATS_PER_LEASE):
        try:
            job.record("running", "starting")
            yield job
        except BaseException as error:
            message = error.message if isinstance(error, ShowMeError) else "stopped; nothing was stored"
            job.record("cancelled" if isinstance(error, KeyboardInterrupt) else "failed", message)
            raise
