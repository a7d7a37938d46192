"""Who gets in: without a key nobody beyond loopback, and with one as far as its scope goes and as long as it is valid."""

import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.gate import MAX_SIGN_IN_BYTES
from app.access.keys import PREFIX, AccessKeys
from app.main import create_app
from app.settings import keys_required
from index.catalog import AccessKey, Catalog, SignIn
from index.libraries import utc_now
from models.encoder_pair import EncoderPair
from tests.app.keyed import KeyedService, keyed
from tests.app.serving import problem, serving, settings_for
from tests.app.sounds import mixture

OPEN = {"/healthz", "/readyz", "/v1/session"}
COOKIE = "showme_session"


def operations(client: httpx.Client) -> list[tuple[str, str]]:
    paths = client.get("/openapi.json").json()["paths"]
    return [
        (method.upper(), re.sub(r"\{\w+\}", "x_0", path)) for path in paths for method in sorted(paths[path])
    ]


@pytest.mark.parametrize(
    ("changes", "needed"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "127.0.0.2"}, False),
        ({"host": "localhost"}, False),
        ({"require_keys": True}, True),
        ({"host": "0.0.0.0"}, True),
        ({"host": "::"}, True),
        ({"host": ""}, True),
        ({"host": "192.168.1.5"}, True),
        ({"host": "studio.lan"}, True),
        ({"host": "localhost.evil.example"}, True),
        ({"allowed_hosts": ("studio.lan",)}, True),  # behind a proxy on this machine
    ],
)
def test_keys_are_needed_beyond_loopback(tmp_path: Path, changes: dict[str, Any], needed: bool) -> None:
    assert keys_required(settings_for(tmp_path, **changes)) is needed


def test_a_service_for_other_machines_answers_nobody_without_a_key(tmp_path: Path, pair: EncoderPair) -> None:
    settings = settings_for(tmp_path, host="0.0.0.0")
    with serving(create_app(settings, pair=pair)) as client:
        problem(client.get("/v1/libraries"), 401, "key-required")


def test_a_producer_on_their_own_machine_notices_nothing(own: httpx.Client) -> None:
    assert own.get("/v1/session").json() == {
        "keys_required": False,
        "key_id": None,
        "name": None,
        "scope": "admin",
    }
    (library,) = own.get("/v1/libraries").json()["items"]
    assert library["writable"]
    for headers in ({"Cookie": f"{COOKIE}=stale"}, {"Authorization": "Basic c3R1ZGlv"}):
        assert own.post("/v1/libraries", json={"name": str(headers)[:9]}, headers=headers).status_code == 201


