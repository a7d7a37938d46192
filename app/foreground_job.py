"""An enrollment in the caller's own thread, recorded as a job: other processes on the data folder see it and leave it alone.

`showme index add` and the Python API enroll so; the service runs its jobs in a queue (`app/jobs.py`).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Literal

from sqlalchemy.orm import Session

from app.heartbeat import Heartbeat
from app.job_store import BEATS_PER_LEASE, SAVE_SECONDS, JobState, JobStore, JobView
from app.tasks import Outcome
from index.enroll import EnrollReport, Progress
from models.error_kind import kind_of
from models.errors import ShowMeError

log = logging.getLogger("showme")


class ForegroundJob:
    """The record of an enrollment: give `progress` and `storing` to it, and its report to `end`."""

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

    def storing(self, session: Session, number: int) -> None:
        """Record how many instruments the job keeps, in the transaction that stores them. Raises JobConflict."""
        self.view = replace(self.view, state="running", kept=number)
        self._store.save_batch(session, self.view)

    def end(self, report: EnrollReport) -> None:
        """Record the result."""
        outcome = Outcome.of_enrollment(report)
        self.view = replace(self.view, done=self.view.total, skipped=outcome.skipped)
        self.record(outcome.state, outcome.message)

    def stop(self, state: Literal["failed", "cancelled"], message: str) -> None:
        """Record that the enrollment has ended early, and what it keeps: the last batch may be what has failed."""
        with suppress(ShowMeError):
            self.view = replace(self.view, kept=self._store.get(self.view.id).kept)
        ended = self.view.ended_early(state, message)
        self.record(ended.state, ended.message)

    def hint(self) -> str | None:
        """Say what can be done with the instruments that an enrollment keeps which has ended early; None without any."""
        if not self.view.kept:
            return None
        return f"{self.view.message}; the same command goes on; to take them out: showme index take-out {self.view.id}"

    def record(self, state: JobState, message: str) -> None:
        """Write the state; that it cannot be written does not disturb the enrollment."""
        self.view = replace(self.view, state=state, message=message)
        try:
            self._store.save(self.view)
            self._saved_at = monotonic()
        except ShowMeError as error:
            log.warning("job %s: its state could not be recorded: %s", self.view.id, kind_of(error))


@contextmanager
def foreground_job(
    store: JobStore,
    library_id: str,
    total: int,
    progress: Progress | None,
    source_path: str,
    *,
    alone: bool = False,
) -> Iterator[ForegroundJob]:
    """Record the enrollment in the block as a job, and renew its lease meanwhile.

    It goes on under the last job of this source and library, if that has ended early. An error gets a note with what is
    kept. Raises LibraryNotFound, and JobConflict if it is to be `alone` and another process enrolls into the library.
    """
    view = store.create(library_id, "enroll", total, alone=alone, source_path=source_path, going_on=True)
    job = ForegroundJob(store, view, progress)
    with Heartbeat(lambda: store.renew([job.view.id]), store.lease_seconds / BEATS_PER_LEASE):
        try:
            job.record("running", "starting")
            yield job
        except BaseException as error:
            message = error.message if isinstance(error, ShowMeError) else "stopped"
            job.stop("cancelled" if isinstance(error, KeyboardInterrupt) else "failed", message)
            if hint := job.hint():
                error.add_note(hint)
            raise
