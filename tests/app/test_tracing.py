"""Traces, as a collector receives them over HTTP: times, routes and ids of requests, stages and jobs, and no names."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import ValidationError

from app.settings import Settings
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, running
from tests.app.sounds import audio, mixture, tone

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector(ThreadingHTTPServer):
    """Keeps what is sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Received)
        self.bodies: list[bytes] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/traces"

    def spans(self) -> dict[str, list[Any]]:
        """The spans by name, in the order in which they ended."""
        found: dict[str, list[Any]] = {}
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                assert attributes(resource.resource)["service.name"] == "showme"
                for span in (span for scope in resource.scope_spans for span in scope.spans):
                    found.setdefault(span.name, []).append(span)
        return found


class _Received(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def attributes(holder: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in holder.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tones_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tones_dir, tmp_path / "own"))


def test_a_query_and_a_job_are_traced_without_names(
    collector: Collector, folder: Path, pair: EncoderPair
) -> None:
    with running(folder, pair, traces_url=collector.url) as client:
        asked = client.post(
            "/v1/queries",
            files={"file": ("secret song.wav", mixture(6.0))},
            data={"library": "One"},
            headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Request-ID": "asked-1"},
        )
        assert asked.status_code == 200
        assert enrolled(client, "One", ("secret tone.wav", audio(tone(500))))["state"] == "done"
        client.get("/healthz")
    spans = collector.spans()
    [request], [decode], [answer], [store] = (
        spans[name] for name in ("POST /v1/queries", "decode", "answer", "store")
    )
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert attributes(request) | {"showme.request_id": "asked-1"} == attributes(request)
    assert attributes(request)["http.route"] == "/v1/queries"
    assert attributes(request)["http.response.status_code"] == 200
    for stage in (decode, answer, store):
        assert (stage.trace_id, stage.parent_span_id) == (request.trace_id, request.span_id)
        assert request.start_time_unix_nano <= stage.start_time_unix_nano <= stage.end_time_unix_nano
        assert stage.end_time_unix_nano <= request.end_time_unix_nano
    assert attributes(decode)["showme.audio_seconds"] == 6.0
    assert attributes(answer)["showme.encode_ms"] > 0
    [job] = spans["job enroll"]
    assert attributes(job)["showme.job_state"] == "done"
    assert not job.parent_span_id
    assert not any("healthz" in name or name == "GET" for name in spans)
    assert b"secret" not in b"".join(collector.bodies)
    assert b"One" not in b"".join(collector.bodies)


def test_what_fails_is_marked_by_its_kind(collector: Collector, folder: Path, pair: EncoderPair) -> None:
    with running(folder, pair, traces_url=collector.url) as client:
        answer = client.post(
            "/v1/queries", files={"file": ("secret.wav", b"no audio")}, data={"library": "One"}
        )
        assert answer.status_code == 415
    spans = collector.spans()
    [request] = spans["POST /v1/queries"]
    assert attributes(request)["http.response.status_code"] == 415
    assert request.status.code == 0  # the client's mistake
    assert b"secret" not in b"".join(collector.bodies)


def test_a_collector_that_is_down_changes_no_answer(folder: Path, pair: EncoderPair) -> None:
    with running(folder, pair, traces_url="http://127.0.0.1:9/v1/traces") as client:
        files = {"file": ("a.wav", mixture(3.0))}
        assert client.post("/v1/queries", files=files, data={"library": "One"}).status_code == 200


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://localhost/v1/traces", "http://"])
def test_a_collector_is_an_address(url: str) -> None:
    with pytest.raises(ValidationError, match="traces_url"):
        Settings(traces_url=url)
