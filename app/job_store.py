"""Stores enrollment jobs in the database, so that their state outlives the process that ran them.

Callers get frozen views with the field names of docs/ARCHITECTURE.md, section "HTTP contract".
"""

from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import select, update

from index.catalog import Catalog, Job, Library
from models.errors import JobNotFound, LibraryNotFound

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
UNFINISHED = ("queued", "running")


@dataclass(frozen=True)
class JobView:
    """The state of a job: `done` of `total` instruments."""

    id: str
    library_id: str | None
    state: JobState = "queued"
    done: int = 0
    total: int = 0
    message: str = ""

    @property
    def finished(self) -> bool:
        return self.state not in UNFINISHED


class JobStore:
    """Reads and writes the rows of table `job`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def create(self, library_id: str, total: int) -> JobView:
        """Create a queued job. Raises LibraryNotFound if the library was deleted meanwhile."""
        with self._catalog.write() as session:
            library = session.get(Library, library_id)
            if library is None or library.deleted_at is not None:
                raise LibraryNotFound(f"there is no library {library_id!r}", value=library_id)
            row = Job(library_id=library_id, total=total, message="waiting")
            session.add(row)
            session.flush()
            return _view(row)

    def save(self, view: JobView) -> None:
        """Write the state, progress and message of a job."""
        with self._catalog.write() as session:
            values = {"state": view.state, "done": view.done, "total": view.total, "message": view.message}
            session.execute(update(Job).where(Job.id == view.id).values(values))

    def get(self, job_id: str) -> JobView:
        """Return a stored job. Raises JobNotFound."""
        with self._catalog.session() as session:
            row = session.get(Job, job_id)
        if row is None:
            raise JobNotFound(f"there is no job {job_id!r}", value=job_id)
        return _view(row)

    def fail_unfinished(self, message: str) -> list[str]:
        """Mark every queued or running job as failed, and return their ids."""
        with self._catalog.write() as session:
            ids = list(session.scalars(select(Job.id).where(Job.state.in_(UNFINISHED))))
            session.execute(update(Job).where(Job.id.in_(ids)).values(state="failed", message=message))
        return ids


def _view(row: Job) -> JobView:
    return JobView(row.id, row.library_id, cast(JobState, row.state), row.done, row.total, row.message)
