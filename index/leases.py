"""Leases of jobs and watches: which are alive, so that several processes can use one data folder.

The process that runs a job renews its lease again and again. A job whose lease has expired was interrupted: its process was
killed, or has stood still for longer, and another one may take the job over. So it is with the process that follows a folder.
Every function works in its caller's transaction.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from index.catalog import UNFINISHED_STATES, Job
from index.incoming import Watch
from models.errors import JobConflict

Clock = Callable[[], datetime]


def is_alive(now: datetime) -> ColumnElement[bool]:
    """The condition that a job is queued or running in a living process."""
    return Job.state.in_(UNFINISHED_STATES) & (Job.leased_until > now)


def is_interrupted(now: datetime) -> ColumnElement[bool]:
    """The condition that a job is unfinished and its process has ended; jobs of older versions have no lease."""
    return Job.state.in_(UNFINISHED_STATES) & or_(Job.leased_until.is_(None), Job.leased_until <= now)


def is_followed(now: datetime) -> ColumnElement[bool]:
    """The condition that a living process follows a watch."""
    return Watch.leased_until.is_not(None) & (Watch.leased_until > now)


def lease_watch(watch: Watch, owner: str, now: datetime, until: datetime) -> None:
    """Give a watch to the process `owner`. Raises JobConflict while another one follows it."""
    if watch.owner != owner and watch.leased_until is not None and watch.leased_until > now:
        message = f"another process follows {watch.path} already"
        raise JobConflict(message, value=watch.path, limit="one process for each folder")
    watch.owner, watch.leased_until = owner, until


def check_not_filled(session: Session, library_id: str, now: datetime) -> None:
    """Raise JobConflict, naming the job, while a living process enrolls into the library, or lets it follow a folder."""
    filling = select(Job).where(is_alive(now), Job.library_id == library_id, Job.kind != "reembed")
    if job := session.scalars(filling.limit(1)).first():
        work = "is adding instruments to it" if job.kind == "enroll" else "lets it follow a folder"
        message = f"job {job.id} {work}; cancel it first"
        raise JobConflict(message, value=job.state, limit="no enrollment into the library")


def sources_in_use(session: Session) -> list[str]:
    """Return the paths of the sources that unfinished enrollments go on from."""
    unfinished = Job.state.in_(UNFINISHED_STATES) & Job.source_path.is_not(None)
    return [path for path in session.scalars(select(Job.source_path).where(unfinished)) if path]


def oldest_alive(session: Session, now: datetime) -> datetime | None:
    """Return when the oldest living job was made; None without one."""
    return session.scalar(select(func.min(Job.created_at)).where(is_alive(now)))
