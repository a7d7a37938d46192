"""No answer runs or is framed in a browser, no key is in the log, paths are read below roots alone, guessing is slowed down."""

import json
import re
import socket
from pathlib import Path

import httpx
import pytest

from app.access.authenticator import MAX_WRONG_KEYS, WINDOW_SECONDS, Authenticator, WrongKeys
from app.access.headers import SECURITY_HEADERS
from app.access.keys import PREFIX, AccessKeys
from index.catalog import Catalog
from models.encoder_pair import EncoderPair
from models.errors import KeyRefused, TooManyAttempts
from tests.app.keyed import KeyedService, keyed
from tests.app.serving import LogLines, problem, running
from tests.app.sounds import mixture

OPEN = {"/healthz", "/readyz", "/v1/session"}
COOKIE = "showme_session"


def test_every_answer_carries_the_security_headers(service: KeyedService, tmp_path: Path) -> None:
    admin = service.client("headers", "admin")
    answers = [
        *(admin.get(path) for path in ("/v1/libraries", "/metrics", "/openapi.json", "/healthz", "/nothing")),
        admin.put("/v1/libraries"),
        service.stranger.get("/v1/libraries"),
        service.stranger.get("/", headers={"Host": "evil.example"}),
        service.stranger.get("/"),
    ]
    for answer in answers:
        assert SECURITY_HEADERS.keys() <= {name.title() for name in answer.headers} | {
            "X-Content-Type-Options"
        }
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "microphone=(self)" in answers[-1].headers["permissions-policy"]
    assert "sandbox" not in answers[-1].headers["content-security-policy"]
    assert answers[0].headers["cache-control"] == "private"
    with socket.create_connection(
        (service.stranger.base_url.host, service.stranger.base_url.port or 80), timeout=10
    ) as connection:
        connection.sendall(b"this is no HTTP\r\n\r\n")
        raw = b"".join(iter(lambda: connection.recv(65536), b"")).lower()
    assert raw.startswith(b"http/1.1 400")
    for name, value in SECURITY_HEADERS.items():
        assert f"{name}: {value}\r\n".lower().encode() in raw


def test_uploads_are_saved_and_not_shown(own: httpx.Client) -> None:
    """A file that a browser would run is refused as no audio; audio has its own type, whatever its name, as an attachment."""
    script = b"<script>alert(1)</script>"
    problem(own.post("/v1/queries", files={"file": ("a.html", script)}), 415, "not-audio")
    named = own.post("/v1/queries", files={"file": ("a.html", mixture(1.0) + script, "text/html")}).json()
    (first, *_) = own.get("/v1/libraries/One/instruments").json()["items"]
    for path, kind in ((named["audio_url"], "audio/wav"), (first["preview_url"], "audio/mpeg")):
        for headers in ({}, {"Range": "bytes=0-9"}):
            answer = own.get(path, headers=headers)
            assert answer.headers["content-type"] == kind
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-disposition"].startswith("attachment; ")
            assert "html" not in answer.headers["content-disposition"]
            assert "sandbox" in answer.headers["content-security-policy"]


def test_no_key_is_in_the_log(tmp_path: Path, pair: EncoderPair, log_lines: LogLines) -> None:
    with keyed(tmp_path, pair) as service:
        secret = service.keys.create("Secret Studio", "admin")[1]
        wrong, browser = f"{PREFIX}{'w' * 43}", service.browser(secret)
        token = browser.cookies[COOKIE]
        service.client_of(secret).post("/v1/libraries", json={"name": "Hidden"})
        service.client_of(wrong).get(f"/v1/libraries/{wrong}")
        service.stranger.post("/v1/session", json={"key": wrong})
        browser.delete("/v1/libraries/Hidden")
        browser.delete("/v1/session")
    text = str(log_lines())
    assert "/v1/session" in text
    for hidden in (secret, wrong, token, "Secret Studio", "Hidden"):
        assert hidden not in text


def test_the_document_declares_how_to_get_in(service: KeyedService) -> None:
    document = service.stranger.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["key"]["scheme"] == "bearer"
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", COOKIE)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert ("security" in operation) == (path not in OPEN), path
            assert path in OPEN or {"401", "403", "429"} <= operation["responses"].keys()


