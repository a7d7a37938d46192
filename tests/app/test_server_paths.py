"""Libraries that are filled from a path of the server: only below the roots, by a job, and whatever happens to the folder."""

import shutil
from pathlib import Path

import httpx
import pytest

from models.encoder_pair import EncoderPair
from tests.app.serving import SteppedPair, finished_job, problem, running
from tests.app.sounds import TONES, audio, tone


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder of four instruments below the root `shared`, beside a secret one."""
    folder = tmp_path / "shared" / "samples"
    for name, hz in TONES.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "a.wav").write_bytes(audio(tone(hz)))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "a.wav").write_bytes(audio(tone(99.0)))
    return folder


def add(client: httpx.Client, path: Path | str, library: str = "L") -> httpx.Response:
    return client.post(f"/v1/libraries/{library}/sources", json={"path": str(path)})


def test_a_folder_below_a_root_is_enrolled_by_a_job(tmp_path: Path, samples: Path, pair: EncoderPair) -> None:
    with running(tmp_path / "data", pair, source_roots=[samples.parent]) as client:
        client.post("/v1/libraries", json={"name": "L"})
        assert client.get("/v1/limits").json()["source_roots"] == [str(samples.parent)]
        job = finished_job(client, add(client, samples).json())
        assert (job["state"], job["message"]) == ("done", "4 added")
        assert list((tmp_path / "data" / "uploads").iterdir()) == []  # it is read where it is
        font = finished_job(client, add(client, samples / "Low Bass" / "a.wav").json())
        assert font["message"] == "1 added"


def test_paths_outside_the_roots_are_refused_whether_or_not_they_exist(
    tmp_path: Path, samples: Path, pair: EncoderPair
) -> None:
    root = samples.parent
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    with running(tmp_path / "data", pair, source_roots=[root]) as client:
        client.post("/v1/libraries", json={"name": "L"})
        outside = (tmp_path / "secret", root / ".." / "secret", root / "link", tmp_path / "none", "samples")
        for path in (*outside, tmp_path / "data" / "uploads", "/"):
            body = problem(add(client, path), 403, "source-forbidden")
            assert (body["value"], body["limit"]) == (str(path), str(root))
        for path in (root / "none", root / "loop"):
            problem(add(client, path), 422, "source")
        (root / "empty").mkdir()
        problem(add(client, root / "empty"), 422, "source")
        for text in ({}, {"path": "a", "upload": "b"}, {"path": "a\0b"}, {"path": ""}, {"path": "a" * 5000}):
            answer = client.post("/v1/libraries/L/sources", json=text)
            problem(answer, 422, "invalid-request")
        assert client.get("/v1/libraries/L").json()["num_instruments"] == 0


def test_without_roots_no_path_is_read(tmp_path: Path, samples: Path, pair: EncoderPair) -> None:
    with running(tmp_path / "data", pair) as client:
        client.post("/v1/libraries", json={"name": "L"})
        assert "SHOWME_SOURCE_ROOTS" in problem(add(client, samples), 403, "source-forbidden")["detail"]


def test_a_folder_that_vanishes_loses_nothing_that_was_stored(
    tmp_path: Path, samples: Path, stepped: SteppedPair
) -> None:
    with running(tmp_path / "data", stepped, source_roots=[samples.parent]) as client:
        client.post("/v1/libraries", json={"name": "L"})
        job = add(client, samples).json()
        body = problem(add(client, samples), 409, "job-conflict")  # it would be there twice
        assert body["value"] == job["id"]
        assert stepped.started.wait(60)
        shutil.move(samples, tmp_path / "away")
        stepped.allowed.set()
        ended = finished_job(client, job)
        kept = client.get("/v1/libraries/L").json()["num_instruments"]
        assert (ended["state"] == "done") == (kept > 0)
        assert len(ended["skipped"]) == 4 - kept or not kept
        problem(add(client, samples), 422, "source")
        shutil.move(tmp_path / "away", samples)
        if not kept:
            assert finished_job(client, add(client, samples).json())["message"] == "4 added"


def test_a_cancelled_job_goes_on_with_the_same_request(
    tmp_path: Path, samples: Path, stepped: SteppedPair
) -> None:
    with running(tmp_path / "data", stepped, source_roots=[samples.parent]) as client:
        client.post("/v1/libraries", json={"name": "L"})
        job = add(client, samples).json()
        assert stepped.started.wait(60)
        client.delete(f"/v1/jobs/{job['id']}")
        stepped.allowed.set()
        assert finished_job(client, job)["state"] == "cancelled"
        again = finished_job(client, add(client, samples).json())
        assert (again["id"], again["state"], again["kept"]) == (job["id"], "done", 4)
        items = client.get("/v1/libraries/L/instruments").json()["items"]
        assert sorted(item["name"] for item in items) == sorted(TONES)
