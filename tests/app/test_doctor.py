"""`showme doctor`: it tells what is right and what is not, with value and limit, and leaves everything as it is."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.doctor.data import check_database, check_folder, check_room
from app.doctor.examination import CHECKS, examine
from app.doctor.findings import Finding
from app.doctor.machine import check_device, check_files, check_port, check_weights
from app.settings import Settings
from index.inspection import FoundLibrary, inspect_database
from index.migrations import revisions
from models.encoder_pair import EncoderPair
from tests.app.commands import run, write_weights
from tests.app.serving import running, settings_for
from tests.app.test_cli import free_port
from tests.index.test_released_folder import DUMP

Files = dict[str, tuple[bytes, int]]


@pytest.fixture
def data_dir(tmp_path: Path, tones_dir: Path) -> Path:
    """The four tones in the library `One`, of an encoder that is not among any weights."""
    return Path(shutil.copytree(tones_dir, tmp_path / "data"))


def contents(folder: Path) -> Files:
    """Return all files with content and time of change; SQLite's shared memory changes whenever somebody reads."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".db-shm")
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def only(findings: Iterator[Finding], check: str) -> Finding:
    (found,) = (finding for finding in findings if finding.check == check)
    return found


def database_of(data_dir: Path, **changes: Any) -> Finding:
    """Return the finding about the database of an untouched data folder."""
    before = contents(data_dir)
    found = only(check_database(settings_for(data_dir, **changes)), "database")
    assert contents(data_dir) == before
    return found


