"""Jobs: their state, their progress as server-sent events, and their cancellation.

Follows docs/ARCHITECTURE.md, section "HTTP contract", and the event streams of the WHATWG HTML standard, section 9.2.
"""

from collections.abc import AsyncIterator

from anyio import to_thread
from fastapi import APIRouter
from fastapi.sse import EventSourceResponse, ServerSentEvent

from app.deps import AccessDep, JobDep, ServiceDep
from app.errors import documented
from app.job_schemas import JobOut
from app.job_store import JobView
from models.errors import JobConflict, JobNotFound

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


def job_out(view: JobView) -> JobOut:
    """Convert a job."""
    return JobOut.model_validate(view, from_attributes=True)


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
    async for view in service.jobs.watch(job.id):
        if not await to_thread.run_sync(service.is_valid, access.caller):
            return
        yield ServerSentEvent(data=job_out(view))


@router.delete("/{job_id}", status_code=202, responses=documented(JobNotFound, JobConflict))
def cancel_job(job: JobDep, service: ServiceDep) -> JobOut:
    """Cancel a queued or running job. Libraries stay as they were."""
    return job_out(service.jobs.cancel(job.id))
