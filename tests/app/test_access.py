"""Who gets in: without a key nobody beyond loopback, and with one as far as its scope goes and as long as it is valid."""

import re
import shutil
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access.authenticator import MAX_WRONG_KEYS, WINDOW_SECONDS, Authenticator, WrongKeys
from app.access.gate import MAX_SIGN_IN_BYTES
from app.access.headers import SECURITY_HEADERS
from app.access.keys import PREFIX, AccessKeys
from app.main import create_app
from app.settings import keys_required
from index.catalog import AccessKey, Catalog, SignIn
from index.libraries import utc_now
from models.encoder_pair import EncoderPair
from models.errors import KeyRefused, TooManyAttempts
from tests.app.keyed import KeyedService, keyed
from tests.app.serving import LogLines, problem, running, serving, settings_for
from tests.app.sounds import mixture

OPEN = {"/healthz", "/readyz", "/v1/session"}
COOKIE = "showme_session"


@pytest.fixture(scope="module")
def service(
    tones_dir: Path, tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair
) -> Iterator[KeyedService]:
    folder = tmp_path_factory.mktemp("keyed") / "data"
    shutil.copytree(tones_dir, folder)
    with keyed(folder, pair) as service:
        yield service


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
        body = problem(answer, 401, "key-required")
        assert answer.headers["www-authenticate"] == 'Bearer realm="showme"'
        assert "showme keys create" in body["limit"]
        assert not {name for name in answer.headers if name.startswith("access-control")}
    for path in ("/healthz", "/readyz", "/", "/openapi.json"):
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
        if method != "GET" and path not in OPEN:
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


def test_a_key_expires(tmp_path: Path, pair: EncoderPair) -> None:
    with keyed(tmp_path, pair) as service:
        secret = service.keys.create("guest", "write", days=1.5 / 86_400)[1]
        program, browser = service.client_of(secret), service.browser(secret)
        assert program.get("/v1/libraries").status_code == 200
        time.sleep(1.6)
        problem(program.get("/v1/libraries"), 401, "key-refused")
        problem(browser.get("/v1/libraries", headers={"Cookie": "showme_session=x"}), 401, "key-refused")


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


def test_a_wrong_key_is_refused_on_loopback_too(own: httpx.Client) -> None:
    """A program that is given a key means it."""
    answer = own.get("/v1/libraries", headers={"Authorization": f"Bearer {PREFIX}x"})
    problem(answer, 401, "key-refused")


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
    """What a browser would run is no audio; what is audio has its type, whatever its name said, and is an attachment."""
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


def test_no_route_takes_a_path_on_the_server(service: KeyedService) -> None:
    document = service.stranger.get("/openapi.json").json()
    sent = {
        parameter["name"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
    }
    sent |= {
        name
        for schema, body in document["components"]["schemas"].items()
        if schema.endswith(("Form", "In", "Patch"))
        for name in body["properties"]
    }
    assert not sent & {"path", "folder", "directory", "source", "root", "url"}
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
