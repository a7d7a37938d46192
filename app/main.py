"""The application: `create_app` puts the routes, the errors and the limits together; the lifespan opens the service.

Nothing happens at import (STYLE.md, habit 13); serve it with `showme serve`, or `uvicorn --factory app.main:create_app`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from anyio import to_thread
from fastapi import FastAPI

from app.errors import install_handlers
from app.jobs import Listener
from app.metrics import Metrics
from app.middleware import BodyLimit, RequestContext
from app.problems import MEDIA_TYPE, PROBLEM_REFERENCE, Problem
from app.routes import health, instruments, jobs, libraries, page, queries
from app.service import Service
from app.settings import Settings
from models.encoder_pair import EncoderPair

DESCRIPTION = "Send a mixture; hear which instruments of your own library make that sound (Kim et al. 2022)."


def create_app(
    settings: Settings | None = None, *, pair: EncoderPair | None = None, listener: Listener | None = None
) -> FastAPI:
    """The application over `settings` (None: from the environment).

    `pair` is served instead of loading one; `listener` hears, in the enrollment thread, of every change of a job.
    """
    chosen = settings or Settings()
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = await to_thread.run_sync(_open, chosen, pair, metrics, listener)
        try:
            yield
        finally:
            await to_thread.run_sync(app.state.service.close)

    app = FastAPI(
        title="Show Me the Instruments",
        description=DESCRIPTION,
        version=_version(),
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load their scripts from elsewhere; nothing is downloaded at run time
        redoc_url=None,
        responses={
            "default": {
                "description": "Any other problem",
                "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REFERENCE}}},
            }
        },
    )
    for module in (queries, libraries, instruments, jobs, health, page):
        app.include_router(module.router)
    install_handlers(app)
    app.add_middleware(BodyLimit, max_bytes=chosen.max_upload_bytes)
    app.add_middleware(RequestContext, metrics=metrics)
    _document_problems(app)
    return app


def _open(
    settings: Settings, pair: EncoderPair | None, metrics: Metrics, listener: Listener | None
) -> Service:
    loaded = pair or EncoderPair.load(settings.weights_dir, settings.device)
    return Service(settings, loaded, metrics, listener)


def _version() -> str:
    try:
        return version("showme")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0.0.0"


def _document_problems(app: FastAPI) -> None:
    """Put the problem document among OpenAPI's components, where the routes' `$ref`s look for it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components = document.setdefault("components", {}).setdefault("schemas", {})
        components.update(schema.pop("$defs", {}), Problem=schema)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
