"""Pages of other sites that the operator names (SHOWME_CORS_ORIGINS) use the API, and no others do."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from models.encoder_pair import EncoderPair
from tests.app.keyed import KeyedService, keyed
from tests.app.serving import problem

TOOL = "https://studio.example"
NAMED = {"Origin": TOOL, "Sec-Fetch-Site": "cross-site"}
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
ASKED = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
}


@pytest.fixture(scope="module")
def open_service(tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> Iterator[KeyedService]:
    """A service with keys that a tool at TOOL may use."""
    folder = tmp_path_factory.mktemp("cors")
    with keyed(folder, pair, cors_origins=(TOOL, "http://localhost:5173")) as service:
        yield service


def test_a_named_page_reads_and_writes_with_a_key(open_service: KeyedService) -> None:
    asked = open_service.stranger.options("/v1/libraries", headers=NAMED | ASKED)
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == TOOL
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    assert asked.headers["access-control-allow-headers"] == ASKED["Access-Control-Request-Headers"]
    tool = open_service.client("tool")
    made = tool.post("/v1/libraries", json={"name": "Made"}, headers=NAMED)
    assert made.status_code == 201
    assert made.headers["access-control-allow-origin"] == TOOL
    assert "Origin" in made.headers["vary"]
    assert "Location" in made.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in made.headers
    refused = open_service.stranger.get("/v1/libraries", headers=NAMED)  # its page can read why
    problem(refused, 401, "key-required")
    assert refused.headers["access-control-allow-origin"] == TOOL


def test_other_pages_read_and_write_nothing(open_service: KeyedService) -> None:
    tool = open_service.client("another tool")
    for origin in (FOREIGN, {"Origin": f"{TOOL}.evil.example"}, {"Origin": "null"}):
        problem(tool.post("/v1/libraries", json={"name": "Two"}, headers=origin), 403, "cross-origin")
        assert "access-control-allow-origin" not in tool.get("/v1/libraries", headers=origin).headers
        preflight = open_service.stranger.options("/v1/libraries", headers=origin | ASKED)
        assert preflight.status_code >= 400
        assert "access-control-allow-origin" not in preflight.headers
    assert tool.get("/v1/libraries").json()["items"] == []


def test_a_named_page_cannot_use_the_session_of_the_page(open_service: KeyedService) -> None:
    """Another port of one machine is the same site, to which a browser sends the cookie."""
    _, secret = open_service.keys.create("browser", "write")
    browser = open_service.browser(secret)
    assert browser.post("/v1/libraries", json={"name": "Own"}).status_code == 201
    neighbour = {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"}
    problem(browser.post("/v1/libraries", json={"name": "Not"}, headers=neighbour), 403, "cross-origin")


def test_no_page_is_named_unless_the_operator_does(client: httpx.Client) -> None:
    problem(client.post("/v1/libraries", json={"name": "Two"}, headers=NAMED), 403, "cross-origin")
    assert "access-control-allow-origin" not in client.get("/v1/libraries", headers=NAMED).headers


@pytest.mark.parametrize(
    "origin", ["*", "studio.example", f"{TOOL}/", "null", "https://*.example", "file://a"]
)
def test_what_is_no_origin_is_refused_at_once(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        Settings(data_dir=tmp_path, cors_origins=(origin,))


def test_the_environment_names_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWME_CORS_ORIGINS", f"{TOOL}, http://localhost:5173")
    assert Settings().cors_origins == (TOOL, "http://localhost:5173")
