"""Liveness, readiness, limits and metrics: for people, load balancers and Prometheus.

Follows docs/ARCHITECTURE.md, section "HTTP contract"; readiness shows the device (decision 7).
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from app.deps import CREDENTIALS, REFUSED, AccessDep, ServiceDep
from app.errors import problem_response
from app.health_schemas import Health, LimitsOut, NotReady, Progress, Readiness
from app.job_store import JobView
from app.metrics import CONTENT_TYPE
from app.problems import MEDIA_TYPE, PROBLEM_REFERENCE, make_problem
from app.uploads import COLLECTIONS
from index.families import FAMILIES
from index.sources.folder import AUDIO_SUFFIXES
from index.vector_store import search_engine
from models.errors import Busy, ShowMeError

router = APIRouter(tags=["health"])
SCHEMA = {"schema": {"$ref": PROBLEM_REFERENCE}}
RETRY_AFTER = {"Retry-After": "1"}


@router.get("/healthz")
async def get_health() -> Health:
    """Check that the process is alive."""
    return Health()


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={
        503: {
            "description": "The service is not ready; `reasons` and `detail` say why, `progress` how far it is.",
            "content": {MEDIA_TYPE: SCHEMA},
        }
    },
)
def get_readiness(request: Request, service: ServiceDep, access: AccessDep) -> Response:
    """Check that the default library is there, the database readable, and that the data folder has room for uploads.

    It needs no key, and counts the libraries that the caller sees: without a key, the shared ones.
    Until then the answer is 503 with the `reasons`, and the progress of the default library's enrollment or update.
    """
    found: list[ShowMeError] = []
    progress, sizes = None, {}
    try:
        progress = _progress(service.filling())
        sizes = service.index.libraries.sizes(access.may_read)
        if progress:
            found.append(Busy(progress.message, value=progress.done, limit=progress.total))
    except ShowMeError as error:
        found.append(error)
    if fault := service.storage_fault():
        found.append(fault)
    readiness = Readiness(
        ready=not found,
        reasons=[error.message for error in found],
        device=service.pair.device,
        encoder=service.pair.encoder_hash,
        search=search_engine(service.pair.device),
        libraries=len(sizes),
        instruments=sum(sizes.values()),
        progress=progress,
    )
    if readiness.ready:
        return JSONResponse(readiness.model_dump())
    problem = make_problem(
        *("not-ready", "The service is not ready", 503, "; ".join(readiness.reasons)),
        instance=request.url.path,
        value=found[0].value,
        limit=found[0].limit,
    )
    return problem_response(NotReady(**dict(problem), **dict(readiness)), RETRY_AFTER)


def _progress(filling: JobView | None) -> Progress | None:
    """Return the progress of the job that makes the default library ready."""
    if filling is None:
        return None
    made = "enrolled" if filling.kind == "enroll" else "updated"
    what = f"the default library could not be {made}: {filling.message}"
    if not filling.finished:
        what = f"the default library is being {made}: {filling.done} of {filling.total}"
    return Progress(state=filling.state, done=filling.done, total=filling.total, message=what)


@router.get("/v1/limits", dependencies=CREDENTIALS, responses=REFUSED)
def get_limits(service: ServiceDep) -> LimitsOut:
    """Get the limits of this service: sizes, families and formats."""
    settings = service.settings
    return LimitsOut(
        max_upload_bytes=settings.max_upload_bytes,
        max_library_bytes=settings.max_library_bytes,
        max_decoded_seconds=settings.max_decoded_seconds,
        max_batch_files=settings.max_batch_files,
        max_top_k=settings.max_top_k,
        families=list(FAMILIES),
        audio_formats=list(AUDIO_SUFFIXES),
        library_formats=[*AUDIO_SUFFIXES, *COLLECTIONS],
        source_roots=[str(root) for root in settings.source_roots],
    )


@router.get("/metrics", response_class=PlainTextResponse, dependencies=CREDENTIALS, responses=REFUSED)
def get_metrics(service: ServiceDep) -> Response:
    """Get counters and gauges in the text format of Prometheus. Where keys are needed, a `read` key will do."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
