"""The application: `create_app` assembles routes, errors and limits; the lifespan opens and closes the service.

Importing does nothing. Serve it with `showme serve`: another server would lack the limits of `app/connections.py`.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from anyio import create_task_group, sleep, to_thread
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Scope

from app.access.gate import AccessGate
from app.deps import CREDENTIALS, REFUSED
from app.errors import install_handlers
from app.jobs import Listener
from app.metrics import Metrics
from app.middleware import RequestContext
from app.origins import KnownHosts, NamedOrigins, OwnOrigin, known_hosts
from app.problems import MEDIA_TYPE, PROBLEM_REFERENCE
from app.request_bodies import BodyLimit, BodyPace, BodySizes, FreeSpace, UploadSlots
from app.routes import (
    health,
    instruments,
    jobs,
    libraries,
    library_archives,
    page,
    parts,
    queries,
    recognition,
    session,
    similar,
    sources,
    uploads,
    watches,
)
from app.service import Service
from app.settings import Settings, keys_required
from app.tracing import Traces
from models.encoder_pair import EncoderPair

log = logging.getLogger("showme")

SWEEP_SECONDS = 600.0  # between two removals of leftovers
DESCRIPTION = "Find the instruments in your library that sound like those in a mixture (Kim et al. 2022)."
TAGS = {
    "queries": "Send a mixture and get the instruments of a library that sound like it; read, export and delete answers.",
    "recognition": "Send a recording and get the families of instruments in it; no library is needed.",
    "libraries": "Create, fill, search, rename, delete and restore libraries of instruments.",
    "instruments": "Read, hear, correct, delete and restore the instruments of a library.",
    "uploads": "Send large files for a library in pieces (tus 1.0), and go on after an interruption.",
    "jobs": "Watch and cancel the enrollments that run in the background.",
    "session": "Sign the page in with a key, and out again.",
    "health": "Check that the service is alive and ready, and read its limits and metrics.",
}


def create_app(
    settings: Settings | None = None, *, pair: EncoderPair | None = None, listener: Listener | None = None
) -> FastAPI:
    """Make the application for `settings` (None: from the environment).

    `pair` replaces the encoders that `settings` names. `listener` is called in the enrollment thread with every change
    of a job.
    """
    chosen = settings or Settings()
    metrics, traces = Metrics(), Traces(chosen.traces_url, package_version())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        listeners = [traces.job, *([listener] if listener else [])]
        service = await to_thread.run_sync(_open, chosen, pair, metrics, listeners)
        app.state.service = service
        try:
            async with create_task_group() as tasks:
                tasks.start_soon(_sweep_regularly, service)
                yield
                tasks.cancel_scope.cancel()
        finally:
            await to_thread.run_sync(service.close)
            await to_thread.run_sync(traces.close)

    app = FastAPI(
        title="Show Me the Instruments",
        description=DESCRIPTION,
        version=package_version(),
        lifespan=lifespan,
        openapi_tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        generate_unique_id_function=_operation_id,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere; nothing is downloaded at run time
        redoc_url=None,
        responses={
            "default": {
                "description": "Any other problem.",
                "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REFERENCE}}},
            }
        },
    )
    for module in (
        *(queries, parts, recognition, similar, libraries, sources, watches, library_archives),
        *(instruments, uploads, jobs),
    ):
        app.include_router(module.router, dependencies=CREDENTIALS, responses=REFUSED)
    for module in (session, health, page):
        app.include_router(module.router)
    install_handlers(app)
    _add_middleware(app, chosen, metrics, traces)
    return app


def _add_middleware(app: FastAPI, chosen: Settings, metrics: Metrics, traces: Traces) -> None:
    """Add what every request passes through, the innermost first."""
    sizes = BodySizes(library=chosen.max_library_bytes, other=chosen.max_upload_bytes)
    app.add_middleware(BodyLimit, sizes=sizes)
    app.add_middleware(
        BodyPace,
        seconds=chosen.client_timeout_seconds,
        min_bytes=round(chosen.client_timeout_seconds * chosen.min_body_bytes_per_second),
    )
    app.add_middleware(
        FreeSpace,
        folder=chosen.data_dir,
        min_free_bytes=chosen.min_free_bytes,
        sizes=sizes,
    )
    app.add_middleware(
        UploadSlots,
        max_uploads=chosen.max_uploads,
        max_bytes_of_all=chosen.max_received_bytes,
        sizes=sizes,
        check=_check_queue,
    )
    app.add_middleware(AccessGate, keys_required=keys_required(chosen), max_bytes=chosen.max_upload_bytes)
    app.add_middleware(OwnOrigin, origins=chosen.cors_origins)
    if chosen.cors_origins:
        app.add_middleware(NamedOrigins, origins=chosen.cors_origins)
    app.add_middleware(KnownHosts, hosts=known_hosts(chosen.host, chosen.allowed_hosts))
    app.add_middleware(RequestContext, metrics=metrics, traces=traces)


def _check_queue(scope: Scope) -> None:
    """Raise Busy or TooManyRequests where an upload would find its queue full, so that it is not received in vain."""
    scope["app"].state.service.check_queue(scope["path"], scope["state"]["caller"])


def _open(
    settings: Settings, pair: EncoderPair | None, metrics: Metrics, listeners: Sequence[Listener]
) -> Service:
    loaded = pair or EncoderPair.load(settings.weights_dir, settings.device)
    return Service(settings, loaded, metrics, listeners)


async def _sweep_regularly(service: Service) -> None:
    while True:
        await sleep(SWEEP_SECONDS)
        try:
            await to_thread.run_sync(service.sweep)
        except Exception:  # the next one may succeed
            log.exception("leftovers could not be removed")


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("showme")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0.0.0"


def _operation_id(route: APIRoute) -> str:
    """Return the name of the route's function in camel case: `create_query` is `createQuery`."""
    first, *others = route.name.split("_")
    return first + "".join(map(str.capitalize, others))
