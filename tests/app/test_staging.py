"""Uploads before their enrollment are refused before unpacking, limited in sum, and swept when left over."""

import os
import time
from pathlib import Path

import pytest

from app.query_store import QueryStore
from index.catalog import Catalog, Query
from models.encoder_pair import EncoderPair
from tests.app.serving import SteppedPair, enrolled, finished_job, problem, running, until
from tests.app.sounds import audio, tone, zipped
from tests.app.test_enrollment import FILES, send
from tests.index.tiny_soundfont import PATCHES, soundfont_bytes

DAYS_AGO = time.time() - 2 * 24 * 3600


def left_over(path: Path) -> Path:
    """Make a folder that a killed process has left two days ago."""
    path.mkdir()
    os.utime(path, (DAYS_AGO, DAYS_AGO))
    return path


def test_a_full_queue_refuses_an_upload_before_looking_into_it(tmp_path: Path, stepped: SteppedPair) -> None:
    with running(tmp_path, stepped, max_waiting_jobs=1) as client:
        client.post("/v1/libraries", json={"name": "L"})
        first = send(client, "L", *FILES).json()
        broken = ("broken.zip", b"no zip at all")
        assert problem(send(client, "L", broken), 503, "busy")["limit"] == 1
        stepped.allowed.set()
        assert finished_job(client, first)["state"] == "done"
        problem(send(client, "L", broken), 422, "source")
        assert finished_job(client, send(client, "L", FILES[0]).json())["state"] == "done"


def test_all_waiting_uploads_share_a_limit_of_bytes(tmp_path: Path, stepped: SteppedPair) -> None:
    sound = audio(tone(110.0))
    limit = 5 * len(sound) // 2
    with running(tmp_path, stepped, max_staged_bytes=limit) as client:
        client.post("/v1/libraries", json={"name": "L"})
        jobs = [send(client, "L", ("a.wav", sound)).json() for _ in range(2)]
        refused = send(client, "L", ("b.wav", sound))
        body = problem(refused, 503, "busy")
        assert body["limit"] == limit < body["value"]
        assert int(refused.headers["retry-after"]) >= 1
        bomb = zipped({f"{number}/a.wav": sound for number in range(2)})
        problem(send(client, "L", ("bomb.zip", bomb)), 503, "busy")  # small, but not unpacked
        assert len(list((tmp_path / "uploads").iterdir())) == 2
        stepped.allowed.set()
        for job in jobs:
            assert finished_job(client, job)["state"] == "done"
        assert finished_job(client, send(client, "L", ("bomb.zip", bomb)).json())["state"] == "done"


def test_a_soundfont_has_a_limit_of_presets(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, max_presets=len(PATCHES) - 1) as client:
        client.post("/v1/libraries", json={"name": "L"})
        body = problem(send(client, "L", ("many.sf2", soundfont_bytes())), 413, "audio-too-large")
        assert (body["value"], body["limit"]) == (len(PATCHES), len(PATCHES) - 1)
        assert list((tmp_path / "uploads").iterdir()) == []
        assert enrolled(client, "L", ("few.sf2", soundfont_bytes(PATCHES[:2])))["state"] == "done"


def test_leftovers_are_swept_while_the_service_runs(
    tmp_path: Path, stepped: SteppedPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.SWEEP_SECONDS", 0.05)
    with running(tmp_path, stepped) as client:
        client.post("/v1/libraries", json={"name": "L"})
        job = send(client, "L", *FILES).json()
        (waiting,) = (tmp_path / "uploads").iterdir()
        os.utime(waiting, (DAYS_AGO, DAYS_AGO))  # it waits for days, behind a long job
        gone = [left_over(tmp_path / "tmp" / "enroll-x"), left_over(tmp_path / "uploads" / "u_000000000000")]
        until(lambda: not any(path.exists() for path in gone))
        assert waiting.is_dir()
        stepped.allowed.set()
        assert finished_job(client, job)["message"] == "2 added"


def test_old_deletions_are_purged_while_the_service_runs(
    tmp_path: Path, pair: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main.SWEEP_SECONDS", 0.05)
    with running(tmp_path, pair, undo_seconds=0.5) as client:
        client.post("/v1/libraries", json={"name": "L"})
        enrolled(client, "L", *FILES)
        assert client.delete("/v1/libraries/L").status_code == 204
        until(lambda: not list((tmp_path / "previews").iterdir()))
        until(lambda: not list((tmp_path / "uploads").iterdir()))


@pytest.mark.parametrize(("num_rows", "is_removed"), [(0, False), (3, True)])
def test_audio_without_a_row_is_removed_unless_the_database_was_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_rows: int, is_removed: bool
) -> None:
    monkeypatch.setattr("app.query_store.LEFTOVER_SECONDS", -1.0)  # old enough at once
    catalog = Catalog(tmp_path / "showme.db")
    catalog.migrate()
    store = QueryStore(catalog, tmp_path / "queries", 9)
    with catalog.write() as session:
        session.add_all(
            Query(file_name="a.wav", audio=f"{number}.wav", result={}) for number in range(num_rows)
        )
    for name in (*map(str, range(num_rows)), "stray"):
        (tmp_path / "queries" / f"{name}.wav").touch()
    store.sweep()
    assert (tmp_path / "queries" / "stray.wav").exists() is not is_removed
    assert len(list((tmp_path / "queries").iterdir())) == num_rows + (not is_removed)
    catalog.close()
