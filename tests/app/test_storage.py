"""A busy database and a full disk over HTTP: what can be done is done, the rest is refused in words, and deletions succeed."""

import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from index.backup import back_up
from index.disk import free_bytes
from index.restoring import restore
from models.encoder_pair import EncoderPair
from models.errors import StorageFull
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import audio, mixture, tone
from tests.app.test_enrollment import FILES, send
from tests.index.test_database import locked


def test_a_locked_database_makes_writers_come_back_and_leaves_readers_alone(
    tmp_path: Path, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.database.sqlite.BUSY_SECONDS", 2.0)
    with running(tmp_path, pair) as client, ThreadPoolExecutor(20) as pool:
        made = client.post("/v1/libraries", json={"name": "L"}).json()
        address = f"/v1/libraries/{made['id']}"
        with locked(tmp_path):
            writing = [
                pool.submit(client.patch, address, json={"name": f"N {number}"}) for number in range(20)
            ]
            time.sleep(0.5)
            assert client.get("/v1/libraries").json()["items"] == [made]
            assert not any(one.done() for one in writing)
            for one in writing:
                problem(one.result(), 503, "busy")
                assert int(one.result().headers["retry-after"]) >= 1
        assert client.patch(address, json={"name": "After"}).json()["name"] == "After"


@pytest.mark.parametrize("result", ["{", "null", '{"id": 1}'])
def test_an_answer_that_is_damaged_in_the_database_is_named_and_can_be_deleted(
    own: httpx.Client, tmp_path: Path, result: str
) -> None:
    query = own.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}).json()
    address = f"/v1/queries/{query['id']}"
    with closing(sqlite3.connect(tmp_path / "showme.db", isolation_level=None)) as database:
        database.execute("UPDATE query SET result = ?", (result,))
    for reading in (address, f"{address}/export"):
        assert query["id"] in problem(own.get(reading), 503, "index-damaged")["detail"]
    assert own.delete(address).status_code == 204
    assert own.get("/v1/queries").json()["items"] == []


def test_below_the_low_water_mark_only_uploads_are_refused(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "L"})
        enrolled(client, "L", *FILES)
        query = client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}).json()
        assert client.get("/readyz").status_code == 200
    least = 1 << 52
    with running(tmp_path, pair, min_free_bytes=least) as client:
        before = client.get("/v1/libraries").json()
        for address, field in (
            ("/v1/queries", "file"),
            ("/v1/queries/batch", "files"),
            ("/v1/libraries/L/instruments", "files"),
        ):
            body = problem(
                client.post(address, files={field: ("a.wav", audio(tone(99.0)))}), 507, "storage-full"
            )
            assert body["limit"] == least > body["value"]
            assert "SHOWME_MIN_FREE_BYTES" in body["detail"]
        assert client.get("/v1/libraries").json() == before
        body = problem(client.get("/readyz"), 503, "not-ready")
        assert (body["ready"], body["progress"], body["limit"]) == (False, None, least)
        assert body["reasons"] == [body["detail"]]
        assert client.get("/healthz").status_code == 200
        assert client.patch("/v1/libraries/L", json={"name": "M"}).status_code == 200
        assert client.get(f"/v1/queries/{query['id']}/audio").status_code == 200
        assert client.delete(f"/v1/queries/{query['id']}").status_code == 204
        assert client.delete("/v1/libraries/M").status_code == 204


def test_an_upload_that_would_not_fit_is_refused_by_its_stated_size(
    tmp_path: Path, pair: EncoderPair
) -> None:
    head = (
        f"POST /v1/queries HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 61}\r\nExpect: 100-continue\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with running(tmp_path, pair, max_upload_bytes=1 << 62) as client:
        address = client.base_url.host, client.base_url.port or 80
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(head.encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 507")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight mebibytes in memory, where this user may mount one."""
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot mount a small disk")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_turned_read_only_is_told(small_disk: Path, pair: EncoderPair) -> None:
    with running(small_disk, pair, min_free_bytes=0) as client:
        assert client.get("/readyz").status_code == 200
        place = str(small_disk)
        subprocess.run(["mount", "--bind", place, place], check=True)
        try:
            subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
            body = problem(client.get("/readyz"), 503, "not-ready")
        finally:
            subprocess.run(["umount", place], check=True)
        assert body["reasons"] == ["the data folder cannot be written"]
        assert client.get("/readyz").status_code == 200


def fill(folder: Path) -> None:
    """Write until the disk of `folder` takes no more."""
    with suppress(OSError), (folder / "ballast").open("ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_full_disk_is_emptied_through_the_api(small_disk: Path, pair: EncoderPair) -> None:
    with running(small_disk, pair, min_free_bytes=0) as client:
        client.post("/v1/libraries", json={"name": "L"})
        enrolled(client, "L", *FILES)
        queries = [
            client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}).json() for _ in range(3)
        ]
        fill(small_disk)
        problem(client.post("/v1/queries", files={"file": ("a.wav", mixture(1.0))}), 507, "storage-full")
        problem(send(client, "L", *FILES), 507, "storage-full")
        assert client.get("/v1/libraries/L").json()["num_instruments"] == 2
        fill(small_disk)
        for address in (*(f"/v1/queries/{query['id']}" for query in queries), "/v1/libraries/L"):
            answer = client.delete(address)
            assert answer.status_code == 204, answer.text
        assert free_bytes(small_disk) > 3 * len(mixture(1.0))
        assert client.get("/v1/libraries").json()["items"] == client.get("/v1/queries").json()["items"] == []


def test_a_service_on_a_full_disk_is_backed_up_elsewhere(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory, tones_dir: Path, pair: EncoderPair
) -> None:
    """The root of a disk cannot be replaced by another folder, but a backup can be restored there too."""
    aside = tmp_path_factory.mktemp("aside")
    manifest = back_up(tones_dir, aside / "first.zip")
    restore(aside / "first.zip", small_disk)
    assert not list(small_disk.glob(".*"))
    with running(small_disk, pair, min_free_bytes=0) as client:
        fill(small_disk)
        assert back_up(small_disk, aside / "second.zip").files.keys() == manifest.files.keys()
        assert client.get("/v1/libraries/One").json()["num_instruments"] == 4


def test_a_backup_that_does_not_fit_leaves_nothing(
    small_disk: Path, tmp_path_factory: pytest.TempPathFactory, tones_dir: Path
) -> None:
    archive = tmp_path_factory.mktemp("aside") / "backup.zip"
    back_up(tones_dir, archive)
    ballast = small_disk / "ballast"
    for left in (1_000, 100_000, archive.stat().st_size):
        ballast.write_bytes(b"")
        ballast.write_bytes(bytes(free_bytes(small_disk) - left))
        with pytest.raises(StorageFull, match="no free space for the backup"):
            back_up(tones_dir, small_disk / "backup.zip")
        with pytest.raises(StorageFull, match="no free space for the backup"):
            restore(archive, small_disk / "data")
        assert list(small_disk.iterdir()) == [ballast]