def test_sources_and_watches_alone_take_a_path_on_the_server(service: KeyedService) -> None:
    """Both read below the folders that the operator names (`test_server_paths.py`, `test_watches.py`); DELETE reads none."""
    document = service.stranger.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    taking = set()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            sent = {parameter["name"] for parameter in operation.get("parameters", [])}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                for schema in re.findall(r"#/components/schemas/(\w+)", json.dumps(content)):
                    sent |= schemas[schema].get("properties", {}).keys()
            if sent & {"path", "folder", "directory", "source", "root", "url"}:
                taking.add((method, path))
    assert taking == {
        ("post", "/v1/libraries/{library_id}/sources"),
        ("post", "/v1/libraries/{library_id}/watch"),
        ("delete", "/v1/libraries/{library_id}/watch"),
    }
    nested = {
        name
        for schema, body in schemas.items()
        if schema.endswith(("Form", "In", "Patch", "Changes")) and schema not in ("SourceIn", "WatchIn")
        for name in body["properties"]
    }
    assert not nested & {"path", "folder", "directory", "source", "root", "url"}
    admin = service.client("paths", "admin")
    for name in ("..%2f..%2fshowme.db", "%2fetc%2fpasswd", "..%5cshowme.db", "q_1%00"):
        for path in (f"/v1/queries/{name}/audio", f"/v1/instruments/{name}/preview", f"/web/{name}"):
            assert admin.get(path).status_code == 404


def test_keys_stay_open_to_a_loopback_service_without_them(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        catalog = Catalog(tmp_path / "showme.db")
        secret = AccessKeys(catalog).create("reader", "read")[1]
        assert client.post("/v1/libraries", json={"name": "Mine"}).status_code == 201
        headers = {"Authorization": f"Bearer {secret}"}
        assert client.get("/v1/session", headers=headers).json()["name"] == "reader"
        problem(client.get("/v1/libraries/Mine", headers=headers), 404, "library-not-found")
        problem(client.post("/v1/libraries", json={"name": "x"}, headers=headers), 403, "scope-too-small")
        catalog.close()


def test_guessing_is_slowed_down(tmp_path: Path, pair: EncoderPair) -> None:
    """From one address, by signing in or as a program; who was in before stays in, and cannot be locked out."""
    with keyed(tmp_path, pair) as service:
        known, fresh = service.client("known"), service.keys.create("fresh", "write")[1]
        assert known.get("/v1/libraries").status_code == 200
        for number in range(MAX_WRONG_KEYS):
            wrong = f"{PREFIX}{number:043}"
            answer = (
                service.client_of(wrong).get("/v1/libraries")
                if number % 2
                else service.stranger.post("/v1/session", json={"key": wrong})
            )
            problem(answer, 401, "key-refused")
        for answer in (
            service.stranger.post("/v1/session", json={"key": fresh}),  # even the right one
            service.client_of(fresh).get("/v1/libraries"),
        ):
            body = problem(answer, 429, "too-many-attempts")
            assert body["value"] == MAX_WRONG_KEYS
            assert 0 < int(answer.headers["retry-after"]) <= WINDOW_SECONDS
        assert known.get("/v1/libraries").status_code == 200


def test_attempts_are_counted_by_address_and_forgotten(tmp_path: Path) -> None:
    catalog, now = Catalog(tmp_path / "showme.db"), [0.0]
    catalog.migrate()
    authenticator = Authenticator(AccessKeys(catalog), WrongKeys(lambda: now[0]))
    secret = AccessKeys(catalog).create("a", "read")[1]

    def guess(address: str) -> None:
        with pytest.raises(KeyRefused):
            authenticator.key_of(f"{PREFIX}wrong", address)

    for number in range(MAX_WRONG_KEYS):
        guess(f"fd00::{number:x}")  # one network
        guess("10.0.0.1")
    for address in ("fd00::ffff", "10.0.0.1", "::ffff:10.0.0.1"):
        with pytest.raises(TooManyAttempts):
            authenticator.key_of(secret, address)
    guess("10.0.0.2")
    guess("fd00:0:0:1::1")
    now[0] += WINDOW_SECONDS
    assert authenticator.key_of(secret, "10.0.0.1").name == "a"
    catalog.close()
