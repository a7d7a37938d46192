"""The command `showme`, run as users run it: its output, its exit codes, and no tracebacks for user errors."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
import typer

import app.cli
from tests.app.commands import assert_one_line, run
from tests.app.serving import until
from tests.app.sounds import TONES, audio


class Served(NamedTuple):
    """`showme serve` in a process of its own."""

    data_dir: Path
    address: str
    process: subprocess.Popen[str]


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Iterator[Served]:
    """A service that starts, for some seconds, while the other tests run; the last test queries it."""
    data_dir, port = tmp_path_factory.mktemp("served"), free_port()
    command = [sys.executable, "-c", "from app.cli import app; app()", "serve", "--port", str(port)]
    values = {"DATA_DIR": data_dir, "WEIGHTS_DIR": weights, "DEVICE": "cpu", "DEFAULT_LIBRARY": "none"}
    values["LOG_FORMAT"] = "json"
    environment = os.environ | {f"SHOWME_{name}": str(value) for name, value in values.items()}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Served(data_dir, f"http://127.0.0.1:{port}", process)
        finally:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_add_list_query_verify_rebuild_remove(folder: Path, song: Path) -> None:
    assert "4 instruments added to Mine" in run("index", "add", folder, "--library", "Mine")
    assert "Mine" in run("index", "list")
    listed = run("index", "list", "Mine")
    assert all(name in listed for name in TONES)
    table = run("query", song, "--top-k", "2", "--mode", "paper")
    assert "song [v2].wav" in table
    assert any(name in table for name in TONES)
    assert "no faults found" in run("index", "verify")
    assert "4 vectors written" in run("index", "rebuild", "Mine")
    removed = run("index", "remove", "Mine", "--instrument", "Low Bass")
    assert "removed Low Bass" in removed
    assert "Low Bass" not in run("index", "list", "Mine")
    assert "Low Bass is restored" in run("index", "restore", removed.split()[-1])
    assert "Low Bass is now called Sub" in run("index", "rename", "Mine", "Sub", "--instrument", "Low Bass")
    assert "Mine is now called Yours" in run("index", "rename", "Mine", "Yours")
    assert "Sub" in run("index", "list", "Yours")
    removed = run("index", "remove", "Yours", "--yes")
    assert "removed Yours" in removed
    assert "Yours" not in run("index", "list")
    assert "Yours is restored" in run("index", "restore", removed.split()[-1])
    assert len(json.loads(run("query", song, "--json", "--mode", "paper"))["slots"][0]["hits"]) == 4


def test_default_library_is_filled_by_the_first_query(
    folder: Path, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWME_DEFAULT_LIBRARY", str(folder))
    assert "samples (4)" in run("query", song)
    assert "samples" in run("index", "list")


def test_verify_lists_faults(folder: Path, environment: Path) -> None:
    run("index", "add", folder, "--library", "Mine")
    assert "no faults found" in run("index", "verify")
    next((environment / "data" / "previews").iterdir()).unlink()
    assert "preview" in run("index", "verify", code=1)
    run("index", "add", folder, "--library", "Other")
    for path in (environment / "data" / "vectors").iterdir():
        path.write_bytes(b"damaged")
    assert run("index", "verify", code=1).count("vector") >= 2
    run("index", "rebuild")
    assert "vector" not in run("index", "verify", code=1)
    assert "no faults found" in run("index", "verify", "Other")
    database = environment / "data" / "showme.db"
    content = database.read_bytes()
    for whole in (len(content) // 2, 4096):
        database.write_bytes(content[:whole] + b"\xa5" * (len(content) - whole))
        assert "database" in run("index", "verify", code=1)
    assert_one_line(run("index", "list", code=2))


def test_mistakes_are_one_line(
    environment: Path, song: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = environment / "words.txt"
    text.write_text("words")
    silence = environment / "silence.wav"
    silence.write_bytes(audio(np.zeros(16_000, np.float32)))
    monkeypatch.setenv("SHOWME_DEFAULT_LIBRARY", str(text))
    assert_one_line(run("query", song, code=2))
    assert_one_line(run("serve", "--port", "0", code=2))
    monkeypatch.setenv("SHOWME_DEFAULT_LIBRARY", "none")
    mistakes: list[list[str | Path]] = [
        ["query", environment / "missing.wav"],
        ["query", environment],
        ["query", song],
        ["query", song, "--library", "nowhere"],
        ["index", "add", environment / "missing", "--library", "Mine"],
        ["index", "add", text, "--library", "Mine"],
        ["index", "add", silence, "--library", "Mine"],
        ["index", "remove", "nowhere", "--yes"],
        ["index", "list", "nowhere"],
        ["index", "verify", "nowhere"],
        ["index", "rebuild", "nowhere"],
        ["index", "rename", "nowhere", "Name"],
        ["index", "restore", "l_000000000000"],
        ["index", "restore", "i_000000000000"],
    ]
    for arguments in mistakes:
        assert_one_line(run(*arguments, code=2))
    assert "Mine" not in run("index", "list")
    run("index", "add", folder, "--library", "Mine")
    for options in (
        ["--top-k", "0"],
        ["--top-k", "101"],
        ["--mode", "x"],
        ["--family", "kazoo"],
        ["--start", "9"],
    ):
        assert_one_line(run("query", song, *options, code=2))
    assert_one_line(run("query", song, "--start", "2", "--end", "1", code=2))
    assert_one_line(run("query", text, code=2))
    assert_one_line(run("query", silence, code=2))
    assert_one_line(run("index", "remove", "Mine", "--instrument", "Kazoo", code=2))
    assert list((environment / "data" / "queries").iterdir()) == []


def test_bad_settings_are_one_line(environment: Path, song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOWME_MAX_TOP_K", "none")
    assert_one_line(run("query", song, code=2))
    monkeypatch.setenv("SHOWME_MAX_TOP_K", "10")
    monkeypatch.setenv("SHOWME_WEIGHTS_DIR", str(environment))
    assert_one_line(run("query", song, code=2))


def test_every_command_has_help() -> None:
    def check(command: Any, path: list[str]) -> None:
        assert command.help, path
        for name, child in getattr(command, "commands", {}).items():
            check(child, [*path, name])

    check(typer.main.get_command(app.cli.app), ["showme"])
    commands = getattr(typer.main.get_command(app.cli.app), "commands", {})
    assert set(commands) == {
        "serve",
        "doctor",
        "query",
        "recognise",
        "watch",
        "backup",
        "restore",
        "keys",
        "audit",
        "database",
        "index",
        "mcp",
        "evaluate",
        "train",
        "data",
    }


def test_evaluate_forwards_its_arguments() -> None:
    assert "evaluate" in run("--help")
    assert "--help" in run("evaluate", "--help")
    run("evaluate", "--no-such-option", code=2)


def test_data_forwards_its_arguments() -> None:
    assert "render" in run("data", "--help")
    run("data", "verify", "no-such-folder", code=2)
    run("data", "no-such-command", code=2)


def test_train_forwards_its_arguments() -> None:
    assert "solo" in run("train", "--help")
    assert "--bank" in run("train", "solo", "--help")
    assert "hsf-5-estimated" in run("train", "frame-level", "--help")
    run("train", "no-such-recogniser", code=2)


def test_json_is_the_services_document(
    served: Served, folder: Path, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWME_DATA_DIR", str(served.data_dir))
    run("index", "add", folder, "--library", "Mine")
    document = json.loads(run("query", song, "--json", "--start", "1", "--end", "2.5", "--family", "flute"))
    assert document["range_seconds"] == [1.0, 2.5]
    assert {hit["family"] for slot in document["slots"] for hit in slot["hits"]} == {"flute"}
    wait_for(served)
    assert httpx.get(f"{served.address}/v1/queries/{document['id']}").json() == document
    fields: dict[str, Any] = {"start_seconds": 1, "end_seconds": 2.5, "family": "flute"}
    files = {"file": (song.name, song.read_bytes())}
    answer = httpx.post(f"{served.address}/v1/queries", files=files, data=fields)
    assert answer.json()["slots"] == document["slots"]
    assert answer.json().keys() == document.keys()
    silent = {"files": (f"{song.name} silent.wav", audio(np.zeros(16_000, np.float32)))}
    job = httpx.post(f"{served.address}/v1/libraries/Mine/instruments", files=silent).json()
    until(lambda: httpx.get(f"{served.address}/v1/jobs/{job['id']}").json()["state"] == "failed")
    served.process.terminate()
    log = served.process.communicate(timeout=30)[1]
    assert served.process.returncode in (0, -signal.SIGTERM), log
    assert "Traceback" not in log
    assert song.stem not in log
    lines = [json.loads(line) for line in log.splitlines()]
    asked = next(line for line in lines if line.get("route") == "/v1/queries")
    assert (asked["method"], asked["status"], asked["request_id"]) == (
        *("POST", 200),
        answer.headers["x-request-id"],
    )
    assert any(job["id"] in line["message"] for line in lines)


def wait_for(served: Served) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert served.process.poll() is None, served.process.communicate()[1]
        assert time.monotonic() < deadline
        try:
            assert httpx.get(f"{served.address}/readyz").status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.1)
