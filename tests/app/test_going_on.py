"""Enrollments that are cut off keep what they have stored, go on where they stopped, or are taken out again."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.engine import Engine
from models.encoder_pair import EncoderPair
from models.errors import StorageFull
from tests.app.commands import run
from tests.app.serving import finished_job, problem, running, settings_for, until
from tests.app.sounds import audio, tone
from tests.app.test_enrollment import names, send
from tests.app.test_updates import GatedUpdatePair, newer
from tests.index.conftest import write_tone
from tests.index.tiny_soundfont import PATCHES, write_soundfont

NAMES = ["a", "b", "c", "d"]
FILES = tuple((f"{name}.wav", audio(tone(110.0 * number))) for number, name in enumerate(NAMES, 1))
LEASE = {"job_lease_seconds": 0.5}


@pytest.fixture(autouse=True)
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches hold one instrument, as long enrollments have many batches."""
    monkeypatch.setattr("index.enrollment.batches.BATCH_INSTRUMENTS", 1)


@pytest.fixture
def gated() -> GatedUpdatePair:
    """Encoders that embed two instruments, and wait for permits for more."""
    return newer(permits=2)


def half_stored(client: httpx.Client) -> dict[str, Any]:
    """Send four files, and return their job when two of them are stored."""
    client.post("/v1/libraries", json={"name": "L"})
    job: dict[str, Any] = send(client, "L", *FILES).json()
    until(lambda: names(client, "L") == NAMES[:2])
    return job


def stop_soon(gated: GatedUpdatePair) -> None:
    """Let the instrument that is waited for be embedded, after the service was asked to stop."""
    threading.Timer(0.3, gated.permits.release).start()


def test_a_stopped_service_goes_on_with_its_enrollments(tmp_path: Path, gated: GatedUpdatePair) -> None:
    with running(tmp_path, gated) as client:
        job = half_stored(client)
        waiting = send(client, "L", ("e.wav", FILES[0][1])).json()
        stop_soon(gated)
    gated.permits.release(9)
    with running(tmp_path, gated) as client:
        after = finished_job(client, job)
        assert (after["state"], after["message"]) == ("done", "4 added")
        assert (after["done"], after["total"], after["kept"]) == (4, 4, 4)
        assert finished_job(client, waiting)["message"] == "1 added"
        assert names(client, "L") == [*NAMES, "e"]
        assert gated.embedded <= 6  # of five: the one that was cut off is embedded again


@pytest.mark.parametrize("keep_uploads", [True, False])
def test_a_killed_service_goes_on_with_its_enrollment(
    tmp_path: Path, gated: GatedUpdatePair, keep_uploads: bool
) -> None:
    killed, options = tmp_path / "killed", {"keep_uploads": keep_uploads, **LEASE}
    with running(tmp_path / "data", gated, **options) as client:
        job = half_stored(client)
        shutil.copytree(tmp_path / "data", killed)
        gated.permits.release(9)
        assert finished_job(client, job)["state"] == "done"
    with running(killed, gated, **options) as client:
        assert finished_job(client, job)["message"] == "4 added"
        assert names(client, "L") == NAMES
        assert client.get("/v1/libraries/L").json()["filling"] is False
        assert bool(list((killed / "uploads").iterdir())) == keep_uploads
    assert run_verify(killed, gated) == []


def run_verify(folder: Path, pair: EncoderPair) -> list[str]:
    with Engine(settings_for(folder), pair) as engine:
        return engine.index.verify()


def test_another_process_takes_an_enrollment_over_and_goes_on(tmp_path: Path, gated: GatedUpdatePair) -> None:
    """The first service stands still; what it embeds then is not stored."""
    with running(tmp_path, gated, **LEASE) as first:
        job = half_stored(first)
        assert first.get("/v1/libraries/L").json()["filling"] is True
        with running(tmp_path, newer(permits=9), job_lease_seconds=1.0) as second:
            expire(tmp_path)
            until(lambda: second.get(f"/v1/jobs/{job['id']}").json()["state"] != "running")
            gated.permits.release(9)
            until(lambda: second.get(f"/v1/jobs/{job['id']}").json()["state"] in ("done", "failed"))
            assert second.get(f"/v1/jobs/{job['id']}").json()["message"] == "4 added"
            assert names(second, "L") == NAMES


def expire(folder: Path) -> None:
    """Leave the jobs to whoever takes them over first."""
    import sqlite3

    with sqlite3.connect(folder / "showme.db") as database:
        database.execute("UPDATE job SET owner = NULL, leased_until = NULL")
    database.close()


def test_the_update_to_another_encoder_comes_first(
    tmp_path: Path, pair: EncoderPair, gated: GatedUpdatePair
) -> None:
    with running(tmp_path, gated) as client:
        job = half_stored(client)
        stop_soon(gated)
    with running(tmp_path, pair) as client:
        assert finished_job(client, job)["message"] == "4 added"
        library = client.get("/v1/libraries/L").json()
        assert (library["num_instruments"], library["num_stale"], library["state"]) == (4, 0, "ready")


