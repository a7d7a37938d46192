"""Resumable uploads over HTTP: cut off, killed, resumed, cancelled, limited, given up, and enrolled when they are complete."""

import base64
import os
import socket
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.routes.uploads import SPOKEN
from index.catalog import Catalog
from index.incoming import ResumableUpload
from index.libraries import utc_now
from models.encoder_pair import EncoderPair
from tests.app.keyed import KeyedService
from tests.app.serving import SteppedPair, finished_job, problem, running, until
from tests.app.sounds import audio, tone, zipped
from tests.databases import catalogue_at
from tests.index.tiny_soundfont import PATCHES, soundfont_bytes

PIECE = {"Content-Type": "application/offset+octet-stream"}
DAYS_AGO = -3 * 24 * 3600.0


def create(client: httpx.Client, name: str, num_bytes: int) -> httpx.Response:
    described = f"filename {base64.b64encode(name.encode()).decode()},filetype YXVkaW8="
    headers = SPOKEN | {"Upload-Length": str(num_bytes), "Upload-Metadata": described}
    return client.post("/v1/uploads", headers=headers)


def created(client: httpx.Client, name: str, num_bytes: int) -> str:
    """The address of a new upload."""
    answer = create(client, name, num_bytes)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def send(client: httpx.Client, address: str, offset: int, piece: bytes) -> httpx.Response:
    return client.patch(address, content=piece, headers=SPOKEN | PIECE | {"Upload-Offset": str(offset)})


def offset_of(client: httpx.Client, address: str) -> int:
    answer = client.head(address, headers=SPOKEN)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    return int(answer.headers["upload-offset"])


def enroll(client: httpx.Client, address: str, library: str = "L", **headers: str) -> httpx.Response:
    body = {"upload": address.rpartition("/")[2]}
    return client.post(f"/v1/libraries/{library}/sources", json=body, headers=headers)


def cut_off(client: httpx.Client, address: str, content: bytes, share: float) -> int:
    """Send a share of `content`, which is announced whole, and break the connection. Return the offset that is left."""
    head = f"PATCH {address} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\nUpload-Offset: 0\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (SPOKEN | PIECE).items())
    sent = content[: int(share * len(content))]
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as line:
        line.sendall(head.encode() + b"\r\n" + sent)
        until(lambda: offset_of(client, address) == len(sent))
    return len(sent)


def names(client: httpx.Client) -> list[str]:
    return [item["name"] for item in client.get("/v1/libraries/L/instruments").json()["items"]]


@pytest.mark.both_databases
def test_an_upload_cut_at_60_percent_is_resumed_after_a_restart(
    tmp_path: Path, pair: EncoderPair, database: str | None
) -> None:
    font = soundfont_bytes(PATCHES[:1])
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "L"})
        address = created(client, "big.sf2", len(font))
        arrived = cut_off(client, address, font, 0.6)
        refused = problem(enroll(client, address), 409, "upload-conflict")
        assert (refused["value"], refused["limit"]) == (arrived, len(font))
    place = tmp_path / "uploads" / address.rpartition("/")[2]
    os.utime(place, (utc_now().timestamp() + DAYS_AGO,) * 2)  # the day after tomorrow
    with running(tmp_path, pair) as client:
        assert offset_of(client, address) == arrived
        answer = send(client, address, arrived, font[arrived:])
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(font)))
        first = enroll(client, address, **{"Idempotency-Key": "k"})
        assert first.status_code == 202, first.text
        assert enroll(client, address, **{"Idempotency-Key": "k"}).json()["id"] == first.json()["id"]
        assert finished_job(client, first.json())["state"] == "done"
        assert len(names(client)) == 1
        assert client.head(address, headers=SPOKEN).status_code == 404
        problem(enroll(client, address), 404, "upload-not-found")
        assert [path.name == place.name for path in (tmp_path / "uploads").iterdir()] == [False]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 5999), max_size=5), seed=st.integers(0, 99))