def test_every_address_is_closed(service: KeyedService) -> None:
    """All that OpenAPI describes, the methods that it does not, and what does not exist."""
    found = [(method, path) for method, path in operations(service.stranger) if path not in OPEN]
    assert len(found) > 25
    for method, path in [
        *found,
        ("GET", "/v1/nothing"),
        ("OPTIONS", "/v1/libraries"),
        ("TRACE", "/v1/jobs/x_0"),
    ]:
        answer = service.stranger.request(method, path)
        if method == "HEAD":  # the same without a body
            assert (answer.status_code, answer.content) == (401, b"")
            continue
        body = problem(answer, 401, "key-required")
        assert answer.headers["www-authenticate"] == 'Bearer realm="showme"'
        assert "showme keys create" in body["limit"]
        assert not {name for name in answer.headers if name.startswith("access-control")}
    for path in ("/healthz", "/readyz", "/", "/docs", "/openapi.json"):
        assert service.stranger.get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["//v1/libraries", "/v1//libraries", "/web/../v1/libraries", "/web/..%2fv1/libraries", "/v1/session/"],
)
def test_an_address_in_disguise_opens_nothing(service: KeyedService, path: str) -> None:
    host, port = service.stranger.base_url.host, service.stranger.base_url.port
    with socket.create_connection((host, port or 80), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ")[1] in (b"401", b"404")
    assert b"num_instruments" not in answer


def test_an_upload_without_a_key_is_refused_before_it_is_received(service: KeyedService) -> None:
    host, port = service.stranger.base_url.host, service.stranger.base_url.port
    head = (
        "POST /v1/queries HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        "Content-Length: 50000000\r\n\r\n--x"
    )
    with socket.create_connection((host, port or 80), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    "sent",
    ["showme_", "x", f"{PREFIX}{'A' * 43}", f"{PREFIX}\xe9", f"{PREFIX}' OR 1=1 --", "k_000000000000"],
)
def test_a_wrong_key_is_refused(tmp_path: Path, pair: EncoderPair, sent: str) -> None:
    with keyed(tmp_path, pair) as service:
        service.keys.create("one", "admin")
        headers = {b"Authorization": f"Bearer {sent}".encode("latin-1")}
        answer = service.stranger.get("/v1/libraries", headers=headers)
        assert answer.status_code == 401
        assert sent in ("x", "showme_") or sent not in answer.text


def test_scopes_include_the_smaller_ones(service: KeyedService) -> None:
    reader, writer, admin = (service.client(scope, scope) for scope in ("read", "write", "admin"))
    assert [one.get("/v1/session").json()["scope"] for one in (reader, writer, admin)] == [
        "read",
        "write",
        "admin",
    ]
    for client in (reader, writer, admin):
        for path in ("/v1/libraries", "/v1/queries", "/v1/limits", "/metrics"):
            assert client.get(path).status_code == 200
    for method, path in operations(service.stranger):
        if method not in ("GET", "HEAD", "OPTIONS") and path not in OPEN:
            answer = reader.request(method, path)
            body = problem(answer, 403, "scope-too-small")
            assert (body["value"], body["limit"]) == ("read", "write")
            assert 'error="insufficient_scope", scope="write"' in answer.headers["www-authenticate"]
    file = {"file": ("a.wav", mixture(1.0))}
    problem(reader.post("/v1/queries", files=file), 403, "scope-too-small")
    assert admin.post("/v1/queries", files=file, data={"library": "One"}).status_code == 200
    assert writer.post("/v1/libraries", json={"name": "W"}).json()["writable"]


def test_only_hashes_are_stored(tmp_path: Path, pair: EncoderPair) -> None:
    with keyed(tmp_path, pair) as service:
        key, secret = service.keys.create("studio", "write")
        token = service.browser(secret).cookies[COOKIE]
        assert service.client_of(secret).get("/v1/libraries").status_code == 200
    assert re.fullmatch(r"showme_[\w-]{43}", secret)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert secret.encode() not in content
            assert token.encode() not in content
    (after,) = AccessKeys(Catalog(tmp_path / "showme.db")).all()
    assert after.id == key.id
    assert after.last_used_at is not None  # written when the service ended


def test_a_revoked_key_and_its_sessions_end_at_once(service: KeyedService) -> None:
    key, secret = service.keys.create("leaver", "admin")
    program, browser = service.client_of(secret), service.browser(secret)
    assert program.get("/v1/libraries").status_code == browser.get("/v1/libraries").status_code == 200
    service.keys.revoke(key.id)
    problem(program.get("/v1/libraries"), 401, "key-refused")
    answer = browser.get("/v1/libraries")
    problem(answer, 401, "key-refused")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert browser.get("/v1/session").json()["scope"] is None


def test_a_key_expires(service: KeyedService) -> None:
    key, secret = service.keys.create("guest", "write", days=1)
    program, browser = service.client_of(secret), service.browser(secret)
    assert program.get("/v1/libraries").status_code == browser.get("/v1/libraries").status_code == 200
    service.expire(key)
    problem(program.get("/v1/libraries"), 401, "key-refused")
    problem(browser.get("/v1/libraries"), 401, "key-refused")
    problem(service.stranger.post("/v1/session", json={"key": secret}), 401, "key-refused")


def test_a_session_reads_and_writes_for_the_page_alone(service: KeyedService) -> None:
    secret = service.keys.create("page", "write")[1]
    answer = service.stranger.post("/v1/session", json={"key": secret})
    attributes = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in attributes.split(";")}
    assert "secure" not in attributes
    assert secret not in answer.text
    service.stranger.cookies.clear()
    browser = service.browser(secret)
    assert browser.post("/v1/libraries", json={"name": "From the page"}).status_code == 201
    foreign = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
    cookie = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    for headers in ({}, *foreign):  # an old browser that names no origin is not trusted either
        for method, path in (
            ("POST", "/v1/libraries"),
            ("DELETE", "/v1/libraries/One"),
            ("PATCH", "/v1/libraries/One"),
        ):
            problem(service.stranger.request(method, path, headers=cookie | headers), 403, "cross-origin")
    for headers in foreign:
        problem(
            service.stranger.post("/v1/session", json={"key": secret}, headers=headers), 403, "cross-origin"
        )


