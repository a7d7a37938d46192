"""Traces of what the service does, sent to a collector of OpenTelemetry by OTLP over HTTP.

Nothing is traced unless the settings name a collector. Spans tell times, routes, ids and states; as in the log, names of files,
libraries and instruments stay out of them, and an exception is told by its kind.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracer, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue
from starlette.datastructures import Headers
from starlette.types import Scope

from app.job_store import JobView
from app.metrics import method_of, route_of
from models.error_kind import kind_of

EXPORT_SECONDS = 2.0  # for one attempt to reach the collector: a service that stops waits no longer for it
UNTRACED = frozenset({"/healthz", "/readyz", "/metrics"})  # asked every few seconds, and of no interest
NO_TRACER = NoOpTracer()
_TRACER: ContextVar[Tracer] = ContextVar(
    "tracer", default=NO_TRACER
)  # of the application that answers a request


class Traces:
    """The tracer of one application, and the thread that sends its spans; both do nothing without a `url`."""

    def __init__(self, url: str | None, version: str) -> None:
        self._provider: TracerProvider | None = None
        self.tracer: Tracer = NO_TRACER
        if url:
            resource = Resource.create({"service.name": "showme", "service.version": version})
            self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            exporter = OTLPSpanExporter(endpoint=url, timeout=EXPORT_SECONDS)
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
            self.tracer = self._provider.get_tracer("showme", version)
        self._jobs: dict[str, Span] = {}

    @contextmanager
    def request(self, scope: Scope, request_id: str) -> Iterator[Span]:
        """The span of a request, below that of its caller if `traceparent` names one. `answered` completes it."""
        _TRACER.set(NO_TRACER if scope["path"] in UNTRACED else self.tracer)
        caller = TraceContextTextMapPropagator().extract(Headers(scope=scope))
        attributes = {"http.request.method": method_of(scope), "showme.request_id": request_id}
        with _span(method_of(scope), attributes, SpanKind.SERVER, caller) as span:
            yield span

    def job(self, view: JobView) -> None:
        """Begin the span of a job that runs, and end that of one that has ended."""
        if view.state == "running" and view.id not in self._jobs:
            attributes = {"showme.job": view.id, "showme.library": view.library_id}
            self._jobs[view.id] = self.tracer.start_span(f"job {view.kind}", Context(), attributes=attributes)
        elif view.state != "running" and (span := self._jobs.pop(view.id, None)):
            span.set_attributes({"showme.job_state": view.state, "showme.done": view.done})
            if view.state == "failed":
                span.set_status(StatusCode.ERROR)
            span.end()

    def close(self) -> None:
        """Send what is left, and stop."""
        if self._provider:
            self._provider.shutdown()


def answered(span: Span, scope: Scope, status: int) -> None:
    """Complete the span of a request; `status` is 0 if its client went away before the answer."""
    span.update_name(f"{method_of(scope)} {route_of(scope)}")
    span.set_attributes({"http.route": route_of(scope), "http.response.status_code": status})
    if status >= 500:
        span.set_status(StatusCode.ERROR)


@contextmanager
def span(name: str, **attributes: AttributeValue) -> Iterator[Span]:
    """A span of the request that is being answered, with attributes that begin with `showme.`."""
    with _span(name, {f"showme.{key}": value for key, value in attributes.items()}) as started:
        yield started


@contextmanager
def _span(
    name: str,
    attributes: Mapping[str, AttributeValue],
    kind: SpanKind = SpanKind.INTERNAL,
    context: Context | None = None,
) -> Iterator[Span]:
    """A span that an exception marks as failed, by its kind: its message may hold names."""
    with _TRACER.get().start_as_current_span(
        name, context, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as started:
        try:
            yield started
        except Exception as error:
            started.set_status(Status(StatusCode.ERROR, kind_of(error)))
            raise