def test_any_pieces_make_the_whole(client: httpx.Client, data_dir: Path, cuts: list[int], seed: int) -> None:
    content = Random(seed).randbytes(6000)
    address = created(client, "a.wav", len(content))
    places = [0, *sorted(cuts), len(content)]
    for start, end in pairwise(places):
        assert offset_of(client, address) == start
        assert send(client, address, start, content[start:end]).status_code == 204
    assert (data_dir / "uploads" / address.rpartition("/")[2] / "received").read_bytes() == content
    assert client.delete(address, headers=SPOKEN).status_code == 204
    assert client.head(address, headers=SPOKEN).status_code == 404


def test_pieces_that_do_not_fit_change_nothing(client: httpx.Client) -> None:
    address = created(client, "a.wav", 10)
    assert send(client, address, 0, b"12345").status_code == 204
    for offset, piece, value, limit in ((0, b"12345", 0, 5), (7, b"89", 7, 5), (5, b"678901", 11, 10)):
        body = problem(send(client, address, offset, piece), 409, "upload-conflict")
        assert (body["value"], body["limit"]) == (value, limit)
        assert offset_of(client, address) == 5
    wrong = client.patch(address, content=b"1", headers=SPOKEN | {"Upload-Offset": "5"})
    problem(wrong, 415, "media-type")
    old = client.patch(
        address, content=b"1", headers=PIECE | {"Upload-Offset": "5", "Tus-Resumable": "0.2.2"}
    )
    assert problem(old, 412, "tus-version")["limit"] == old.headers["tus-version"] == "1.0.0"
    assert client.delete(address, headers=SPOKEN).status_code == 204


def test_one_request_at_a_time_writes(client: httpx.Client) -> None:
    address, content = created(client, "a.wav", 200_000), bytes(200_000)
    head = f"PATCH {address} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\nUpload-Offset: 0\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (SPOKEN | PIECE).items())
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10) as line:
        line.sendall(head.encode() + b"\r\n" + content[:1000])
        until(lambda: offset_of(client, address) == 1000)
        problem(send(client, address, 1000, b"x"), 409, "upload-conflict")
    until(lambda: send(client, address, 1000, content[1000:]).status_code == 204)
    assert client.delete(address, headers=SPOKEN).status_code == 204


@pytest.mark.parametrize(
    ("name", "num_bytes", "status", "slug"),
    [
        ("notes.txt", 5, 415, "unsupported-audio"),
        ("big.sf2", 2 << 30, 413, "audio-too-large"),
        ("big.sf2", 0, 422, "invalid-request"),
        ("big.sf2", -1, 422, "invalid-request"),
    ],
)
def test_what_would_be_refused_later_is_refused_at_once(
    client: httpx.Client, name: str, num_bytes: int, status: int, slug: str
) -> None:
    problem(create(client, name, num_bytes), status, slug)


@pytest.mark.parametrize("described", ["", "filename", "filename ???", "name YS53YXY=", "filename /w=="])
def test_an_upload_needs_a_name(client: httpx.Client, described: str) -> None:
    headers = SPOKEN | {"Upload-Length": "5", "Upload-Metadata": described}
    problem(client.post("/v1/uploads", headers=headers), 422, "invalid-request")


def test_options_describe_the_protocol(client: httpx.Client) -> None:
    answer = client.options("/v1/uploads")
    assert (answer.status_code, answer.headers["tus-version"]) == (204, "1.0.0")
    assert answer.headers["tus-max-size"] == str(client.get("/v1/limits").json()["max_library_bytes"])
    problem(client.post("/v1/uploads"), 412, "tus-version")


def test_queries_and_libraries_have_limits_of_their_own(tmp_path: Path, pair: EncoderPair) -> None:
    sound = audio(tone(110.0))
    with running(
        tmp_path, pair, max_upload_bytes=len(sound) // 2, max_library_bytes=2 * len(sound)
    ) as client:
        client.post("/v1/libraries", json={"name": "L"})
        big = client.post("/v1/queries", files={"file": ("a.wav", sound)})
        assert problem(big, 413, "body-too-large")["limit"] == len(sound) // 2
        job = client.post("/v1/libraries/L/instruments", files={"files": ("a.wav", sound)})
        assert finished_job(client, job.json())["state"] == "done"
        larger = client.post("/v1/libraries/L/instruments", files={"files": ("a.wav", 3 * sound)})
        assert problem(larger, 413, "body-too-large")["limit"] == 2 * len(sound)
        address = created(client, "b.wav", len(sound))
        assert send(client, address, 0, sound).status_code == 204
        assert finished_job(client, enroll(client, address).json())["state"] == "done"
        assert sorted(names(client)) == ["a", "b"]


