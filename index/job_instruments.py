"""The instruments that one job has enrolled: which they are, and how they are taken out of their library and put back together.

docs/ARCHITECTURE.md, decision 1: each change is one transaction of the catalogue, raises its library's revision, and the
vectors follow.
"""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from index.catalog import UNFINISHED_STATES, Catalog, Instrument, Job, Library
from index.deletions import record_deletion
from index.leases import is_alive
from index.libraries import LibraryStore, utc_now
from index.records import count_instruments, instruments_of
from index.vector_cache import VectorCache
from models.errors import InstrumentExists, InstrumentNotFound, JobConflict, JobNotFound

TAKEN_OUT = "; they were taken out"  # added to the message of the job


class JobInstruments:
    """Reads and changes the instruments of a job; `InstrumentStore` does so for single ones."""

    def __init__(self, catalog: Catalog, vectors: VectorCache, libraries: LibraryStore) -> None:
        self._catalog = catalog
        self._vectors = vectors
        self._libraries = libraries

    def keys(self, library_id: str, job_id: str) -> set[tuple[str, str | None]]:
        """The (source, id in its source) of each instrument that the job has stored, of deleted ones too."""
        chosen = (Instrument.library_id == library_id, Instrument.job_id == job_id)
        with self._catalog.session() as session:
            rows = session.execute(select(Instrument.source, Instrument.source_key).where(*chosen))
            return {(source, key) for source, key in rows}

    def take_out(self, job_id: str) -> int:
        """Delete what an ended job has stored; `put_back` undoes it for a while. Return how many instruments these are.

        A job that was interrupted ends by it. Raises JobNotFound, and JobConflict while a living process runs the job.
        """
        with self._catalog.deleting() as session:
            job = _find(session, job_id)
            if session.scalars(select(Job.id).where(Job.id == job_id, is_alive(utc_now()))).first():
                message = f"job {job_id} is adding instruments; cancel it first"
                raise JobConflict(message, value=job.state, limit="done, failed or cancelled")
            if job.state in UNFINISHED_STATES:
                job.state, job.message = "cancelled", f"interrupted, and cancelled; {job.kept} were stored"
            library = session.get(Library, job.library_id) if job.library_id else None
            rows = session.scalars(_of(job)).all() if library and library.deleted_at is None else []
            if library is None or not rows:
                return 0
            job.taken_out_at = utc_now()
            job.kept, job.message = 0, job.message + TAKEN_OUT
            for row in rows:
                row.deleted_at = job.taken_out_at
                record_deletion(session, "instrument", row.id)
            library.revision += 1
        self._vectors.follow(library)
        self._libraries.purge_if_possible()
        return len(rows)

    def put_back(self, job_id: str) -> int:
        """Bring back the instruments that were taken out together, and return how many; 0 if none were.

        Raises JobNotFound, InstrumentNotFound if their library is deleted or they are gone for good, and InstrumentExists if
        the name of one has been taken since.
        """
        with self._catalog.write() as session:
            job = _find(session, job_id)
            if job.taken_out_at is None:
                return 0
            library = session.get(Library, job.library_id) if job.library_id else None
            rows = session.scalars(_of(job, job.taken_out_at)).all()
            can_restore = self._libraries.can_restore(job.taken_out_at)
            if library is None or library.deleted_at is not None or not rows or not can_restore:
                message = f"the instruments of job {job_id} cannot be restored any more"
                raise InstrumentNotFound(message, value=job_id)
            names = instruments_of(library.id).with_only_columns(Instrument.name)
            if taken := {row.name for row in rows}.intersection(session.scalars(names)):
                name = min(taken)
                message = f"{library.name!r} has an instrument {name!r} already"
                raise InstrumentExists(message, value=name)
            if not count_instruments(session, library.id):
                library.encoder_hash = rows[0].encoder_hash
            for row in rows:
                row.deleted_at = None
            job.taken_out_at, job.kept = None, len(rows)
            job.message = job.message.removesuffix(TAKEN_OUT)
            library.revision += 1
        self._vectors.follow(library)
        return len(rows)


def _of(job: Job, deleted_at: datetime | None = None) -> Select[Instrument]:
    """Select the job's instruments that are present, or those that were deleted at one moment."""
    chosen = (Instrument.library_id == job.library_id, Instrument.job_id == job.id)
    return select(Instrument).where(*chosen, Instrument.deleted_at.is_not_distinct_from(deleted_at))


def _find(session: Session, job_id: str) -> Job:
    job = session.get(Job, job_id)
    if job is None:
        raise JobNotFound(f"there is no job {job_id[:100]!r}", value=job_id[:100])
    return job
