"""The metrics of the service in the text format of Prometheus.

Each application has a registry of its own, so that two applications in one process do not share counters.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.types import Scope

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
    """Counters of requests and queries, and gauges that are read at each request for the metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `method_of` and `route_of` keep the labels few."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def query(self, timing_ms: dict[str, float]) -> None:
        """Count one answered query by its stages."""
        for stage, milliseconds in timing_ms.items():
            self._stage_seconds.labels(stage).observe(milliseconds / 1000)

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Add a gauge whose value is `read()` at each request for the metrics."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self.registry)
