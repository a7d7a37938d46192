"""Runs enrollments and re-embeddings one after another in a worker thread, with progress and cancellation.

What the service does by itself gives way to work that a person asked for. A job that fails, is cancelled or is killed leaves
the libraries as they were. Heartbeats tell other processes that its jobs are alive; those of a process that has ended are
taken over: re-embeddings go on, enrollments have failed.
"""

import itertools
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

import anyio

from app.heartbeat import Heartbeat
from app.job_store import BEATS_PER_LEASE, SAVE_SECONDS, JobKind, JobStore, JobView, Storing
from app.tasks import Outcome, Task
from index.disk import is_full
from models.errors import Busy, JobConflict, ShowMeError, StorageFull, kind_of

log = logging.getLogger("showme")

POLL_SECONDS = 0.2  # between two looks of a watcher
INTERRUPTED = "interrupted, since its process ended; nothing was stored"
CONTINUES = "waiting to go on"
ASKED, BY_ITSELF, LAST = range(3)  # the order in which waiting jobs are run
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
    saved_at: float = 0.0


class JobRunner:
    """A worker thread with a bounded queue of jobs. It calls the `listeners` with every change of a job."""

    def __init__(self, store: JobStore, max_waiting: int, listeners: Sequence[Listener] = ()) -> None:
        self._store = store
        self._max_waiting = max_waiting
        self._listeners = listeners
        self._lock = threading.Lock()
        self._stopping = False
        self._num_preparing = 0
        self._works: dict[str, _Work] = {}
        self._numbers = itertools.count()
        self._queue: queue.PriorityQueue[tuple[int, int, _Work | None]] = queue.PriorityQueue()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._heartbeat = Heartbeat(self.beat, store.lease_seconds / BEATS_PER_LEASE)
        self._resume: Resume = lambda view: None

    def start(self, resume: Resume = lambda view: None) -> None:
        """Start the threads. Interrupted jobs for which `resume` returns a task go on, the others are marked as failed."""
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
                works[job_id].cancelled.set()
        self._take_over()

    def _take_over(self) -> None:
        with self._lock:
            in_flight = list(self._works)
        for view in self._store.take_over(in_flight):
            task = self._resumed(view)
            if task is None:
                log.warning("job %s was interrupted, since its process ended", view.id)
                self._store.save(replace(view, state="failed", message=INTERRUPTED))
            else:
                log.info("job %s goes on in this process", view.id)
                waiting = replace(view, state="queued", message=CONTINUES)
                priority = ASKED if view.kind == "enroll" else BY_ITSELF
                self._store.save(waiting)
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
    ) -> JobView:
        """Queue a task that `key_id` asked for. `by_itself`: nobody did, so it runs after the others and needs no place.

        `storing` is called in the transaction that creates the job. Raises LibraryNotFound. `alone`: raises JobConflict, whose
        value is the id, if a living process has such a job.
        """
        with self._lock:
            view = self._store.create(
                library_id, task.kind, task.total, alone=alone, storing=storing, key_id=key_id
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
        """Cancel a job: a queued one never starts, a running one ends after its current instrument.

        Raises JobNotFound, and JobConflict when the job has already ended, or another process runs it.
        """
        work = self._works.get(job_id)
        if work is None or work.view.finished:  # ended, and about to be forgotten
            view = self.view(job_id)
            if not view.finished:
                message = f"job {job_id} runs in another process; cancel it there"
                raise JobConflict(message, value=view.state, limit="a job of this process")
            raise JobConflict(
                f"job {job_id} is already {view.state}", value=view.state, limit="queued or running"
            )
        work.is_unwanted = True
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
        while (work := self._queue.get()[-1]) is not None:
            ended = self._ended(work)
            if not ended.finished and not self._stopping:
                self._show(work, ended, save=True)
                self._put(work)
                continue
            try:
                work.task.clean_up()
            except (OSError, ShowMeError):
                log.exception("job %s: its files could not be removed", work.view.id)
            self._show(work, ended, save=True)
            with self._lock:
                del self._works[work.view.id]
            if not ended.finished:
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

    def _ended(self, work: _Work) -> JobView:
        """Run the task and return the ended job, or a queued one that is to go on later. Never raises."""
        view = work.view
        if work.cancelled.is_set():
            return self._cancelled(work, "cancelled before it began")
        self._show(work, replace(view, state="running", message="starting"), save=True)
        try:
            outcome = work.task.run(
                lambda done, total, name: self._progress(work, done, total, name),
                lambda: self._gives_way(work),
                lambda session, outcome: self._store.save_with(session, self._after(work, outcome)),
            )
        except ShowMeError as error:
            log.warning("job %s failed: %s", view.id, kind_of(error))
            return replace(work.view, state="failed", message=error.message)
        except Exception as error:
            log.exception("job %s failed", view.id)
            unexpected = "an unexpected error; see the log of the service"
            message = StorageFull.of(error).message if is_full(error) else unexpected
            return replace(work.view, state="failed", message=message)
        return self._after(work, outcome)

    def _after(self, work: _Work, outcome: Outcome) -> JobView:
        """Return the job after its task has come to `outcome`."""
        if outcome.state == "cancelled":
            return self._cancelled(work, outcome.message)
        done = work.view.total if outcome.state == "done" else work.view.done
        return replace(
            work.view, state=outcome.state, done=done, message=outcome.message, skipped=outcome.skipped
        )

    def _cancelled(self, work: _Work, message: str) -> JobView:
        """Return the job as cancelled by a person; else as queued if it can go on, and as failed if it cannot."""
        if work.is_unwanted:
            return replace(work.view, state="cancelled", message=message)
        if work.view.kind == "reembed":
            return replace(work.view, state="queued", message=CONTINUES)
        return replace(work.view, state="failed", message=INTERRUPTED)

    def _progress(self, work: _Work, done: int, total: int, name: str) -> None:
        due = monotonic() - work.saved_at >= SAVE_SECONDS
        self._show(work, replace(work.view, done=done, total=total, message=name), save=due)

    def _show(self, work: _Work, view: JobView, *, save: bool) -> None:
        work.view = view
        try:
            if save:
                self._store.save(view)
                work.saved_at = monotonic()
            for listener in self._listeners:
                listener(view)
        except JobConflict as error:
            log.warning("%s", error.message)
        except Exception:  # a full disk or a closed terminal must not end the thread
            log.exception("job %s: its progress could not be recorded", view.id)