def test_a_cancelled_enrollment_says_what_it_keeps_and_is_taken_out(
    tmp_path: Path, gated: GatedUpdatePair
) -> None:
    with running(tmp_path, gated) as client:
        job = half_stored(client)
        path = f"/v1/jobs/{job['id']}"
        problem(client.delete(f"{path}/instruments"), 409, "job-conflict")
        client.delete(path)
        gated.permits.release(9)
        after = finished_job(client, job)
        kept = after["kept"]
        assert (after["state"], kept) in (
            ("cancelled", 2),
            ("cancelled", 3),
        )  # the one that was waited for is whole
        assert after["message"] == f"cancelled; {kept} of 4 instruments are kept"
        assert names(client, "L") == NAMES[:kept]
        taken = client.delete(f"{path}/instruments").json()
        assert (taken["kept"], taken["message"]) == (0, f"{after['message']}; they were taken out")
        assert names(client, "L") == []
        assert client.post(f"{path}/instruments/restore").json() == after
        assert names(client, "L") == NAMES[:kept]
        assert client.post(f"{path}/instruments/restore").json() == after  # nothing more to do
        problem(client.delete("/v1/jobs/j_000000000000/instruments"), 404, "job-not-found")
        problem(client.post("/v1/jobs/j_000000000000/instruments/restore"), 404, "job-not-found")


def test_a_failed_enrollment_says_what_it_keeps(
    tmp_path: Path, gated: GatedUpdatePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, gated) as client:
        job = half_stored(client)
        monkeypatch.setattr("index.enrollment.batches.write_mp3", failing(StorageFull("the disk is full")))
        gated.permits.release(9)
        after = finished_job(client, job)
        assert (after["state"], after["kept"]) == ("failed", 2)
        assert after["message"] == "the disk is full; 2 of 4 instruments are kept"
        assert client.delete(f"/v1/jobs/{job['id']}/instruments").json()["kept"] == 0


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_job_whose_source_is_gone_says_what_it_keeps(tmp_path: Path, gated: GatedUpdatePair) -> None:
    with running(tmp_path, gated) as client:
        job = half_stored(client)
        stop_soon(gated)
    for upload in (tmp_path / "uploads").iterdir():
        shutil.rmtree(upload)
    with running(tmp_path, gated) as client:
        after = finished_job(client, job)
        assert after["state"] == "failed"
        assert after["message"].startswith("its source is not there any more; ")
        assert after["message"].endswith("of 4 instruments are kept")


def test_the_terminal_goes_on_with_the_same_command_and_takes_out(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SHOWME_WEIGHTS_DIR", str(weights))
    monkeypatch.setenv("SHOWME_DEFAULT_LIBRARY", "none")
    for number, name in enumerate(NAMES, 1):
        write_tone(tmp_path / "samples" / f"{name}.wav", 110.0 * number)
    command = ("index", "add", tmp_path / "samples", "--library", "L")
    told = interrupted(command, after=2, monkeypatch=monkeypatch)
    assert "stopped; 2 of 4 instruments are kept" in told
    assert "2 instruments added to L" in run(*command)
    assert "4 instruments added to L" in run(*command)  # the job was done: these are others
    told = interrupted(command, after=1, monkeypatch=monkeypatch)
    job = told.split("take-out ")[1].split()[0]
    assert "1 instruments removed" in run("index", "take-out", job)
    assert "1 instruments are restored" in run("index", "restore", job)
    assert "no faults found" in run("index", "verify")
    told = run("index", "take-out", "j_000000000000", code=2)
    assert "no job" in told


def interrupted(command: tuple[str | Path, ...], after: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the command until so many instruments are stored, and press Ctrl-C."""
    kept: list[object] = []
    embed = EncoderPair.embed

    def counted(self: EncoderPair, clips: Any) -> Any:
        kept.append(clips)
        if len(kept) > after:
            raise KeyboardInterrupt
        return embed(self, clips)

    with monkeypatch.context() as patched:
        patched.setattr(EncoderPair, "embed", counted)
        return run(*command, code=130)


def test_the_default_library_is_filled_to_its_end(tmp_path: Path, gated: GatedUpdatePair) -> None:
    """By whoever needs it next, after a failure too."""
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:4])
    settings = settings_for(tmp_path / "data", default_library=str(font))
    with Engine(settings, gated) as engine, pytest.raises(KeyboardInterrupt):
        engine.fill_default(stopping_at(4))
    with Engine(settings, gated) as engine:
        (library,) = engine.libraries()
        assert 0 < library.num_instruments < 4
        gated.permits.release(9)
    with running(tmp_path / "data", gated, default_library=str(font)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/v1/libraries/Studio").json()["num_instruments"] == 4


def stopping_at(step: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, name: str) -> None:
        if done == step - 1:
            raise KeyboardInterrupt

    return progress