def change(data_dir: Path, *statements: str) -> None:
    with closing(sqlite3.connect(data_dir / "showme.db", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_a_sound_installation(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWME_PORT", str(free_port()))
    document = json.loads(run("doctor", "--json"))
    assert document["ok"] is True
    assert {finding["check"] for finding in document["findings"]} == {*CHECKS, "libraries", "clock"}
    notes = [finding["message"] for finding in document["findings"] if finding["state"] != "right"]
    assert [note.split()[0] for note in notes] == ["family.safetensors"]  # which the tiny encoders lack
    assert not (environment / "data").exists()


def test_what_is_wrong_is_a_line_each_and_exit_code_1(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (environment / "data").write_text("a file")
    monkeypatch.setenv("SHOWME_DEFAULT_LIBRARY", str(environment / "missing.sf2"))
    monkeypatch.setenv("SHOWME_PORT", "0")
    lines = run("doctor", code=1).splitlines()
    assert lines[-1] == "2 of these would stop the service"
    (folder,) = (line for line in lines if line.startswith("wrong  data folder"))
    assert f"{environment / 'data'} is not a folder" in folder
    (library,) = (line for line in lines if line.startswith("wrong  default library"))
    assert "missing.sf2" in library
    assert all(line.split()[0] in ("right", "note", "wrong", "→", "2") for line in lines)
    monkeypatch.setenv("SHOWME_PORT", "99999")
    monkeypatch.setenv("SHOWME_DEVICE", "tpu")
    faults = json.loads(run("doctor", "--json", code=1))["findings"]
    assert [finding["message"].split(":")[0] for finding in faults] == [
        "SHOWME_DEVICE=tpu",
        "SHOWME_PORT=99999",
    ]


def test_a_missing_package_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "faiss.py").write_text("raise ImportError('no FAISS here')")
    command = [sys.executable, "-c", "from app.cli import app; app()", "doctor"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert (told.returncode, told.stderr) == (1, "")
    assert "does not load: ImportError: no FAISS here" in told.stdout


def test_a_data_folder_is_read_and_not_changed(data_dir: Path, weights: Path) -> None:
    findings = list(check_database(settings_for(data_dir, weights_dir=weights)))
    assert [finding.check for finding in findings] == ["database", "libraries", "clock"]
    assert [finding.state for finding in findings] == ["right", "note", "right"]
    assert "4 of 4 instruments of 'One' are embedded with another encoder" in findings[1].message
    assert "next start" in findings[1].advice
    asked = settings_for(data_dir, weights_dir=weights, update_libraries=False)
    assert "reembed" in only(check_database(asked), "libraries").advice
    assert database_of(data_dir).message == f"showme.db is sound, schema {revisions()[0]}"
    assert only(check_folder(settings_for(data_dir)), "data folder").state == "right"


def test_a_folder_in_use_and_one_of_a_killed_process(own: httpx.Client, tmp_path: Path) -> None:
    assert own.post("/v1/libraries", json={"name": "Fresh"}).status_code == 201
    assert b"Fresh" not in (tmp_path / "showme.db").read_bytes()  # it is in the journal alone
    assert database_of(tmp_path).state == "right"
    killed = tmp_path / "killed"
    killed.mkdir()
    for path in tmp_path.glob("showme.db*"):
        shutil.copy2(path, killed)
    assert database_of(killed).state == "right"
    for folder in (tmp_path, killed):
        libraries = inspect_database(folder / "showme.db", "sha256:another").libraries
        assert libraries == (FoundLibrary("One", 4, 4), FoundLibrary("Fresh", 0, 0))
    (killed / "showme.db-shm").unlink()
    note = database_of(killed)
    assert (note.state, note.message.split()[0]) == ("note", "showme.db-wal")
    assert not (killed / "showme.db-shm").exists()


def test_databases_that_are_none(tmp_path: Path) -> None:
    database = tmp_path / "showme.db"
    assert database_of(tmp_path).state == "right"
    database.touch()
    assert database_of(tmp_path).state == "right"
    database.write_bytes(b"words, not a database" * 99)
    assert database_of(tmp_path)[1:3] == ("wrong", "showme.db cannot be read: file is not a database")
    database.unlink()
    change(tmp_path, "CREATE TABLE song (name TEXT)")
    assert "another program" in database_of(tmp_path).message


def test_older_newer_and_damaged_databases(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "showme.db")) as database:
        database.executescript(DUMP.read_text())
    note = database_of(tmp_path)
    assert (note.state, note.message.split()[-3:]) == ("note", ["0004", "to", revisions()[0]])
    settings = settings_for(tmp_path)
    assert "3 of 3 instruments of 'Tones'" in only(check_database(settings), "libraries").message
    change(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    newer = database_of(tmp_path)
    assert newer.state == "wrong"
    assert "9999" in newer.message
    assert revisions()[0] in newer.message
    content = (tmp_path / "showme.db").read_bytes()
    (tmp_path / "showme.db").write_bytes(content[:-8192] + bytes(8192))
    damaged = database_of(tmp_path)
    assert (damaged.state, "backup" in damaged.advice) == ("wrong", True)


def test_a_clock_before_what_is_stored(data_dir: Path) -> None:
    preview = next((data_dir / "previews").iterdir())
    os.utime(preview, (4_102_444_800, 4_102_444_800))  # the year 2100
    found = only(check_database(settings_for(data_dir)), "clock")
    assert (found.state, "file of the data folder is of 2100-01-01" in found.message) == ("wrong", True)
    change(data_dir, "UPDATE instrument SET created_at = '2999-12-31 00:00:00.000000'")
    found = only(check_database(settings_for(data_dir)), "clock")
    assert (found.state, "row of the database is of 2999-12-31" in found.message) == ("wrong", True)


def test_a_folder_without_rights_or_room(tmp_path: Path) -> None:
    with read_only(tmp_path):
        for folder in (tmp_path, tmp_path / "new" / "data"):
            found = only(check_folder(settings_for(folder)), "data folder")
            assert (found.state, f"{tmp_path} cannot be written" in found.message) == ("wrong", True)
    assert only(check_folder(settings_for(tmp_path)), "data folder").state == "right"
    found = only(check_room(settings_for(tmp_path / "new", min_free_bytes=1 << 60)), "disk")
    assert (found.state, str(1 << 60) in found.message) == ("wrong", True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write in `folder` away, from the superuser too."""
    if os.geteuid():
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    try:
        subprocess.run(["mount", "--bind", folder, folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user cannot make a folder read-only")
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    yield
    subprocess.run(["umount", folder], check=True)


def test_weights_that_are_missing_or_do_not_belong_together(tmp_path: Path, weights: Path) -> None:
    def wrong(folder: Path) -> str:
        checked = run_check("weights", settings_for(tmp_path, weights_dir=folder))
        assert checked.state == "wrong"
        return checked.message

    assert "single.safetensors" in wrong(tmp_path / "nowhere")
    other = write_weights(tmp_path / "other")
    shutil.copy(weights / "single.safetensors", other)
    assert "was trained against" in wrong(other)
    (other / "single.safetensors").write_bytes(b"damaged")
    assert "not a readable checkpoint" in wrong(other)


def run_check(name: str, settings: Settings) -> Finding:
    """Run one check as the examination of everything does, and return its first finding."""
    return next(finding for finding in examine(settings) if finding.check == name)


def test_a_device_that_is_not_there(tmp_path: Path, weights: Path) -> None:
    settings = settings_for(tmp_path, device="cuda", weights_dir=weights)
    found = next(check_device(settings))
    if found.state == "right":
        pytest.skip("this machine has a GPU")
    assert (found.state, "SHOWME_DEVICE=cuda" in found.message) == ("wrong", True)
    assert next(check_weights(settings)).state == "right"  # tried on the CPU, so that one fault is told once


def test_ports(tmp_path: Path, pair: EncoderPair) -> None:
    def port(number: int, host: str = "127.0.0.1") -> Finding:
        return only(check_port(Settings(data_dir=tmp_path, host=host, port=number)), "port")

    assert port(free_port()).state == port(0, "0.0.0.0").state == "right"
    assert port(8000, "203.0.113.9").state == "wrong"
    with running(tmp_path, pair) as client:
        found = port(client.base_url.port or 0)
        assert (found.state, "is ready" in found.message) == ("right", True)
    with running(tmp_path, pair, min_free_bytes=1 << 60) as client:
        found = port(client.base_url.port or 0)
        assert (found.state, "SHOWME_MIN_FREE_BYTES" in found.message) == ("note", True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=lambda: other.accept()[0].close()).start()
        found = port(other.getsockname()[1])
        assert (found.state, "another program" in found.message) == ("wrong", True)


def test_few_open_files_are_a_note(tmp_path: Path) -> None:
    (found,) = check_files(settings_for(tmp_path, max_connections=10**9))
    assert (found.state, str(10**9) in found.message) == ("note", True)


def test_a_check_that_fails_is_a_line(weights: Path) -> None:
    found = run_check("data folder", settings_for(Path("a" * 300), weights_dir=weights))
    assert found.state == "wrong"
    assert "it cannot be checked: OSError: [Errno 36] File name too long" in found.message
