"""Runs enrollments and re-embeddings one after another in a worker thread, with progress and cancellation.

What the service does by itself gives way to what a person asked for. A job that fails or is cancelled says how many instruments
it keeps. Heartbeats tell that its jobs are alive; those of a process that has ended, or is stopped, are taken over and go on.
"""

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from sqlalchemy.orm import Session

from app.heartbeat import Heartbeat
from app.job_store import BEATS_PER_LEASE, INTERRUPTED, SAVE_SECONDS, JobKind, JobStore, JobView, Storing
from app.tasks import Task
from index.disk import is_full, storage_full
from models.error_kind import kind_of
from models.errors import Busy, JobConflict, ShowMeError

log = logging.getLogger("showme")

NOT_BEGUN = "cancelled before it began"
CONTINUES = "waiting to go on"
ASKED, BY_ITSELF, AFTER_UPDATES, LAST = range(4)  # the order in which waiting jobs are run
Listener = Callable[[JobView], None]
Resume = Callable[[JobView], Task | None]


@dataclass
class _Work:
    """A job in flight. `view` is replaced and never mutated, so that readers need no lock."""

    view: JobView
    task: Task
    priority: int
    number: int  # the order among those of one priority, which a job that gave way keeps
    cancelled: threading.Event = field(default_factory=threading.Event)
    is_unwanted: bool = False  # cancelled by a person, and not by the end of the service
    is_lost: bool = False  # another process has taken the job over
    saved_at: float = 0.0


