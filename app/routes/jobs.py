"""Jobs: their state, their progress as server-sent events, their cancellation, and what they leave behind.

Follows docs/ARCHITECTURE.md, section "HTTP contract", and the event streams of the WHATWG HTML standard, section 9.2.
"""

from collections.abc import AsyncIterator, Callable

from anyio import sleep, to_thread
from fastapi import APIRouter, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy.orm import Session

from app.deps import AccessDep, JobDep, JobPageDep, ServiceDep
from app.errors import documented
from app.idempotency import KeyedRequest
from app.job_schemas import JobOut, JobPage
from app.job_store import JobView, Storing
from app.service import Service
from models.errors import InstrumentExists, InstrumentNotFound, InvalidRequest, JobConflict, JobNotFound

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

POLL_SECONDS = 0.2  # between two looks at a job that is followed


def job_out(view: JobView) -> JobOut:
    """Convert a job."""
    return JobOut.model_validate(view, from_attributes=True)


def queued_once(
    service: Service, response: Response, keyed: KeyedRequest | None, queue: Callable[[Storing], JobView]
) -> JobOut:
    """Return the job that `queue` makes, or the one that the same request with its Idempotency-Key has got before.

    `queue` is given what is to be stored with the job. Raises KeyInUse and KeyReused.
    """

    def storing(session: Session, view: JobView) -> None:
        service.keys.store(session, keyed, job_out(view).model_dump_json())

    with service.keys.using(keyed):
        first = service.keys.first_answer(keyed)
        job = JobOut.model_validate_json(first) if first else job_out(queue(storing))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return job


@router.get("", responses=documented(InvalidRequest))
def list_jobs(page: JobPageDep, service: ServiceDep, access: AccessDep) -> JobPage:
    """List the jobs that the caller asked for, and those that work at its libraries, newest first."""
    views, following = access.job_page(page.limit, page.next)
    running = {
        view.id: view for view in service.jobs.in_flight()
    }  # their progress is stored now and then only
    return JobPage(items=[job_out(running.get(view.id, view)) for view in views], next=following)


@router.get("/{job_id}", responses=documented(JobNotFound))
def get_job(job: JobDep) -> JobOut:
    """Get the present state of a job."""
    return job_out(job)


@router.get(
    "/{job_id}/events",
    response_class=EventSourceResponse,
    responses={200: {"description": "Events whose data is a JobOut document."}, **documented(JobNotFound)},
)
async def get_job_events(
    job: JobDep, service: ServiceDep, access: AccessDep
) -> AsyncIterator[ServerSentEvent]:
    """Follow a job: a server-sent event with the job after every change, until it has ended, or the key has."""
    seen = None
    while True:
        view = await to_thread.run_sync(service.jobs.view, job.id)
        if view != seen:
            if not await to_thread.run_sync(service.is_valid, access.caller):
                return
            yield ServerSentEvent(data=job_out(view))
        if view.finished:
            return
        seen = view
        await sleep(POLL_SECONDS)


@router.delete("/{job_id}", status_code=202, responses=documented(JobNotFound, JobConflict))
def cancel_job(job: JobDep, service: ServiceDep) -> JobOut:
    """Cancel a queued or running job. An enrollment keeps the instruments that it has stored; the job says how many."""
    return job_out(service.jobs.cancel(job.id))


@router.delete("/{job_id}/instruments", responses=documented(JobNotFound, JobConflict))
def take_instruments_out(job: JobDep, service: ServiceDep) -> JobOut:
    """Delete all instruments that an ended job has added to its library. For a while they can be put back together."""
    service.index.job_instruments.take_out(job.id)
    return job_out(service.jobs.view(job.id))


@router.post(
    "/{job_id}/instruments/restore", responses=documented(JobNotFound, InstrumentNotFound, InstrumentExists)
)
def put_instruments_back(job: JobDep, service: ServiceDep) -> JobOut:
    """Restore the instruments of a job that were recently taken out together. Without any the job is returned unchanged."""
    service.index.job_instruments.put_back(job.id)
    return job_out(service.jobs.view(job.id))
