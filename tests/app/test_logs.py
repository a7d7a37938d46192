"""The log: each line of a request carries its id, in both forms, and no line holds what people named or sent."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from app.logs import REQUEST_ID, JsonLines, TextLines
from app.metrics import Metrics
from app.middleware import RequestContext
from app.tracing import Traces
from tests.app.serving import LogLines, serving, until
from tests.app.sounds import mixture

NAME = "Unreleased Demo"


def test_a_request_is_a_line_with_its_route(client: httpx.Client, log_lines: LogLines) -> None:
    client.get(f"/v1/queries/{NAME}?token={NAME}", headers={"X-Request-ID": "mine-1"})
    until(lambda: any(line["request_id"] == "mine-1" for line in log_lines()))  # after the answer
    (line,) = (line for line in log_lines() if line["request_id"] == "mine-1")
    assert line.pop("milliseconds") >= 0
    assert line.pop("time").endswith("+00:00")
    assert line.pop("message").startswith("GET /v1/queries/{query_id} 404 ")
    assert line == {
        "level": "INFO",
        "logger": "showme.requests",
        "request_id": "mine-1",
        "method": "GET",
        "route": "/v1/queries/{query_id}",
        "status": 404,
    }


def test_nothing_that_people_named_is_logged(
    client: httpx.Client, library: dict[str, Any], log_lines: LogLines
) -> None:
    named = {"file": (f"{NAME}.wav", mixture(1.0))}
    answer = client.post("/v1/queries", files=named, data={"library": library["id"]})
    assert answer.json()["name"] == f"{NAME}.wav"
    broken = {"file": (f"{NAME}.wav", b"RIFF....WAVE")}
    for asked in (
        client.post("/v1/queries", files=broken),
        client.get(f"/v1/libraries/{NAME}"),
        client.get(f"/{NAME}"),
        client.request("BREW", "/healthz"),
    ):
        assert asked.status_code >= 400
    until(lambda: sum(line["logger"] == "showme.requests" for line in log_lines()) >= 5)
    assert next(line["status"] for line in log_lines()) == 200
    assert {line["method"] for line in log_lines()} == {"GET", "POST", "other"}
    assert not any(word in json.dumps(log_lines()) for word in (NAME, NAME.split()[0], "BREW"))


def test_concurrent_requests_keep_their_ids_in_their_threads(log_lines: LogLines) -> None:
    app = FastAPI()

    @app.get("/")
    def work(request: Request) -> str:
        logging.getLogger("showme.work").warning("%s works", request.headers["x-request-id"])
        return REQUEST_ID.get()

    app.add_middleware(RequestContext, metrics=Metrics(), traces=Traces(None, "0"))
    ids = [f"id-{number}" for number in range(24)]
    with serving(app) as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda one: client.get("/", headers={"X-Request-ID": one}).json(), ids)
        assert list(answers) == ids
    worked = {line["message"]: line["request_id"] for line in log_lines() if line["logger"] == "showme.work"}
    assert worked == {f"{one} works": one for one in ids}


@pytest.mark.parametrize("form", [JsonLines(), TextLines("%(asctime)s %(levelname)s %(message)s")])
def test_an_exception_tells_where_and_what_kind_but_no_names(form: logging.Formatter) -> None:
    def fail(name: str) -> None:
        held: dict[str, int] = {}
        try:
            held[name] += 1
        except KeyError as error:
            raise FileNotFoundError(2, "No such file or directory", f"{name}.wav") from error

    try:
        fail(NAME)
    except FileNotFoundError as error:
        info = (type(error), error, error.__traceback__)
    logging.Formatter().format(record := logging.makeLogRecord({"msg": "failed", "exc_info": info}))
    text = form.format(record)
    assert text.index("KeyError") < text.index("FileNotFoundError: No such file or directory")
    assert "test_logs.py" in text
    assert "in fail" in text
    assert NAME not in text
    assert "request" not in TextLines().format(record)