def test_signing_out_ends_a_session(service: KeyedService) -> None:
    secret = service.keys.create("page", "write")[1]
    browser, other = service.browser(secret), service.browser(secret)
    token = browser.cookies[COOKIE]
    answer = browser.delete("/v1/session")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    stolen = service.stranger.get("/v1/libraries", headers={"Cookie": f"{COOKIE}={token}"})
    problem(stolen, 401, "key-refused")
    assert other.get("/v1/libraries").status_code == 200


def test_a_cookie_goes_over_https_only_where_the_page_did(service: KeyedService) -> None:
    secret = service.keys.create("page", "write")[1]
    headers = {"Origin": "https://localhost:8443", "Host": "localhost:8443"}  # TLS ends at a proxy
    answer = service.stranger.post("/v1/session", json={"key": secret}, headers=headers)
    service.stranger.cookies.clear()
    assert "secure" in answer.headers["set-cookie"].lower()


def test_a_session_ends_in_time(tmp_path: Path) -> None:
    catalog, now = Catalog(tmp_path / "showme.db"), [utc_now()]
    catalog.migrate()
    keys = AccessKeys(catalog, 100.0, clock=lambda: now[0])
    _, secret = keys.create("a", "read")
    _, short = keys.create("b", "read", days=50 / 86_400)
    long_one, short_one = keys.begin_session(secret), keys.begin_session(short)
    assert long_one is not None
    assert short_one is not None
    assert (long_one.seconds, short_one.seconds) == (100.0, 50.0)
    for seconds, left in (
        (49, (True, True)),
        (50, (True, False)),
        (99, (True, False)),
        (100, (False, False)),
    ):
        moment = now[0]
        now[0] = moment + timedelta(seconds=seconds)
        assert tuple(keys.find_session(one.token) is not None for one in (long_one, short_one)) == left
        now[0] = moment
    now[0] += timedelta(seconds=100)
    keys.sweep()
    with catalog.session() as session:
        assert session.query(SignIn).count() == 0
        assert {row.last_used_at is not None for row in session.query(AccessKey)} == {True}
    catalog.close()


def test_signing_in_takes_small_bodies_only(service: KeyedService) -> None:
    answer = service.stranger.post("/v1/session", json={"key": "x" * MAX_SIGN_IN_BYTES})
    problem(answer, 413, "body-too-large")
    bodies: list[Any] = [{}, {"key": None}, {"key": 5}, []]
    for body in bodies:
        problem(service.stranger.post("/v1/session", json=body), 422, "invalid-request")


def test_a_wrong_key_is_refused_on_loopback_too(own: httpx.Client) -> None:
    """A program that is given a key means it."""
    answer = own.get("/v1/libraries", headers={"Authorization": f"Bearer {PREFIX}x"})
    problem(answer, 401, "key-refused")
