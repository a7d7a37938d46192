"""Stores jobs in the database, so that other processes see them and their state outlives the process that ran them.

An unfinished job belongs to one process, which renews its lease (`index/leases.py`). Callers get frozen views with the field
names of docs/ARCHITECTURE.md, section "HTTP contract".
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Self, cast

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from app.newest_first import cursor_at, cursor_pattern, follows
from index.catalog import UNFINISHED_STATES, Catalog, Job, Library
from index.declarative import new_id
from index.leases import Clock, is_alive, is_interrupted
from index.libraries import utc_now
from models.errors import JobConflict, JobNotFound, LibraryNotFound

LEASE_SECONDS = 60.0  # longer than any write of another process holds the database
BEATS_PER_LEASE = 6
INTERRUPTED = "interrupted, since its process ended, and cannot go on"
JOB_CURSOR = cursor_pattern("j")
SAVE_SECONDS = 0.5  # between two writes of a job's progress to the database, at least

JobKind = Literal["enroll", "reembed", "watch"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]


class Skipped(NamedTuple):
    """An instrument or file that a job left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class JobView:
    """The state of a job: `done` of `total` instruments, of which `kept` are stored and were not taken out again.

    An enrollment goes on from `source_path`; one without it cannot.
    """

    id: str
    library_id: str | None
    kind: JobKind = "enroll"
    state: JobState = "queued"
    done: int = 0
    total: int = 0
    message: str = ""
    skipped: tuple[Skipped, ...] = ()
    key_id: str | None = None  # the access key that asked for it
    kept: int = 0
    source_path: str | None = None
    created_at: datetime | None = None

    @property
    def finished(self) -> bool:
        return self.state not in UNFINISHED_STATES

    @property
    def can_go_on(self) -> bool:
        """Whether another run of it goes on where this one ends."""
        return self.kind == "reembed" or self.source_path is not None

    def ended_early(self, state: Literal["failed", "cancelled"], message: str) -> Self:
        """Return the job as ended so; that of an enrollment says what it keeps."""
        if self.kept:
            kept = f"{self.kept} of {self.total} instruments {'is' if self.kept == 1 else 'are'} kept"
            message = f"{message}; {kept}"
        elif self.kind == "enroll":
            message = f"{message}; nothing was stored"
        return replace(self, state=state, message=message)


Storing = Callable[[Session, JobView], None]


