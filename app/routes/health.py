"""Liveness, readiness, limits and metrics: for people, load balancers and Prometheus.

Follows docs/ARCHITECTURE.md, section "HTTP contract"; readiness shows the device (decision 7).
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from app.deps import ServiceDep
from app.errors import problem_response
from app.metrics import CONTENT_TYPE
from app.problems import MEDIA_TYPE, PROBLEM_REFERENCE, make_problem
from app.schemas import Health, LimitsOut, NotReady, Progress, Readiness
from app.service import Service
from app.uploads import COLLECTIONS
from index.families import FAMILIES
from index.sources.folder import AUDIO_SUFFIXES
from index.vector_store import search_engine

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
            "description": "The service is not ready; `progress` says how far it is, `detail` what is missing.",
            "content": {MEDIA_TYPE: SCHEMA},
        }
    },
)
def get_readiness(request: Request, service: ServiceDep) -> Response:
    """Check that the default library is there and the disk has room for uploads.

    Until then the answer is 503, with the progress of the default library's enrollment, or the space that is left.
    """
    nearly_full = service.nearly_full()
    readiness = _readiness(service, has_room=nearly_full is None)
    if readiness.ready:
        return JSONResponse(readiness.model_dump())
    if progress := readiness.progress:
        missing: tuple[str, object, object] = (progress.message, progress.done, progress.total)
    else:
        assert nearly_full is not None
        missing = (nearly_full.message, nearly_full.value, nearly_full.limit)
    problem = make_problem(
        *("not-ready", "The service is not ready", 503, missing[0]),
        instance=request.url.path,
        value=missing[1],
        limit=missing[2],
    )
    return problem_response(NotReady(**dict(problem), **dict(readiness)), RETRY_AFTER)


def _readiness(service: Service, *, has_room: bool) -> Readiness:
    filling = service.filling()
    progress = None
    if filling:
        made = "enrolled" if filling.kind == "enroll" else "updated"
        what = f"the default library could not be {made}: {filling.message}"
        if not filling.finished:
            what = f"the default library is being {made}: {filling.done} of {filling.total}"
        progress = Progress(state=filling.state, done=filling.done, total=filling.total, message=what)
    libraries = service.index.libraries.all()
    return Readiness(
        ready=has_room and progress is None,
        device=service.pair.device,
        encoder=service.pair.encoder_hash,
        search=search_engine(service.pair.device),
        libraries=len(libraries),
        instruments=sum(library.num_instruments for library in libraries),
        progress=progress,
    )


@router.get("/v1/limits")
def get_limits(service: ServiceDep) -> LimitsOut:
    """Get the limits of this service: sizes, families and formats."""
    settings = service.settings
    return LimitsOut(
        max_upload_bytes=settings.max_upload_bytes,
        max_decoded_seconds=settings.max_decoded_seconds,
        max_batch_files=settings.max_batch_files,
        max_top_k=settings.max_top_k,
        families=list(FAMILIES),
        audio_formats=list(AUDIO_SUFFIXES),
        library_formats=[*AUDIO_SUFFIXES, *COLLECTIONS],
    )


@router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(service: ServiceDep) -> Response:
    """Get counters and gauges in the text format of Prometheus."""
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
