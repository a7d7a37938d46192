"""Stores jobs in the database, so that their state outlives the process that ran them.

Callers get frozen views with the field names of docs/ARCHITECTURE.md, section "HTTP contract".
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from index.catalog import Catalog, Job, Library
from models.errors import JobNotFound, LibraryNotFound

JobKind = Literal["enroll", "reembed"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
UNFINISHED = ("queued", "running")


class Skipped(NamedTuple):
    """An instrument or file that a job left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class JobView:
    """The state of a job: `done` of `total` instruments."""

    id: str
    library_id: str | None
    kind: JobKind = "enroll"
    state: JobState = "queued"
    done: int = 0
    total: int = 0
    message: str = ""
    skipped: tuple[Skipped, ...] = ()

    @property
    def finished(self) -> bool:
        return self.state not in UNFINISHED


class JobStore:
    """Reads and writes the rows of table `job`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def create(self, library_id: str, kind: JobKind, total: int) -> JobView:
        """Create a queued job. Raises LibraryNotFound if the library was deleted meanwhile."""
        with self._catalog.write() as session:
            library = session.get(Library, library_id)
            if library is None or library.deleted_at is not None:
                raise LibraryNotFound(f"there is no library {library_id!r}", value=library_id)
            row = Job(library_id=library_id, kind=kind, total=total, message="waiting")
            session.add(row)
            session.flush()
            return _view(row)

    def save(self, view: JobView) -> None:
        """Write the state, progress, message and result of a job."""
        with self._catalog.write(patient=view.finished) as session:
            self.save_with(session, view)

    def save_with(self, session: Session, view: JobView) -> None:
        """Write a job in the transaction of its work, so that both are stored or neither is."""
        values: dict[str, object] = {
            "state": view.state,
            "done": view.done,
            "total": view.total,
            "message": view.message,
        }
        if view.skipped:
            values["skipped"] = [list(one) for one in view.skipped]
        session.execute(update(Job).where(Job.id == view.id).values(values))

    def get(self, job_id: str) -> JobView:
        """Return a stored job. Raises JobNotFound."""
        with self._catalog.session() as session:
            row = session.get(Job, job_id)
        if row is None:
            raise JobNotFound(f"there is no job {job_id!r}", value=job_id)
        return _view(row)

    def unfinished(self) -> list[JobView]:
        """Return every queued or running job, the oldest first."""
        with self._catalog.session() as session:
            rows = select(Job).where(Job.state.in_(UNFINISHED)).order_by(Job.created_at, Job.id)
            return [_view(row) for row in session.scalars(rows)]


def _view(row: Job) -> JobView:
    kind, state = cast(JobKind, row.kind), cast(JobState, row.state)
    skipped = tuple(Skipped(name, reason) for name, reason in row.skipped or ())
    return JobView(row.id, row.library_id, kind, state, row.done, row.total, row.message, skipped)
