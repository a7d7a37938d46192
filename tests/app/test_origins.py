"""Requests that a page of another site makes a browser send: none reads or writes anything, and each gets a clear problem."""

import socket
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from models.encoder_pair import EncoderPair
from tests.app.serving import problem, running, serving, settings_for
from tests.app.sounds import audio, mixture, tone

FOREIGN = {"Origin": "http://evil.example"}


def state(client: httpx.Client) -> tuple[object, ...]:
    """All that a request could have changed."""
    library = client.get("/v1/libraries/One").json()
    return library, client.get("/v1/queries").json()["items"], client.get("/v1/libraries").json()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io"]
)
def test_a_name_that_was_rebound_to_this_machine_reads_and_deletes_nothing(
    own: httpx.Client, host: str
) -> None:
    library = own.get("/v1/libraries/One").json()
    for method, address in (
        ("GET", "/v1/libraries"),
        ("GET", "/"),
        ("GET", "/openapi.json"),
        ("DELETE", f"/v1/libraries/{library['id']}"),
    ):
        body = problem(own.request(method, address, headers={"Host": host}), 421, "unknown-host")
        assert body["value"] == host
        assert "localhost" in body["limit"]
        assert "SHOWME_ALLOWED_HOSTS" in body["detail"]
    assert own.get("/v1/libraries/One").json() == library


@pytest.mark.parametrize(
    "head",
    ["GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n"],
)
def test_a_request_without_a_valid_host_is_refused(client: httpx.Client, head: str) -> None:
    with socket.create_connection(
        (client.base_url.host, client.base_url.port or 80), timeout=10
    ) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).split(b" ")[1] in (b"400", b"421")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1:8000", "[::1]:8000"])
def test_names_of_this_machine_are_answered(client: httpx.Client, host: str) -> None:
    assert client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("bound", "named", "admitted", "refused"),
    [
        ("0.0.0.0", "", "localhost", "192.168.1.5:8000"),
        ("0.0.0.0", "studio.lan, *.example.org", "studio.lan:8000", "studio.lan.evil.example"),
        ("0.0.0.0", "studio.lan, *.example.org", "a.example.org", "example.com"),
        ("192.168.1.5", "", "192.168.1.5:8000", "192.168.1.6:8000"),
        ("fd00::5", "", "[fd00::5]:8000", "[fd00::6]:8000"),
        ("0.0.0.0", "*", "anything.example", ""),
    ],
)
def test_hosts_that_the_operator_names_are_answered(
    tmp_path: Path,
    pair: EncoderPair,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    named: str,
    admitted: str,
    refused: str,
) -> None:
    monkeypatch.setenv("SHOWME_ALLOWED_HOSTS", named)
    settings = Settings(data_dir=tmp_path, default_library="none", device="cpu", host=bound)
    with serving(create_app(settings, pair=pair)) as client:
        assert client.get("/healthz", headers={"Host": admitted}).status_code == 200
        if refused:
            problem(client.get("/healthz", headers={"Host": refused}), 421, "unknown-host")


def test_a_pattern_in_the_middle_of_a_name_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"studio\.\*"):
        Settings(allowed_hosts=("studio.*",))


@pytest.mark.parametrize(
    "headers",
    [
        FOREIGN,
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        FOREIGN | {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_site_can_write_nothing(own: httpx.Client, headers: dict[str, str]) -> None:
    before = state(own)
    identifier = own.get("/v1/libraries/One").json()["id"]
    attempts = [
        own.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}, headers=headers),
        own.post(
            f"/v1/libraries/{identifier}/instruments",
            files={"files": ("a.wav", audio(tone(99.0)))},
            headers=headers,
        ),
        own.post("/v1/libraries/l_000000000000/restore", headers=headers),
        own.post("/v1/libraries", json={"name": "Two"}, headers=headers),
        own.patch(f"/v1/libraries/{identifier}", json={"name": "Two"}, headers=headers),
        own.delete(f"/v1/libraries/{identifier}", headers=headers),
    ]
    for answer in attempts:
        body = problem(answer, 403, "cross-origin")
        assert body["value"] in headers.values()
        assert "access-control-allow-origin" not in answer.headers
    assert state(own) == before


def test_the_page_itself_and_programs_write(own: httpx.Client) -> None:
    page = str(own.base_url).rstrip("/")
    for number, headers in enumerate(
        (
            {},
            {"Origin": page},
            {"Origin": page, "Sec-Fetch-Site": "same-origin"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "https://localhost:8443", "Host": "localhost:8443"},  # TLS ends at a proxy
        )
    ):
        made = own.post("/v1/libraries", json={"name": f"Made {number}"}, headers=headers)
        assert made.status_code == 201, made.text


def test_reading_needs_no_origin(client: httpx.Client) -> None:
    """A link to the page from another site works; without CORS headers that site cannot read the answer."""
    answer = client.get("/v1/limits", headers=FOREIGN | {"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_a_service_for_one_host_answers_it(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, host="127.0.0.1") as client:
        assert client.get("/readyz").status_code == 200
        assert settings_for(tmp_path).allowed_hosts == ()
