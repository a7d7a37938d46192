"""`showme watch`, run as users run it: a line for each change, and what it says where it cannot follow."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import update

from index.catalog import Catalog, Instrument, Library
from tests.app.commands import assert_one_line, run
from tests.app.serving import until
from tests.app.sounds import TONES, audio, tone


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of tests are complete as soon as they are there."""
    monkeypatch.setenv("SHOWME_SETTLE_SECONDS", "0.05")


def test_once_lets_the_library_be_as_the_folder_is(folder: Path) -> None:
    output = run("watch", folder, "--library", "Mine", "--once")
    assert output.splitlines() == [*(f"added {name}" for name in sorted(TONES)), "Mine has 4 instruments"]
    assert run("watch", folder, "-l", "Mine", "--once") == "Mine has 4 instruments\n"
    (folder / "Low Bass").rename(folder / "Sub")
    (folder / "Soft Flute" / "a.wav").unlink()
    (folder / "bad.wav").write_bytes(b"bad")
    removed, moved, skipped, last = run("watch", folder, "-l", "Mine", "--once").splitlines()
    assert removed.startswith("removed Soft Flute; to restore it: showme index restore i_")
    assert (moved, last) == ("moved Low Bass → Sub", "Mine has 3 instruments")
    assert skipped.startswith("skipped bad.wav: ")
    assert "Soft Flute is restored" in run("index", "restore", removed.split()[-1])


def test_what_is_followed_is_listed_and_ended(folder: Path) -> None:
    run("watch", folder, "--library", "Mine", "--once")
    listed = run("watch", "--list")
    assert all(word in listed for word in (str(folder), "Mine", "nobody now", "the same at"))
    assert "the instruments stay" in run("watch", folder, "--stop")
    assert str(folder) not in run("watch", "--list")
    assert_one_line(run("watch", folder, "--stop", code=2))
    assert "4" in run("index", "list")


def test_what_cannot_be_followed_is_said_in_one_line(folder: Path) -> None:
    for arguments in (
        ["watch"],
        ["watch", folder],
        ["watch", folder / "none", "-l", "L", "--once"],
        ["watch", folder / "Low Bass" / "a.wav", "-l", "L", "--once"],
    ):
        assert_one_line(run(*arguments, code=2))
    run("watch", folder, "-l", "L", "--once")
    folder.rename(folder.parent / "away")
    folder.mkdir()
    output = run("watch", folder, "-l", "L", "--once", code=2)
    assert output.splitlines()[-1].startswith("showme: the folder")
    assert "4" in run("index", "list")


def test_a_library_of_another_encoder_is_not_followed(folder: Path, environment: Path) -> None:
    run("watch", folder, "-l", "L", "--once")
    with Catalog(environment / "data" / "showme.db").write() as session:
        session.execute(update(Instrument).values(encoder_hash="sha256:other"))
        session.execute(update(Library).values(encoder_hash="sha256:other"))
    (folder / "Low Bass").rename(folder / "Sub")
    assert "showme index reembed L" in run("watch", folder, "-l", "L", "--once", code=2)
    assert "Low Bass" in run("index", "list", "L")
    run("index", "reembed", "L", "--source", folder, code=1)  # what has moved is not found under its old name
    assert "moved Low Bass → Sub" in run("watch", folder, "-l", "L", "--once")


def test_it_follows_until_it_is_ended_and_leaves_the_watch_free(folder: Path) -> None:
    program = "from app.cli import app; app()"
    command = [sys.executable, "-c", program, "watch", str(folder), "-l", "Mine"]
    told = folder.parent / "told"
    with (
        told.open("w") as written,
        subprocess.Popen(command, stdout=written, stderr=written, env=os.environ) as process,
    ):
        try:
            until(lambda: told.read_text().count("added") == 4)
            assert "another process follows" in run("watch", folder, "-l", "Mine", "--once", code=2)
            (folder / "Lead").mkdir()
            (folder / "Lead" / "a.wav").write_bytes(audio(tone(700.0)))
            until(lambda: "added Lead" in told.read_text())
            (folder / "Low Bass").rename(folder / "Sub")
            until(lambda: "moved Low Bass → Sub" in told.read_text())
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 130
        finally:
            process.kill()
    assert "Traceback" not in told.read_text()
    assert run("watch", folder, "-l", "Mine", "--once") == "Mine has 5 instruments\n"
