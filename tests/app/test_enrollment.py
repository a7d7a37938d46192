"""Adding instruments by upload: accepted and refused files, and the progress, events and cancellation of jobs."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import select

from index.catalog import Catalog, Job
from models.encoder_pair import EncoderPair
from tests.app.serving import SteppedPair, enrolled, finished_job, problem, running, until
from tests.app.sounds import RATE, audio, tone, zipped
from tests.encoders import random_pair
from tests.index.tiny_soundfont import PATCHES, soundfont_bytes


@pytest.fixture
def fresh(client: httpx.Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of an empty library, removed afterwards."""
    made = client.post("/v1/libraries", json={"name": request.node.name[:100]}).json()
    yield made["id"]
    assert client.delete(f"/v1/libraries/{made['id']}").status_code == 204


def names(client: httpx.Client, library: str) -> list[str]:
    return [item["name"] for item in client.get(f"/v1/libraries/{library}/instruments").json()["items"]]


def send(client: httpx.Client, library: str, *files: tuple[str, bytes]) -> httpx.Response:
    return client.post(f"/v1/libraries/{library}/instruments", files=[("files", file) for file in files])


def test_zip_of_folders(client: httpx.Client, fresh: str) -> None:
    content = zipped(
        {
            "Kit/Bright Pad/sustain/c3.wav": audio(tone(131.0)),
            "Kit/Bright Pad/sustain/c4.flac": audio(tone(262.0), form="FLAC"),
            "Warm Bass/deep/er/a.wav": audio(tone(55.0)),
            "Warm Bass/b.mp3": audio(tone(60.0), form="MP3"),
            "Warm Bass/notes.txt": b"not audio by its name",
            "Plain.ogg": audio(tone(440.0), form="OGG"),
            "__MACOSX/Warm Bass/._a.wav": b"rubbish",
            ".hidden/x.wav": b"rubbish",
        }
    )
    job = enrolled(client, fresh, ("my sounds.zip", content))
    assert (job["state"], job["done"], job["total"], job["message"]) == ("done", 3, 3, "3 added")
    assert sorted(names(client, fresh)) == ["Kit", "Plain", "Warm Bass"]
    items = client.get(f"/v1/libraries/{fresh}/instruments").json()["items"]
    assert {(item["licence"], item["playable_range"]) for item in items} == {(None, None)}  # recordings


@pytest.mark.parametrize("compressed", [False, True])
def test_soundfont(client: httpx.Client, fresh: str, compressed: bool) -> None:
    name = "font.sf3" if compressed else "font.sf2"
    job = enrolled(client, fresh, (name, soundfont_bytes(PATCHES[:3], compressed=compressed)))
    assert (job["state"], job["total"]) == ("done", 3)
    assert names(client, fresh) == [patch.name for patch in PATCHES[:3]]


def test_several_kinds_at_once(client: httpx.Client, fresh: str) -> None:
    files = [
        ("font.sf2", soundfont_bytes(PATCHES[:1])),
        ("Bass.wav", audio(tone(110.0))),
        ("more.ZIP", zipped({"Flute/a.wav": audio(tone(330.0))})),
    ]
    assert enrolled(client, fresh, *files)["message"] == "3 added"
    assert sorted(names(client, fresh)) == ["Bass", "Flute", "Pure"]


def test_what_cannot_be_used_is_skipped_with_its_reason(client: httpx.Client, fresh: str) -> None:
    silence = audio(np.zeros(RATE, np.float32))
    job = enrolled(client, fresh, ("Good.wav", audio(tone(110.0))), ("Quiet.wav", silence))
    assert job["state"] == "done"
    assert job["message"].startswith("1 added; 1 skipped: ")
    assert "Quiet" in job["message"]
    assert "silent" in job["message"]


def test_nothing_usable_fails_the_job(client: httpx.Client, fresh: str, data_dir: Path) -> None:
    job = enrolled(client, fresh, ("Quiet.wav", audio(np.zeros(RATE, np.float32))))
    assert job["state"] == "failed"
    assert "silent" in job["message"]
    assert names(client, fresh) == []
    assert list((data_dir / "tmp").iterdir()) == []


