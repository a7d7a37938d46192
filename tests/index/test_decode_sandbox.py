"""Attacks on the walls around decoding: what a worker may do, and what it may say, once a file has taken it over."""

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from index.decoding.channel import BYTES, JSON, MAX_JSON, SAMPLES, Channel, ChannelTimeout, ProtocolError
from index.decoding.workers import DecodeWorkers

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc, seccomp and Landlock are Linux's")


@LINUX
def test_a_worker_has_no_torch_no_second_thread_and_none_of_our_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOWME_DATABASE_PASSWORD", "secret")
    with closing(DecodeWorkers()) as own:
        assert {"AS", "CORE", "FSIZE", "NOFILE"} < set(own.held())
        process = Path(f"/proc/{own.pids[0]}")
        assert "torch" not in (process / "maps").read_text()
        assert "Threads:\t1\n" in (process / "status").read_text()
        assert b"secret" not in (process / "environ").read_bytes()


SANDBOXED = """
import os, socket, subprocess, sys
from pathlib import Path
from index.decoding import sandbox
held = sandbox.refuse_system_calls()
if "landlock" in sys.argv:
    held += sandbox.read_only_below([Path(sys.argv[1]), Path(sys.prefix), Path("/usr"), Path("/lib")])
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
inside, outside = Path(sys.argv[1]) / "a", Path(sys.argv[2])
assert inside.read_text() == "in"
print(" ".join(held), *(name for name, action in {
    "network": lambda: socket.socket(),
    "write": lambda: outside.write_text("x"),
    "create": lambda: (Path(sys.argv[1]) / "new").write_text("x"),
    "delete": lambda: inside.unlink(),
    "rename": lambda: inside.rename(outside),
    "folder": lambda: (Path(sys.argv[1]) / "new").mkdir(),
    "chmod": lambda: inside.chmod(0o777),
    "run": lambda: subprocess.run(["/bin/true"]),
    "fork": os.fork,
    "kill": lambda: os.kill(os.getppid(), 0),
    "read": outside.read_text,
}.items() if refused(action)))
"""
RIGHTS = {"network", "write", "create", "delete", "rename", "folder", "chmod", "run", "fork", "kill"}


@LINUX
@pytest.mark.parametrize("part", ["seccomp", "landlock"])
def test_the_sandbox_refuses_what_it_says(tmp_path: Path, part: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a").write_text("in")
    (tmp_path / "out").write_text("out")
    command = [sys.executable, "-B", "-c", SANDBOXED, str(tmp_path / "in"), str(tmp_path / "out"), part]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    told = set(ran.stdout.split())
    if part not in told:
        pytest.skip(f"{part} is not to be had here")
    assert told >= (RIGHTS | {"read"} if part == "landlock" else RIGHTS)
    assert (tmp_path / "out").read_text() == "out"
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["a"]


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, its = socket.socketpair()
    channel = Channel(ours)
    channel.deadline = time.monotonic() + 5
    yield channel, its
    channel.close()
    its.close()


def block(kind: int, content: bytes, size: int | None = None) -> bytes:
    return struct.pack(">BI", kind, len(content) if size is None else size) + content


@pytest.mark.parametrize(
    "sent",
    [
        block(JSON, b"", MAX_JSON + 1),
        block(JSON, b"[" * 100_000),
        block(JSON, b"[1]"),
        block(JSON, b"\xff\xfe"),
        block(SAMPLES, b"{}"),
        block(77, b"{}"),
    ],
)
def test_messages_that_lie(ends: tuple[Channel, socket.socket], sent: bytes) -> None:
    channel, its = ends
    its.sendall(sent)
    with pytest.raises(ProtocolError):
        channel.receive()


@pytest.mark.parametrize("shape", [(), (0, 5), (-1, 5), (2**20, 2**20), (2, 2, 2), ("2",), (2.0,)])
def test_arrays_of_no_shape(ends: tuple[Channel, socket.socket], shape: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolError):
        ends[0].receive_array(shape)


@pytest.mark.parametrize("content", [bytes(12), struct.pack("2f", 1.0, float("nan"))])
def test_arrays_that_lie(ends: tuple[Channel, socket.socket], content: bytes) -> None:
    channel, its = ends
    its.sendall(block(BYTES, content))
    with pytest.raises(ProtocolError):
        channel.receive_array((2,))


def test_drips_do_not_move_the_deadline(ends: tuple[Channel, socket.socket]) -> None:
    channel, its = ends
    channel.deadline = time.monotonic() + 0.2
    its.sendall(block(JSON, json.dumps({"a": 1}).encode())[:-1])
    with pytest.raises(ChannelTimeout):
        channel.receive()