def test_uploads_in_progress_are_staged_bytes_and_limited_for_each_key(
    tmp_path: Path, pair: EncoderPair
) -> None:
    limits: dict[str, Any] = {
        "max_staged_bytes": 1000,
        "max_resumable_bytes": 800,
        "max_resumable_uploads": 2,
    }
    with running(tmp_path, pair, **limits) as client:
        first = created(client, "a.wav", 700)
        assert problem(create(client, "b.wav", 101), 503, "busy")["limit"] == 800
        assert problem(create(client, "b.wav", 301), 503, "busy")["limit"] == 1000
        created(client, "b.wav", 50)
        assert problem(create(client, "c.wav", 1), 503, "busy")["limit"] == 2
        assert client.delete(first, headers=SPOKEN).status_code == 204
        created(client, "c.wav", 700)
    with running(
        tmp_path, pair, **limits | {"max_resumable_uploads": 9, "max_resumable_bytes": 9999}
    ) as client:
        assert problem(create(client, "d.wav", 300), 503, "busy")["value"] == 1050


def test_a_broken_file_is_refused_and_stays_until_it_is_cancelled(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "L"})
        address = created(client, "a.zip", 9)
        assert send(client, address, 0, b"not a zip").status_code == 204
        for _ in range(2):
            problem(enroll(client, address), 422, "source")
        assert offset_of(client, address) == 9
        assert len(list((tmp_path / "uploads").iterdir())) == 1
        assert client.delete(address, headers=SPOKEN).status_code == 204
        assert list((tmp_path / "uploads").iterdir()) == []


def test_a_zip_is_unpacked_from_a_link(tmp_path: Path, stepped: SteppedPair) -> None:
    content = zipped({"Bass/a.wav": audio(tone(55.0)), "Lead.wav": audio(tone(440.0))})
    with running(tmp_path, stepped, max_staged_bytes=10 * len(content)) as client:
        client.post("/v1/libraries", json={"name": "L"})
        address = created(client, "two.zip", len(content))
        send(client, address, 0, content)
        job = enroll(client, address).json()
        assert list((tmp_path / "uploads").rglob("received")) == []
        stepped.allowed.set()
        assert finished_job(client, job)["message"] == "2 added"
        created(client, "c.wav", 9 * len(content))  # nothing of it counts any more


def test_expired_uploads_are_given_up(
    tmp_path: Path, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.SWEEP_SECONDS", 0.05)
    with running(tmp_path, pair, max_staged_bytes=1000) as client:
        address, other = created(client, "a.wav", 600), created(client, "b.wav", 400)
        catalog = Catalog(catalogue_at(tmp_path))
        with catalog.write() as session:
            row = session.get_one(ResumableUpload, address.rpartition("/")[2])
            row.expires_at = utc_now() - timedelta(seconds=1)
        catalog.close()
        assert client.head(address, headers=SPOKEN).status_code == 404
        until(lambda: [path.name for path in (tmp_path / "uploads").iterdir()] == [other.rpartition("/")[2]])
        until(lambda: create(client, "c.wav", 600).status_code == 201)
        assert offset_of(client, other) == 0


def test_uploads_belong_to_their_key(service: KeyedService) -> None:
    alice, bob = service.client("ann"), service.client("ben")
    address = created(alice, "a.wav", 10)
    library = bob.post("/v1/libraries", json={"name": "Ben's"}).json()["id"]
    assert bob.head(address, headers=SPOKEN).status_code == 404
    problem(send(bob, address, 0, b"x"), 404, "upload-not-found")
    problem(bob.delete(address, headers=SPOKEN), 404, "upload-not-found")
    problem(enroll(bob, address, library), 404, "upload-not-found")
    assert send(alice, address, 0, b"x").status_code == 204
    reader = service.client("ron", "read")
    problem(create(reader, "a.wav", 10), 403, "scope-too-small")
