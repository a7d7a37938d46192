"""The metrics of the service in the text format of Prometheus.

Each application has a registry of its own, so that two applications in one process do not share counters.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import Scope

from app.job_store import JobView

METHODS = {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"}
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def method_of(scope: Scope) -> str:
    """Return the method of a request, or "other": a client may invent any number of them."""
    return scope["method"] if scope["method"] in METHODS else "other"


def route_of(scope: Scope) -> str:
    """Return the template of a request's route, never its raw path."""
    return getattr(scope.get("route"), "path", "unmatched")


class Metrics:
    """Counters of requests, queries and jobs, and what the operating system says of the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "showme_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "showme_request_seconds", "Time to answer.", ["route"], buckets=SECONDS, registry=self.registry
        )
        self._stage_seconds = Histogram(
            "showme_query_seconds",
            "Time of a query's stages.",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._jobs = Counter(
            "showme_jobs_ended_total",
            "Jobs of this process that have ended.",
            ["kind", "state"],
            registry=self.registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `method_of` and `route_of` keep the labels few."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def query(self, timing_ms: dict[str, float], total_ms: float) -> None:
        """Count one answered query by its stages, and by its total, which waiting and storing belong to."""
        for stage, milliseconds in (timing_ms | {"total": total_ms}).items():
            self._stage_seconds.labels(stage).observe(milliseconds / 1000)

    def job(self, view: JobView) -> None:
        """Count a job of this process if it has ended."""
        if view.finished:
            self._jobs.labels(view.kind, view.state).inc()

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self.registry)
