"""A run stopped by a signal or a full disk reports it, and resumes to the same bytes."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models.errors import TrainingError
from tests.training.nlakh.tiny_sets import CLIPS, arguments, contents
from training.bank import Bank
from training.nlakh.command import main
from training.nlakh.dataset_check import check_dataset
from training.processes import CONTEXT


def hears_ctrl_c() -> None:
    """In a child process: restore the handling of Ctrl-C, which background processes may ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_command(command: list[str], said: Path) -> None:
    """In a child process: run the command with standard error in the file `said`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with said.open("w") as sys.stderr:
        sys.exit(main(command))


def stopped_by(how: signal.Signals, out: Path, command: list[str]) -> tuple[int | None, str]:
    """Send the signal to a run as soon as it has finished a unit; return its exit status and standard error."""
    said = out.with_suffix(".txt")
    process = CONTEXT.Process(target=run_command, args=(command, said))
    process.start()
    assert process.pid is not None
    deadline = time.monotonic() + 60
    while not list(out.glob(".rendering/*-0*.json")) and time.monotonic() < deadline:
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, how)
    process.join()
    return process.exitcode, said.read_text()


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_stopped_run_carries_on_to_the_same_bytes(
    how: signal.Signals, code: int, single: Path, notes: Path, midi: Path, tmp_path: Path
) -> None:
    for attempt in range(5):  # a run that ends before the signal reaches it proves nothing
        out = tmp_path / f"stopped {attempt}"
        command = arguments(notes, midi, out, "single", "--clips", str(CLIPS))
        ended, told = stopped_by(how, out, command)
        if ended != 0:
            break
    assert ended == code
    assert how != signal.SIGINT or "the same command carries on" in told
    assert [what for what, _ in check_dataset(out)] == ["dataset.json"]
    with pytest.raises(TrainingError, match="to its end"):
        Bank.open(out)
    assert main(command) == 0
    assert contents(out) == contents(single)


def test_a_full_disk_is_said_and_loses_nothing(
    single: Path, notes: Path, midi: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file size limit simulates a full disk: shards do not fit, instrument plans do."""
    command = arguments(
        notes, midi, tmp_path / "full", "single", "--clips", str(CLIPS), "--layout", "compact"
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        assert main(command) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    told = " ".join(capsys.readouterr().err.split())
    assert "the disk is full" in told
    assert "the same command carries on" in told
    assert not [path for path in (tmp_path / "full").rglob("*") if "shard" in path.name]
    assert main(command) == 0
    whole, again = Bank.open(single), Bank.open(tmp_path / "full")
    np.testing.assert_array_equal(whole.rows(range(whole.num_clips)), again.rows(range(again.num_clips)))


def test_a_disk_that_is_full_before_the_first_unit_is_said_too(
    notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["render", "single", "--notes", str(notes), "--out", str(tmp_path / "full"), "--clips", "1"]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        assert main([*command, "--valid-share", "0.3"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "the disk is full; 0 units are kept" in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_stops_busy_workers_at_once(notes: Path, midi: Path, tmp_path: Path) -> None:
    """Each worker has a unit that takes a minute or more; the interrupted units leave no files."""
    out = tmp_path / "stopped"
    command = arguments(notes, midi, out, "single", "--clips", "100000", "--workers", "2")
    process = subprocess.Popen(
        [sys.executable, "-m", "training.nlakh.command", *command],
        stderr=subprocess.DEVNULL,
        preexec_fn=hears_ctrl_c,
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("*/.*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert process.wait(60) == 130
    assert time.monotonic() - begun < 20
    assert not list(out.glob("*/.*.partial"))