REFUSED = {
    "text as wav": ("a.wav", b"these are words", 415, "not-audio"),
    "playlist as wav": ("a.wav", b"ffconcat version 1.0\nfile '/etc/passwd'\n", 415, "not-audio"),
    "empty wav": ("a.wav", b"", 422, "empty-audio"),
    "sfz without its samples": ("piano.sfz", b"<region> sample=a.wav", 422, "source"),
    "sfz without a region": ("piano.zip", zipped({"p/piano.sfz": b"<group>", "p/a.wav": b""}), 422, "source"),
    "sfz that leaves its zip": (
        "piano.zip",
        zipped({"a.sfz": b"<region> sample=../../../a.wav"}),
        422,
        "source",
    ),
    "document": ("notes.pdf", b"%PDF-", 415, "unsupported-audio"),
    "no suffix": ("notes", b"RIFF", 415, "unsupported-audio"),
    "broken soundfont": ("font.sf2", soundfont_bytes()[:2000], 422, "source"),
    "text as soundfont": ("font.sf2", b"words", 422, "source"),
    "text as zip": ("a.zip", b"words", 422, "source"),
    "zip without audio": ("a.zip", zipped({"a/readme.txt": b"words"}), 422, "source"),
    "empty zip": ("a.zip", zipped({}), 422, "source"),
    "zip cut short": ("a.zip", zipped({"a/a.wav": audio(tone(110.0))})[:-30], 422, "source"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_at_once(client: httpx.Client, fresh: str, data_dir: Path, kind: str) -> None:
    name, content, status, slug = REFUSED[kind]
    good = ("Good.wav", audio(tone(110.0, 0.5)))
    body = problem(send(client, fresh, good, (name, content)), status, slug)
    assert body["value"] is not None
    assert names(client, fresh) == []
    assert list((data_dir / "tmp").iterdir()) == []


def test_an_sfz_without_samples_says_what_to_send(client: httpx.Client, fresh: str) -> None:
    body = problem(send(client, fresh, ("piano.sfz", b"<region> sample=Samples/a.wav")), 422, "source")
    assert "1 missing: Samples/a.wav" in body["detail"]
    assert "send a zip that holds the .sfz and its samples" in body["detail"]
    for suffix in (".wav", ".zip", ".sfz", ".sf2", ".sf3"):
        assert suffix in body["limit"]


SFZ = b'#include "../Data/c.txt"\n<region> sample=..\\SAMPLES\\C4 soft.wav pitch_keycenter=60 zzz=1'


def test_sfz_in_a_zip_and_by_itself(client: httpx.Client, fresh: str) -> None:
    files = {
        "Bank/Programs/Soft_Flute.sfz": SFZ,
        "Bank/Programs/Broken.sfz": b"<region> sample=gone.wav",
        "Bank/Data/c.txt": b"<group> ampeg_release=0.1",
        "Bank/Samples/c4 soft.wav": audio(tone(262.0)),
        "Bank/LICENSE.txt": b"CC0",
        "Bank/index.jsonl": b"{}",  # not taken for a note bank, nor the samples for instruments
        "Bank/examples.json": b"{}",
    }
    job = enrolled(client, fresh, ("my bank.zip", zipped(files)))
    assert (job["state"], job["done"], job["total"]) == ("done", 1, 1)
    assert "Broken.sfz" in job["message"]
    items = client.get(f"/v1/libraries/{fresh}/instruments").json()["items"]
    assert [(item["name"], item["family"], item["source"]) for item in items] == [
        ("Soft Flute", "flute", "my bank/Bank/Programs/Soft_Flute.sfz"),
    ]
    assert [(item["licence"], item["playable_range"]) for item in items] == [("see LICENSE.txt", [0, 120])]
    assert client.get(f"/v1/instruments/{items[0]['id']}").json() == items[0]
    assert client.get(f"/v1/instruments/{items[0]['id']}/preview").status_code == 200
    alone = problem(send(client, fresh, ("Soft Flute.SFZ", SFZ)), 422, "source")
    assert "send a zip that holds the .sfz and its samples" in alone["detail"]


def test_files_are_needed_and_so_is_a_library(client: httpx.Client, fresh: str) -> None:
    problem(client.post(f"/v1/libraries/{fresh}/instruments"), 422, "invalid-request")
    problem(send(client, "nowhere", ("a.wav", audio(tone(110.0)))), 404, "library-not-found")


def test_events_tell_the_whole_story(client: httpx.Client, fresh: str) -> None:
    job = send(client, fresh, ("a.wav", audio(tone(110.0))), ("b.wav", audio(tone(220.0)))).json()
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")]
    views = [json.loads(line) for line in lines]
    assert {view["id"] for view in views} == {job["id"]}
    assert (views[-1]["state"], views[-1]["done"], views[-1]["total"]) == ("done", 2, 2)
    assert [view["done"] for view in views] == sorted(view["done"] for view in views)
    assert client.get(f"/v1/jobs/{job['id']}").json() == views[-1]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_jobs(client: httpx.Client, method: str) -> None:
    problem(client.request(method, "/v1/jobs/j_000000000000"), 404, "job-not-found")
    problem(client.get("/v1/jobs/j_000000000000/events"), 404, "job-not-found")


FILES = (("a.wav", audio(tone(110.0))), ("b.wav", audio(tone(220.0))))


def test_cancelling_before_the_first_batch_leaves_nothing(tmp_path: Path, stepped: SteppedPair) -> None:
    with running(tmp_path, stepped) as client:
        client.post("/v1/libraries", json={"name": "L"})
        first, second = send(client, "L", *FILES).json(), send(client, "L", *FILES).json()
        assert stepped.started.wait(30)
        assert client.get(f"/v1/jobs/{second['id']}").json()["state"] == "queued"
        assert client.get(f"/v1/jobs/{first['id']}").json()["state"] == "running"
        problem(client.delete("/v1/libraries/L"), 409, "job-conflict")
        for job in (second, first):
            assert client.delete(f"/v1/jobs/{job['id']}").status_code == 202
        waited = client.get(f"/v1/jobs/{second['id']}").json()  # it need not wait for its turn
        assert (waited["state"], waited["message"]) == (
            "cancelled",
            "cancelled before it began; nothing was stored",
        )
        assert client.get(f"/v1/jobs/{first['id']}").json()["state"] == "running"
        stepped.allowed.set()
        assert finished_job(client, first)["state"] == "cancelled"
        assert client.get(f"/v1/jobs/{second['id']}").json() == waited
        problem(client.delete(f"/v1/jobs/{first['id']}"), 409, "job-conflict")
        assert names(client, "L") == []
        assert client.delete("/v1/libraries/L").status_code == 204
        subs = ("tmp", "previews", "uploads")
        until(lambda: not [path for sub in subs for path in (tmp_path / sub).iterdir()])


def test_jobs_are_bounded(tmp_path: Path, stepped: SteppedPair) -> None:
    with running(tmp_path, stepped, max_waiting_jobs=1) as client:
        client.post("/v1/libraries", json={"name": "L"})
        job = send(client, "L", *FILES).json()
        refused = send(client, "L", *FILES)
        assert problem(refused, 503, "busy")["limit"] == 1
        assert int(refused.headers["retry-after"]) >= 1
        stepped.allowed.set()
        assert finished_job(client, job)["state"] == "done"


def test_jobs_that_cannot_go_on_after_a_kill_have_failed(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "L"})
    catalog = Catalog(tmp_path / "showme.db")
    with catalog.write() as session:
        session.add_all([Job(state="running", done=3, total=9), Job(state="queued"), Job(state="done")])
    with running(tmp_path, pair) as client, catalog.session() as session:
        states = {job.id: job.state for job in session.scalars(select(Job))}
        assert sorted(states.values()) == ["done", "failed", "failed"]
        for job_id, state in states.items():
            body: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
            assert body["state"] == state
            assert ("interrupted, since its process ended" in body["message"]) == (state == "failed")
    catalog.close()


def test_a_library_of_another_encoder_is_refused(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "L"})
        enrolled(client, "L", *FILES)
    with running(tmp_path, random_pair(seed=1), update_libraries=False) as client:
        mix = {"file": ("a.wav", io.BytesIO(audio(tone(110.0))))}
        body = problem(client.post("/v1/queries", files=mix), 409, "encoder-mismatch")
        assert body["value"] != body["limit"]
        assert "press Update" in body["detail"]
        assert "`showme index reembed L`" in body["detail"]
        problem(send(client, "L", *FILES), 409, "encoder-mismatch")
        assert client.get("/v1/libraries/L").json()["num_instruments"] == 2