class JobStore:
    """Reads all rows of table `job`, and writes those of one process, which is `owner`."""

    def __init__(
        self, catalog: Catalog, lease_seconds: float = LEASE_SECONDS, clock: Clock = utc_now
    ) -> None:
        self.owner = new_id("p")
        self.lease_seconds = lease_seconds
        self._catalog = catalog
        self._clock = clock

    def create(
        self,
        library_id: str,
        kind: JobKind,
        total: int,
        *,
        alone: bool = False,
        storing: Storing | None = None,
        key_id: str | None = None,
        source_path: str | None = None,
        going_on: bool = False,
    ) -> JobView:
        """Create a queued job of `key_id`. Raises LibraryNotFound if the library was deleted meanwhile.

        `alone`: raises JobConflict with the id as its value if a living process has such a job for the library.
        `going_on`: the last job of the same source and library is made this process's instead, unless it was done.
        `storing(session, view)` is called in the transaction, for what is to be stored with the job.
        """
        with self._catalog.write() as session:
            library = session.get(Library, library_id)
            if library is None or library.deleted_at is not None:
                raise LibraryNotFound(f"there is no library {library_id!r}", value=library_id)
            same = (Job.library_id == library_id, Job.kind == kind, is_alive(self._clock()))
            if alone and (other := session.scalars(select(Job.id).where(*same).limit(1)).first()):
                raise JobConflict(f"job {other} is at it already", value=other, limit="one at a time")
            earlier = _last_unless_done(session, library_id, source_path) if going_on else None
            if earlier and session.scalars(select(Job.id).where(Job.id == earlier.id, same[-1])).first():
                earlier = None  # a living process is at it
            row = earlier or Job(library_id=library_id, kind=kind, key_id=key_id, source_path=source_path)
            row.state, row.total, row.message = "queued", total, "waiting"
            row.owner, row.leased_until = self.owner, self._lease_end()
            session.add(row)
            session.flush()
            if storing:
                storing(session, _view(row))
            return _view(row)

    def ended_early(self, library_id: str, source_path: str) -> bool:
        """Whether the library's last enrollment from this source has not come to its end, or not yet."""
        with self._catalog.session() as session:
            return _last_unless_done(session, library_id, source_path) is not None

    def save(self, view: JobView) -> None:
        """Write the state, progress, message and result of a job, but not what it keeps.

        A result stays as it is. Raises JobConflict if the job was taken over.
        """
        with self._catalog.write(patient=view.finished) as session:
            self._write(session, view)

    def save_batch(self, session: Session, view: JobView) -> None:
        """Write a job and what it keeps in the transaction that stores this, so that both are stored or neither is.

        Raises JobConflict if another process has taken the job over: what this one did must not be stored.
        """
        self._write(session, view).kept = view.kept

    def _write(self, session: Session, view: JobView) -> Job:
        row = session.get(Job, view.id)
        if row is None or row.owner != self.owner:
            raise JobConflict(
                f"job {view.id} was taken over by another process, since this one stood still",
                value=view.id,
                limit=f"a sign of life in {self.lease_seconds:g} s",
            )
        if row.state in UNFINISHED_STATES:
            row.state, row.done, row.total, row.message = view.state, view.done, view.total, view.message
            row.skipped = [(one.name, one.reason) for one in view.skipped] or None
        return row

    def get(self, job_id: str) -> JobView:
        """Return a stored job. Raises JobNotFound."""
        with self._catalog.session() as session:
            row = session.get(Job, job_id)
        if row is None:
            raise no_job(job_id)
        return _view(row)

    def page(
        self, limit: int, after: str | None = None, key_id: str | None = None
    ) -> tuple[list[JobView], str | None]:
        """Return `limit` jobs, newest first, and the cursor of the next page (None on the last).

        With `key_id`, only those that it asked for, or that work at its libraries. Raises InvalidRequest for an `after` that is
        no cursor.
        """
        rows = select(Job).order_by(Job.created_at.desc(), Job.id)
        if key_id is not None:
            own = select(Library.id).where(Library.key_id == key_id)
            rows = rows.where((Job.key_id == key_id) | Job.library_id.in_(own))
        if after is not None:
            rows = rows.where(follows(after, JOB_CURSOR, Job.created_at, Job.id))
        with self._catalog.session() as session:
            found = session.scalars(rows.limit(limit + 1)).all()
        last = found[limit - 1] if len(found) > limit else None
        return [_view(row) for row in found[:limit]], cursor_at(last.created_at, last.id) if last else None

    def alive(self, library_id: str, kind: JobKind) -> list[JobView]:
        """Return the library's jobs of a kind that living processes run, this one or others, the oldest first."""
        chosen = (Job.library_id == library_id, Job.kind == kind, is_alive(self._clock()))
        with self._catalog.session() as session:
            return [_view(row) for row in session.scalars(_oldest_first().where(*chosen))]

    def being_filled(self) -> set[str]:
        """Return the ids of the libraries that enrollments have not come to an end in, also those to be taken over."""
        filling = select(Job.library_id).where(Job.state.in_(UNFINISHED_STATES), Job.kind == "enroll")
        with self._catalog.session() as session:
            return {library_id for library_id in session.scalars(filling) if library_id}

    def renew(self, job_ids: Collection[str]) -> set[str]:
        """Renew the leases of these jobs; return the ids of those that are unfinished and still this process's."""
        ours = (Job.id.in_(job_ids), Job.owner == self.owner, Job.state.in_(UNFINISHED_STATES))
        with self._catalog.write() as session:
            renewed = update(Job).where(*ours).values(leased_until=self._lease_end())
            return set(session.scalars(renewed.returning(Job.id)))

    def release(self, job_id: str) -> None:
        """End the lease of an unfinished job that this process does not go on with: another one need not wait."""
        ours = (Job.owner == self.owner, Job.id == job_id)
        with self._catalog.write(patient=True) as session:
            session.execute(update(Job).where(*ours).values(leased_until=None))

    def take_over(self, in_flight: Collection[str] = ()) -> list[JobView]:
        """Make all interrupted jobs those of this process, and return them, the oldest first; `in_flight` are none."""
        interrupted = is_interrupted(self._clock()) & Job.id.not_in(in_flight)
        with self._catalog.session() as session:
            if session.scalars(select(Job.id).where(interrupted).limit(1)).first() is None:
                return []
        with self._catalog.write() as session:
            rows = session.scalars(_oldest_first().where(interrupted)).all()
            for row in rows:
                row.owner, row.leased_until = self.owner, self._lease_end()
            return [_view(row) for row in rows]

    def _lease_end(self) -> datetime:
        return self._clock() + timedelta(seconds=self.lease_seconds)


def _last_unless_done(session: Session, library_id: str, source_path: str | None) -> Job | None:
    """Find the library's last enrollment from a source, unless it is done, or what it has stored was taken out."""
    same = (Job.library_id == library_id, Job.kind == "enroll", Job.source_path == source_path)
    found = session.scalars(select(Job).where(*same).order_by(Job.created_at.desc(), Job.id.desc())).first()
    return found if found and found.state != "done" and found.taken_out_at is None else None


def no_job(job_id: str) -> JobNotFound:
    """Return the error of a job that is not there, or must not be known to be."""
    return JobNotFound(f"there is no job {job_id[:100]!r}", value=job_id[:100])


def _oldest_first() -> Select[Job]:
    return select(Job).order_by(Job.created_at, Job.id)


def _view(row: Job) -> JobView:
    kind, state = cast(JobKind, row.kind), cast(JobState, row.state)
    skipped = tuple(Skipped(name, reason) for name, reason in row.skipped or ())
    return JobView(
        id=row.id,
        library_id=row.library_id,
        kind=kind,
        state=state,
        done=row.done,
        total=row.total,
        message=row.message,
        skipped=skipped,
        key_id=row.key_id,
        kept=row.kept,
        source_path=row.source_path,
        created_at=row.created_at,
    )
