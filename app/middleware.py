"""Middleware of every request: its id, its line in the log, metrics and traces, and the answer to bugs. Plain ASGI."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.headers import API_CACHING, SECURITY_HEADERS
from app.errors import internal_error
from app.logs import REQUEST_ID
from app.metrics import Metrics, method_of, route_of
from app.tracing import Traces, answered

log = logging.getLogger("showme.requests")

HEADER = "X-Request-ID"
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Gives each request an id (the client's own if it is valid), logs and measures it, and answers bugs with a problem."""

    def __init__(self, app: ASGIApp, metrics: Metrics, traces: Traces) -> None:
        self.app = app
        self.metrics = metrics
        self.traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get(HEADER, "")
        request_id = asked if _ACCEPTED_ID.fullmatch(asked) else uuid.uuid4().hex
        REQUEST_ID.set(request_id)  # for this request's task, and the threads that it waits for
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", API_CACHING)
            await send(message)

        with self.traces.request(scope, request_id) as span:
            try:
                await self.app(scope, receive, send_with_id)
            except Exception:
                log.exception("%s %s failed", method_of(scope), route_of(scope))
                if status:
                    raise  # the answer has begun: only a broken connection can tell the client
                await internal_error(scope["path"])(scope, receive, send_with_id)
            finally:
                self._record(scope, status, time.perf_counter() - started)
                answered(span, scope, status)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        """Log and count a request that has ended; its status is 0 if its client went away before the answer."""
        method, route = method_of(scope), route_of(scope)
        self.metrics.request(method, route, status, seconds)
        line = {"method": method, "route": route, "status": status, "milliseconds": round(1000 * seconds, 1)}
        log.info("%(method)s %(route)s %(status)d %(milliseconds)s ms", line)
