"""The OpenAPI document: it holds the whole contract, and it describes every operation, parameter and field."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from app import (
    export,
    health_schemas,
    heard_families,
    instrument_schemas,
    job_schemas,
    library_schemas,
    parts,
    problems,
    schemas,
    timelines,
)
from app.routes import libraries, queries, session, sources, watches
from tests.app.serving import problem
from tests.app.sounds import mixture

METHODS = ("get", "head", "post", "patch", "put", "delete")
CONTRACT = {
    "/v1/limits": {"get"},
    "/v1/queries": {"get", "post"},
    "/v1/queries/batch": {"post"},
    "/v1/queries/{query_id}": {"get", "patch", "delete"},
    "/v1/queries/{query_id}/audio": {"get"},
    "/v1/queries/{query_id}/export": {"get"},
    "/v1/queries/{query_id}/timeline": {"get"},
    "/v1/queries/{query_id}/parts": {"get"},
    "/v1/queries/{query_id}/slots/{slot}/midi": {"get"},
    "/v1/queries/{query_id}/slots/{slot}/render": {"get"},
    "/v1/queries/{query_id}/slots/{slot}/isolated": {"get", "head"},
    "/v1/recognise": {"post"},
    "/v1/libraries": {"get", "post"},
    "/v1/libraries/{library_id}": {"get", "patch", "delete"},
    "/v1/libraries/{library_id}/restore": {"post"},
    "/v1/libraries/{library_id}/reembed": {"post"},
    "/v1/libraries/{library_id}/export": {"get"},
    "/v1/imports": {"post"},
    "/v1/libraries/{library_id}/map": {"get"},
    "/v1/libraries/{library_id}/duplicates": {"get"},
    "/v1/libraries/{library_id}/instruments": {"get", "post"},
    "/v1/instruments": {"get", "patch"},
    "/v1/libraries/{library_id}/sources": {"post"},
    "/v1/libraries/{library_id}/watch": {"get", "post", "delete"},
    "/v1/uploads": {"options", "post"},
    "/v1/uploads/{upload_id}": {"head", "patch", "delete"},
    "/v1/instruments/{instrument_id}": {"get", "patch", "delete"},
    "/v1/instruments/{instrument_id}/restore": {"post"},
    "/v1/instruments/{instrument_id}/preview": {"get", "head"},
    "/v1/instruments/{instrument_id}/similar": {"get"},
    "/v1/instruments/{instrument_id}/source": {"get"},
    "/v1/similar": {"post"},
    "/v1/jobs": {"get"},
    "/v1/instruments/{instrument_id}/keys": {"get"},
    "/v1/instruments/{instrument_id}/note": {"get"},
    "/v1/jobs/{job_id}": {"get", "delete"},
    "/v1/jobs/{job_id}/events": {"get"},
    "/v1/jobs/{job_id}/instruments": {"delete"},
    "/v1/jobs/{job_id}/instruments/restore": {"post"},
    "/v1/session": {"get", "post", "delete"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method in methods.keys() & set(METHODS):
            yield f"{method} {path}", methods[method]


def test_the_contract_is_described(document: dict[str, Any]) -> None:
    assert {path: set(methods) for path, methods in document["paths"].items()} == CONTRACT
    components = document["components"]["schemas"]
    assert "HTTPValidationError" not in components
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert_problems_described(path, operation["responses"])
    for reference in set(re.findall(r"#/components/schemas/(\w+)", str(document))):
        assert reference in components


def assert_problems_described(path: str, responses: dict[str, Any]) -> None:
    """Every error of an operation is a problem document, and routes with an id can say 404."""
    for status, response in responses.items():
        if status == "default" or int(status) >= 400:
            assert set(response["content"]) == {"application/problem+json"}, (path, status)
            schema = response["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, (path, status)
    assert "default" in responses
    assert "{" not in path or "404" in responses, path


def test_every_body_may_be_too_slow_or_too_large(document: dict[str, Any]) -> None:
    for where, operation in operations(document):
        if "requestBody" in operation:
            for status in ("408", "413"):
                described = operation["responses"][status]["content"]["application/problem+json"]
                assert any(name.startswith("body-too-") for name in described["examples"]), where


def test_every_operation_has_a_short_id_a_summary_and_a_described_tag(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"] if tag["description"].endswith(".")}
    ids = []
    for where, operation in operations(document):
        ids.append(operation["operationId"])
        assert re.fullmatch("[a-z][A-Za-z]+", operation["operationId"]), where
        assert operation["summary"], where
        assert operation["description"].strip(), where
        assert operation["tags"], where
        assert set(operation["tags"]) <= described, where
    assert len(set(ids)) == len(ids)
    assert {"createQuery", "createQueryBatch", "exportQuery", "getQueryAudio", "listLibraries"} <= set(ids)


def test_every_field_and_parameter_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), (name, field)
        assert "properties" not in schema or schema["description"], name
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (where, parameter["name"])


def test_every_body_has_an_example(document: dict[str, Any]) -> None:
    components = document["components"]["schemas"]

    def assert_example(where: str, content: dict[str, Any]) -> None:
        for kind in content.keys() & {"application/json", "multipart/form-data"}:
            name = content[kind]["schema"]["$ref"].rpartition("/")[2]
            assert components[name]["example"], (where, name)

    for where, operation in operations(document):
        if "requestBody" in operation:
            assert_example(where, operation["requestBody"]["content"])
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                assert_example(where, response.get("content", {}))


def test_examples_are_whole_and_valid() -> None:
    modules = (
        instrument_schemas,
        job_schemas,
        export,
        health_schemas,
        libraries,
        library_schemas,
        problems,
        queries,
        heard_families,
        schemas,
        session,
        sources,
        watches,
        parts,
        timelines,
    )
    models = {
        model
        for module in modules
        for model in vars(module).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model is not health_schemas.NotReady
    }
    checked = 0
    for model in models:
        extra = model.model_config.get("json_schema_extra")
        uploads = model.__name__.endswith("Form")  # the example of a file is its name
        if isinstance(extra, dict) and not uploads:
            example: Any = extra["example"]
            if issubclass(model, schemas.Document):
                whole = model.model_validate(example).model_dump(mode="json")
                assert whole.keys() == example.keys(), model
            model.model_validate(example)
            checked += 1
    assert checked > 12


def test_hits_name_their_source(document: dict[str, Any]) -> None:
    components = document["components"]["schemas"]
    for name in ("HitOut", "RankedInstrumentOut"):
        assert "source" in components[name]["required"]
    assert components["RankedInstrumentOut"]["required"][-2:] == ["probability", "slots"]


def parameter(document: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    (found,) = (one for one in document["paths"][path]["get"]["parameters"] if one["name"] == name)
    schema: dict[str, Any] = found["schema"]
    return schema


def pattern_of(schema: dict[str, Any]) -> str:
    (found,) = (one["pattern"] for one in schema.get("anyOf", [schema]) if "pattern" in one)
    return str(found)


@pytest.mark.parametrize("path", ["/v1/queries", "/v1/libraries/{library_id}/instruments", "/v1/instruments"])
def test_cursors_are_described(own: httpx.Client, document: dict[str, Any], path: str) -> None:
    """Any text that the schema refuses is refused, and what a page gives is accepted."""
    for _ in range(2):
        assert own.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}).status_code == 200
    pattern = pattern_of(parameter(document, path, "next"))
    address = path.format(library_id="One")
    following = own.get(address, params={"limit": 1}).json()["next"]
    assert re.fullmatch(pattern, following)
    assert own.get(address, params={"next": following}).status_code == 200
    for nonsense in ("0x1", "nonsense", "1_q_", "٣", f"{following}\n"):
        assert not re.fullmatch(pattern, nonsense)
        problem(own.get(address, params={"next": nonsense}), 422, "invalid-request")


def test_a_correction_is_described(own: httpx.Client, document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["InstrumentPatch"]
    assert schema["minProperties"] == 1
    assert schema["properties"]["name"]["type"] == "string"
    assert "default" not in schema["properties"]["name"]
    assert {"type": "null"} in schema["properties"]["family"]["anyOf"]
    (first, *_) = own.get("/v1/libraries/One/instruments").json()["items"]
    for body in ({}, {"name": None}):
        problem(own.patch(f"/v1/instruments/{first['id']}", json=body), 422, "invalid-request")
    assert own.patch(f"/v1/instruments/{first['id']}", json={"family": None}).status_code == 200


def test_needed_files_are_described(client: httpx.Client, document: dict[str, Any]) -> None:
    components = document["components"]["schemas"]
    assert components["QueryForm"]["oneOf"] == [{"required": ["file"]}, {"required": ["query"]}]
    for name in ("BatchForm", "EnrollForm"):
        assert "files" in components[name]["required"]
        assert components[name]["properties"]["files"]["minItems"] == 1
    both = client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}, data={"query": "q_1"})
    for answer in (client.post("/v1/queries", data={"top_k": 1}), both, client.post("/v1/queries/batch")):
        problem(answer, 422, "invalid-request")


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "DELETE", "PUT"])
def test_a_batch_is_no_query(client: httpx.Client, document: dict[str, Any], method: str) -> None:
    """`batch` in the place of a query's id is not taken for one: other methods than the documented one are refused."""
    answer = client.request(method, "/v1/queries/batch")
    problem(answer, 405, "method-not-allowed")
    assert (
        answer.headers["allow"] == ", ".join(map(str.upper, document["paths"]["/v1/queries/batch"])) == "POST"
    )
    assert client.put("/v1/queries/q_1").headers["allow"] == "DELETE, GET, PATCH"