class JobRunner:
    """A worker thread with a bounded queue of jobs. It calls the `listeners` with every change of a job."""

    def __init__(self, store: JobStore, max_waiting: int, listeners: Sequence[Listener] = ()) -> None:
        self._store = store
        self._max_waiting, self._listeners = max_waiting, listeners
        self._lock = threading.Lock()
        self._stopping, self._num_preparing = False, 0
        self._works: dict[str, _Work] = {}
        self._numbers = itertools.count()
        self._queue: queue.PriorityQueue[tuple[int, int, _Work | None]] = queue.PriorityQueue()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._heartbeat = Heartbeat(self.beat, store.lease_seconds / BEATS_PER_LEASE)
        self._resume: Resume = lambda view: None

    def start(self, resume: Resume = lambda view: None) -> None:
        """Start the threads. Interrupted jobs for which `resume` returns a task go on, the others have failed."""
        self._resume = resume
        self._take_over()
        self._thread.start()
        self._heartbeat.start()

    def beat(self) -> None:
        """Renew the leases of the jobs in flight, give up those that were taken over, and take over interrupted ones."""
        with self._lock:
            works = dict(self._works)
        if works:
            held = self._store.renew(works)
            for job_id in works.keys() - held:
                works[job_id].is_lost = True
                works[job_id].cancelled.set()
        self._take_over()

    def _take_over(self) -> None:
        with self._lock:
            in_flight = list(self._works)
        for view in self._store.take_over(in_flight):
            task = self._resumed(view)
            if task is None:
                log.warning("job %s was interrupted, since its process ended", view.id)
                self._store.save(view.ended_early("failed", INTERRUPTED))
            else:
                log.info("job %s goes on in this process", view.id)
                waiting = replace(view, state="queued", message=CONTINUES)
                self._store.save(waiting)
                asked = AFTER_UPDATES if task.after_updates else ASKED
                priority = asked if view.kind == "enroll" else BY_ITSELF
                with self._lock:
                    self._put(_Work(waiting, task, priority, next(self._numbers)))

    def _resumed(self, view: JobView) -> Task | None:
        try:
            return self._resume(view)
        except ShowMeError as error:
            log.warning("job %s cannot go on: %s", view.id, kind_of(error))
            return None

    def stop(self) -> None:
        """Interrupt everything in flight and wait for the threads to end."""
        self._heartbeat.stop()
        with self._lock:
            self._stopping = True
            for work in self._works.values():
                work.cancelled.set()
        self._queue.put((LAST, next(self._numbers), None))
        self._thread.join()

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Hold a place for a job that somebody asked for while it is prepared and submitted. Raises Busy without one."""
        with self._lock:
            self._check_place()
            self._num_preparing += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_preparing -= 1

    def check_place(self) -> None:
        """Raise Busy without a place for one more job that somebody asks for."""
        with self._lock:
            self._check_place()

    def _check_place(self) -> None:
        number = self._num_preparing + sum(work.priority == ASKED for work in self._works.values())
        if number >= self._max_waiting:
            message = f"{number} enrollments are already in flight; try again"
            raise Busy(message, value=number, limit=self._max_waiting)

    def submit(
        self,
        library_id: str,
        task: Task,
        *,
        by_itself: bool = False,
        alone: bool = False,
        storing: Storing | None = None,
        key_id: str | None = None,
        going_on: bool = False,
    ) -> JobView:
        """Queue a task that `key_id` asked for. `by_itself`: nobody did, so it runs after the others and needs no place.

        The others are as for `JobStore.create`. Raises LibraryNotFound and JobConflict.
        """
        with self._lock:
            view = self._store.create(
                library_id,
                task.kind,
                task.total,
                alone=alone,
                storing=storing,
                key_id=key_id,
                source_path=task.source_path,
                going_on=going_on,
            )
            self._put(_Work(view, task, BY_ITSELF if by_itself else ASKED, next(self._numbers)))
        return view

    def _put(self, work: _Work) -> None:
        self._works[work.view.id] = work
        self._queue.put((work.priority, work.number, work))

    def view(self, job_id: str) -> JobView:
        """Return the present state of a job. Raises JobNotFound."""
        work = self._works.get(job_id)
        return work.view if work else self._store.get(job_id)

    def in_flight(self, library_id: str | None = None, kind: JobKind | None = None) -> list[JobView]:
        """Return the queued and running jobs, of one library or kind if given."""
        with self._lock:
            views = [work.view for work in self._works.values()]
        return [
            view
            for view in views
            if not view.finished and library_id in (None, view.library_id) and kind in (None, view.kind)
        ]

    def alive(self, library_id: str, kind: JobKind) -> list[JobView]:
        """Return the library's queued and running jobs of a kind in all processes, those of this one first."""
        ours = self.in_flight(library_id, kind)
        ids = {view.id for view in ours}
        return ours + [view for view in self._store.alive(library_id, kind) if view.id not in ids]

    def cancel(self, job_id: str) -> JobView:
        """Cancel a job: a queued one has ended at once, a running one ends after its current instrument.

        Raises JobNotFound, and JobConflict when the job has already ended, or another process runs it.
        """
        work = self._works.get(job_id)
        if work is None or work.view.finished:  # ended, and about to be forgotten
            view = self.view(job_id)
            message, limit = f"job {job_id} runs in another process; cancel it there", "a job of this process"
            if view.finished:
                message, limit = f"job {job_id} is already {view.state}", "queued or running"
            raise JobConflict(message, value=view.state, limit=limit)
        work.is_unwanted = True
        work.cancelled.set()
        if work.view.state == "queued":  # it has ended, though its turn is to come
            self._show(work, work.view.ended_early("cancelled", NOT_BEGUN), save=True)
        return work.view

    def _run(self) -> None:
        while (work := self._queue.get()[-1]) is not None:
            after = self._after_run(work)
            if after.finished or work.is_lost or self._stopping:
                self._leave(work, after)
            else:
                self._show(work, after, save=True)
                self._put(work)

    def _leave(self, work: _Work, after: JobView) -> None:
        """Record and forget a job. What it needs to go on is removed only when its end is on record."""
        is_recorded = not work.is_lost and self._save(work, after)
        try:
            work.task.clean_up(has_ended=is_recorded and after.finished)
        except (OSError, ShowMeError):
            log.exception("job %s: its files could not be removed", work.view.id)
        if not work.is_lost:
            self._show(work, after, save=False)
        with self._lock:
            del self._works[work.view.id]
        if is_recorded and not after.finished:
            self._release(work)

    def _release(self, work: _Work) -> None:
        """Leave a job that can go on to the next process."""
        try:
            self._store.release(work.view.id)
        except ShowMeError as error:  # then it goes on when the lease has expired
            log.warning("job %s: its lease could not be ended: %s", work.view.id, kind_of(error))

    def _gives_way(self, work: _Work) -> bool:
        """Whether a task ends early: it is cancelled, or nobody asked for it and a task that somebody asked for waits."""
        if work.cancelled.is_set():
            return True
        with self._lock:
            return work.priority > min(other.priority for other in self._works.values())

    def _after_run(self, work: _Work) -> JobView:
        """Run the task and return the ended job, or a queued one that is to go on later. Never raises."""
        view = work.view
        if view.finished:
            return view
        if work.cancelled.is_set():
            return self._cancelled(work, NOT_BEGUN)
        self._show(work, replace(view, state="running", message="starting"), save=True)
        try:
            outcome = work.task.run(
                view.id,
                lambda done, total, name: self._progress(work, done, total, name),
                lambda: self._gives_way(work),
                lambda session, number: self._store_batch(work, session, number),
            )
        except ShowMeError as error:
            log.warning("job %s failed: %s", view.id, kind_of(error))
            return self._failed(work, error.message)
        except Exception as error:
            log.exception("job %s failed", view.id)
            unexpected = "an unexpected error; see the log of the service"
            return self._failed(work, storage_full(error).message if is_full(error) else unexpected)
        state, message, skipped = outcome
        if state == "cancelled":
            return self._cancelled(work, message)
        done = work.view.total if state == "done" else work.view.done
        return replace(work.view, state=state, done=done, message=message, skipped=skipped)

    def _failed(self, work: _Work, message: str) -> JobView:
        kept = work.view.kept
        with suppress(ShowMeError):  # the last batch may be what has failed
            kept = self._store.get(work.view.id).kept
        return replace(work.view, kept=kept).ended_early("failed", message)

    def _cancelled(self, work: _Work, message: str) -> JobView:
        """Return the job as cancelled by a person; else as queued if it can go on, and as failed if it cannot."""
        if work.is_unwanted:
            return work.view.ended_early("cancelled", message)
        if work.view.can_go_on:
            return replace(work.view, state="queued", message=CONTINUES)
        return work.view.ended_early("failed", INTERRUPTED)

    def _store_batch(self, work: _Work, session: Session, number: int) -> None:
        """Write what the job keeps in the transaction that stores it. Raises JobConflict."""
        work.view = replace(work.view, kept=number)
        self._store.save_batch(session, work.view)

    def _progress(self, work: _Work, done: int, total: int, name: str) -> None:
        due = monotonic() - work.saved_at >= SAVE_SECONDS
        self._show(work, replace(work.view, done=done, total=total, message=name), save=due)

    def _show(self, work: _Work, view: JobView, *, save: bool) -> None:
        work.view = view
        if save:
            self._save(work, view)
        try:
            for listener in self._listeners:
                listener(view)
        except Exception:  # a closed terminal must not end the thread
            log.exception("job %s: its progress could not be shown", view.id)

    def _save(self, work: _Work, view: JobView) -> bool:
        """Write the job, and return whether that was possible: a full disk must not end the thread."""
        try:
            self._store.save(view)
        except JobConflict as error:
            log.warning("%s", error.message)
            work.is_lost = True
        except Exception:
            log.exception("job %s: its progress could not be recorded", view.id)
        else:
            work.saved_at = monotonic()
            return True
        return False
