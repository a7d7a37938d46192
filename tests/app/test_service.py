"""Health, readiness, metrics, request ids, the page, and bugs."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import STATUS, status_of
from app.main import create_app
from models import errors
from models.encoder_pair import EncoderPair, Floats
from tests.app.serving import LogLines, enrolled, problem, running, serving, settings_for
from tests.app.sounds import audio, mixture, tone
from tests.encoders import random_pair_of


def test_alive_and_ready(client: httpx.Client, library: dict[str, Any], pair: EncoderPair) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    body = client.get("/readyz").json()
    assert body["ready"] is True
    assert body["device"] == "cpu"
    assert body["encoder"] == pair.encoder_hash
    assert body["search"].startswith("faiss")
    assert body["instruments"] >= library["num_instruments"]


def test_every_answer_carries_a_request_id(client: httpx.Client) -> None:
    for address in ("/healthz", "/nowhere", "/v1/queries/q_none", "/"):
        assert re.fullmatch("[0-9a-f]{32}", client.get(address).headers["x-request-id"])
    assert (
        client.get("/healthz", headers={"X-Request-ID": "mine-1.2_3"}).headers["x-request-id"] == "mine-1.2_3"
    )
    for odd in ("a" * 65, "sp ace", 'quo"te', "<script>"):
        assert client.get("/healthz", headers={"X-Request-ID": odd}).headers["x-request-id"] != odd


def test_addresses_and_methods_that_are_not_served(client: httpx.Client) -> None:
    assert problem(client.get("/v1/nothing"), 404, "not-found")["value"] == "/v1/nothing"
    answer = client.put("/v1/libraries")
    assert problem(answer, 405, "method-not-allowed")["value"] == "PUT"
    assert answer.headers["allow"] == "GET, POST"
    assert client.post("/").headers["allow"] == "GET"
    problem(client.get("/web/../settings.py"), 404, "not-found")


def test_metrics_count_routes_not_paths(client: httpx.Client, library: dict[str, Any]) -> None:
    for name in ("first", "second"):
        client.get(f"/v1/queries/{name}")
    client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}, data={"library": library["id"]})
    client.request("BREW", "/healthz")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    found = re.search(
        r'showme_requests_total\{method="GET",route="/v1/queries/\{query_id\}",status="404"\} (\d+)', text
    )
    assert found
    assert int(found[1]) >= 2
    assert "first" not in text
    assert 'method="other"' in text
    assert "BREW" not in text
    assert 'showme_query_seconds_count{stage="encode"}' in text
    assert "showme_queries_in_flight 0.0" in text
    assert re.search(r"^showme_instruments \d", text, re.MULTILINE)


class BrokenPair(EncoderPair):
    """Raises an unexpected error when it encodes."""

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        raise ZeroDivisionError("secret detail")


def test_a_bug_is_a_problem_without_details(tmp_path: Path, log_lines: LogLines) -> None:
    with running(tmp_path, random_pair_of(BrokenPair)) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))
        body = problem(
            client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}), 500, "internal-error"
        )
        assert "secret" not in str(body)
        (line,) = (line for line in log_lines() if line["level"] == "ERROR")
        assert (line["message"], line["request_id"]) == ("POST /v1/queries failed", body["request_id"])
        assert line["exception"].endswith("ZeroDivisionError")
        assert "secret" not in line["exception"].replace('ZeroDivisionError("secret detail")', "")
        assert [path for sub in ("queries", "tmp") for path in (tmp_path / sub).iterdir()] == []
        assert client.get("/healthz").status_code == 200


def all_errors(kind: type[errors.ShowMeError]) -> set[type[errors.ShowMeError]]:
    return {kind}.union(*(all_errors(child) for child in kind.__subclasses__()))


def test_every_error_has_a_status_and_a_slug_of_its_own() -> None:
    kinds = {kind for kind in all_errors(errors.ShowMeError) if kind.__module__ == "models.errors"}
    assert len({kind.slug for kind in kinds}) == len(kinds)
    in_terminals_only = {errors.TrainingError, errors.BackupError, errors.MoveError}
    for kind in kinds - {errors.ShowMeError} - in_terminals_only:
        assert 400 <= status_of(kind) <= 507
        assert status_of(kind) != 500
    assert kinds >= STATUS.keys()


def test_the_page_and_its_files(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    assert not re.search(r"\sstyle=|\son\w+=|<script>|https?://(?!www\.w3\.org)", page.text)
    addresses = re.findall(r'(?:href|src)="(/[^"]+)"', page.text)
    assert addresses
    for address in addresses:
        asset = client.get(address)
        assert asset.status_code == 200
        assert asset.headers["content-type"].split(";")[0] in ("text/css", "text/javascript")
        assert asset.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in asset.headers["cache-control"]


def test_the_policy_has_a_fresh_nonce_in_each_response(client: httpx.Client) -> None:
    nonces = set()
    for _ in range(3):
        page = client.get("/")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        [nonce] = re.findall(r"style-src 'self' 'nonce-([\w-]{20,})'", policy)
        assert f'nonce="{nonce}"' in page.text
        assert "CSP-NONCE" not in page.text
        nonces.add(nonce)
    assert len(nonces) == 3


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip, deflate, br", True),
        ("gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, identity", False),
        ("identity", False),
        ("x-gzip-not", False),
        ("", False),
    ],
)
def test_assets_are_compressed_for_those_who_take_it(
    client: httpx.Client, accepted: str, packed: bool
) -> None:
    [address, *_] = re.findall(r'src="(/web/[^"]+\.js)"', client.get("/").text)
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    asset = client.get(address, headers={"Accept-Encoding": accepted})
    assert asset.headers["vary"] == "Accept-Encoding"
    assert ("content-encoding" in asset.headers) is packed
    assert asset.content == plain.content  # httpx unpacks it
    assert (int(asset.headers["content-length"]) < len(plain.content)) is packed


@pytest.mark.parametrize(
    "name",
    [
        *("nothing.js", "index.html", "assets", "assets/", "assets/nothing.js", "sources.sha256"),
        *("../package.json", "%2e%2e/package.json", "assets/..%2f..%2fpackage.json", "assets/%00.js"),
    ],
)
def test_nothing_else_is_served(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/web/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_happens_before_the_application_starts(tmp_path: Path, pair: EncoderPair) -> None:
    app = create_app(settings_for(tmp_path / "data"), pair=pair)
    assert not (tmp_path / "data").exists()
    with serving(app):
        assert (tmp_path / "data" / "showme.db").is_file()
