"""Libraries of another encoder over HTTP: they are told so, updated by themselves or when asked, and go on after a stop."""

import shutil
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.engine import Engine
from index.catalog import Catalog, Instrument, Job
from models.encoder_pair import EncoderPair, Floats
from tests.app.serving import enrolled, finished_job, problem, running, settings_for, until
from tests.app.sounds import TONES, audio, mixture, tone, zipped
from tests.encoders import random_pair, random_pair_of
from tests.index.tiny_soundfont import PATCHES, soundfont_bytes

FILES = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
MIX = {"file": ("mix.wav", mixture())}


class GatedUpdatePair(EncoderPair):
    """Embeds an instrument for each permit."""

    def close_gate(self, permits: int = 0) -> "GatedUpdatePair":
        self.permits, self.embedded = threading.Semaphore(permits), 0
        return self

    def embed(self, clips: Floats) -> Floats:
        assert self.permits.acquire(timeout=30)
        self.embedded += 1
        return super().embed(clips)


def newer(permits: int = 0) -> GatedUpdatePair:
    """The encoder of an upgrade, which waits after `permits` instruments."""
    return random_pair_of(GatedUpdatePair, seed=1).close_gate(permits)


def listed(client: httpx.Client, name: str = "One") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/v1/libraries/{name}").json()
    return found


def instruments(client: httpx.Client, name: str = "One") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"/v1/libraries/{name}/instruments").json()["items"]
    return items


def ask(client: httpx.Client, library: str = "One") -> httpx.Response:
    return client.post("/v1/queries", files=MIX, data={"library": library, "mode": "paper", "top_k": "50"})


def hit_names(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {hit["name"] for slot in answer.json()["slots"] for hit in slot["hits"]}


@pytest.fixture
def data_dir(tmp_path: Path, tones_dir: Path) -> Path:
    """The four tones in the library `One`, uploaded to a service with the old encoder."""
    return Path(shutil.copytree(tones_dir, tmp_path / "data"))


def test_a_stale_library_says_so_and_is_updated_when_asked(data_dir: Path, pair: EncoderPair) -> None:
    with running(data_dir, pair) as client:
        first, *_ = instruments(client)
        client.patch(f"/v1/instruments/{first['id']}", json={"name": "Mine", "family": "organ"})
        before, earlier = instruments(client), ask(client).json()
        assert listed(client)["state"] == "ready"
    with running(data_dir, random_pair(seed=1), update_libraries=False) as client:
        library = listed(client)
        assert (library["state"], library["num_stale"], library["update_job"]) == ("stale", 4, None)
        assert "another encoder" in library["state_reason"]
        assert {item["stale"] for item in instruments(client)} == {True}
        body = problem(ask(client), 409, "encoder-mismatch")
        assert "press Update" in body["detail"]
        for part in ("/duplicates", ""):
            assert client.get(f"/v1/libraries/One{part}").status_code == (409 if part else 200)
        problem(client.get(f"/v1/instruments/{first['id']}/similar"), 409, "encoder-mismatch")
        answer = client.post("/v1/libraries/One/reembed")
        assert answer.status_code == 202
        assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
        job = finished_job(client, answer.json())
        assert (job["kind"], job["state"], job["done"], job["total"]) == ("reembed", "done", 4, 4)
        assert (job["message"], job["skipped"]) == ("4 updated", [])  # from the kept uploads
        library = listed(client)
        assert (library["state"], library["state_reason"], library["num_from_previews"]) == ("ready", None, 0)
        assert instruments(client) == before
        assert hit_names(ask(client)) == {item["name"] for item in before}
        assert client.get(f"/v1/queries/{earlier['id']}").json() == earlier
        assert client.get(f"/v1/queries/{earlier['id']}/export", params={"format": "json"}).status_code == 200
        again = finished_job(client, client.post("/v1/libraries/One/reembed").json())
        assert (again["state"], again["message"]) == ("done", "nothing to update")
        problem(client.post("/v1/libraries/nowhere/reembed"), 404, "library-not-found")


def test_a_start_updates_all_libraries_one_after_the_other(data_dir: Path, pair: EncoderPair) -> None:
    with running(data_dir, pair) as client:
        for name in ("Two", "Three"):
            client.post("/v1/libraries", json={"name": name})
        enrolled(client, "Two", FILES[0])
    gated = newer(permits=1)
    with running(data_dir, gated) as client:
        one, two = listed(client), listed(client, "Two")
        assert (one["state"], two["state"], listed(client, "Three")["state"]) == ("stale", "stale", "ready")
        assert None not in (one["update_job"], two["update_job"])
        assert client.get("/readyz").status_code == 200
        until(lambda: client.get(f"/v1/jobs/{one['update_job']}").json()["done"] == 1)
        assert client.get(f"/v1/jobs/{two['update_job']}").json()["state"] == "queued"
        busy = problem(ask(client), 503, "busy")
        assert "library 'One' is being updated" in busy["detail"]
        assert busy["limit"] == 4
        problem(client.post("/v1/libraries/One/instruments", files=[("files", FILES[0])]), 503, "busy")
        assert client.post("/v1/libraries/One/reembed").json()["id"] == one["update_job"]
        asked = client.post("/v1/libraries/Three/instruments", files=[("files", FILES[1])]).json()
        gated.permits.release(2)  # the second of One, which then gives way to the upload
        assert finished_job(client, asked)["state"] == "done"
        assert (listed(client)["state"], listed(client, "Two")["state"]) == ("stale", "stale")
        assert client.get(f"/v1/jobs/{one['update_job']}").json()["done"] == 2
        gated.permits.release(3)
        until(lambda: listed(client, "Two")["state"] == "ready")
        assert client.get(f"/v1/jobs/{one['update_job']}").json()["message"] == "4 updated"
        for name in ("One", "Two", "Three"):
            assert ask(client, name).status_code == 200


def test_an_update_goes_on_after_a_restart_under_its_id(data_dir: Path) -> None:
    gated = newer(permits=3)
    with running(data_dir, gated, update_libraries=False) as client:
        job = client.post("/v1/libraries/One/reembed").json()
        until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["done"] == 3)
        threading.Timer(0.5, gated.permits.release).start()  # the fourth is embedded while the service stops
    catalog = Catalog(data_dir / "showme.db")
    with catalog.write() as session:  # as a killed process would have left it
        session.execute(update(Job).where(Job.id == job["id"]).values(state="running"))
    catalog.close()
    again = newer(permits=4)
    with running(data_dir, again, update_libraries=False) as client:
        ended = finished_job(client, job)
        assert (ended["state"], ended["done"], ended["message"]) == ("done", 4, "4 updated")
        assert listed(client)["state"] == "ready"
        assert hit_names(ask(client)) == set(TONES)
    assert gated.embedded + again.embedded == 4


def test_a_cancelled_update_leaves_the_library_as_it_was(data_dir: Path, pair: EncoderPair) -> None:
    gated = newer(permits=1)
    with running(data_dir, gated) as client:
        job = listed(client)["update_job"]
        until(lambda: client.get(f"/v1/jobs/{job}").json()["done"] == 1)
        assert client.delete(f"/v1/jobs/{job}").status_code == 202
        gated.permits.release()
        ended = finished_job(client, {"id": job})
        assert ended["state"] == "cancelled"
        assert "as it was" in ended["message"]
        assert (listed(client)["state"], listed(client)["update_job"]) == ("stale", None)
        problem(ask(client), 409, "encoder-mismatch")
    with running(data_dir, pair) as client:  # back to the old version
        assert hit_names(ask(client)) == set(TONES)


def test_a_lost_upload_is_named_and_only_that_is_not_searched(data_dir: Path, pair: EncoderPair) -> None:
    with running(data_dir, pair) as client:
        enrolled(client, "One", ("Lost.wav", audio(tone(700.0))))
        before = {item["name"] for item in instruments(client)}
    catalog = Catalog(data_dir / "showme.db")
    with catalog.session() as session:
        rows = select(Instrument.source_path).where(Instrument.name == "Lost")
        (data_dir / str(session.scalars(rows).one()) / "files" / "Lost.wav").unlink()
    catalog.close()
    with running(data_dir, random_pair(seed=1), update_libraries=False) as client:
        job = finished_job(client, client.post("/v1/libraries/One/reembed").json())
        assert (job["state"], [one["name"] for one in job["skipped"]]) == ("done", ["Lost"])
        assert job["message"].startswith("4 updated; 1 not updated and not searched: Lost (")
        library = listed(client)
        assert (library["state"], library["num_stale"]) == ("partly_stale", 1)
        assert [item["name"] for item in instruments(client) if item["stale"]] == ["Lost"]
        assert hit_names(ask(client)) == before - {"Lost"}
        failed = finished_job(client, client.post("/v1/libraries/One/reembed").json())
        assert (failed["state"], [one["name"] for one in failed["skipped"]]) == ("failed", ["Lost"])


def test_uploads_of_every_kind_are_found_again(tmp_path: Path, pair: EncoderPair) -> None:
    folders = {"Flute/a.wav": audio(tone(330.0)), "Bass/a.wav": audio(tone(110.0))}
    programs = {"bank/Soft.sfz": b"<region> sample=a.wav", "bank/a.wav": audio(tone(262.0))}
    files = [
        *FILES[:2],
        ("more.zip", zipped(folders)),
        ("MORE.zip", zipped(folders)),
        ("bank.zip", zipped(programs)),
        ("font.sf2", soundfont_bytes(PATCHES[:2])),
        ("font.sf2", soundfont_bytes(PATCHES[2:3])),
    ]
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "One"})
        assert enrolled(client, "One", *files)["message"] == "10 added"
        before = instruments(client)
    moved = tmp_path.rename(tmp_path.with_name("moved data"))
    with running(moved, random_pair(seed=1)) as client:
        until(lambda: listed(client)["state"] == "ready")
        assert listed(client)["num_from_previews"] == 0
        assert instruments(client) == before


def test_without_kept_uploads_the_previews_serve(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, keep_uploads=False) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", *FILES)
    assert list((tmp_path / "uploads").iterdir()) == []
    with running(tmp_path, random_pair(seed=1), update_libraries=False) as client:
        job = finished_job(client, client.post("/v1/libraries/One/reembed").json())
        assert job["message"] == "4 updated, 4 of them from previews, since their sources were not kept"
        assert (listed(client)["state"], listed(client)["num_from_previews"]) == ("ready", 4)
        assert hit_names(ask(client)) == set(TONES)


def test_kept_uploads_go_with_the_last_of_their_instruments(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, undo_seconds=0) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", *FILES[:2])
        assert enrolled(client, "One", ("silent.wav", audio(0 * tone(110.0))))["state"] == "failed"
        uploads = list((tmp_path / "uploads").iterdir())
        assert len(uploads) == 1  # of the failed one nothing is kept
        first, second = (item["id"] for item in instruments(client))
        client.delete(f"/v1/instruments/{first}")
        assert list((tmp_path / "uploads").iterdir()) == uploads
        client.delete(f"/v1/instruments/{second}")
        assert list((tmp_path / "uploads").iterdir()) == []


def test_a_stale_library_can_be_deleted_while_it_is_updated(data_dir: Path) -> None:
    gated = newer(permits=1)
    with running(data_dir, gated) as client:
        library = listed(client)
        until(lambda: client.get(f"/v1/jobs/{library['update_job']}").json()["done"] == 1)
        assert client.delete("/v1/libraries/One").status_code == 204
        gated.permits.release()
        assert finished_job(client, {"id": library["update_job"]})["state"] == "cancelled"
        restored = client.post(f"/v1/libraries/{library['id']}/restore").json()
        assert (restored["state"], restored["num_instruments"]) == ("stale", 4)
        gated.permits.release(3)
        assert finished_job(client, client.post("/v1/libraries/One/reembed").json())["state"] == "done"
        assert hit_names(ask(client)) == set(TONES)


def test_from_python(tmp_path: Path, pair: EncoderPair) -> None:
    samples = tmp_path / "samples"
    samples.mkdir()
    for name, content in FILES:
        (samples / name).write_bytes(content)
    settings = settings_for(tmp_path / "data")
    with Engine(settings, pair) as engine:
        engine.enroll(samples, "mine")
    with Engine(settings, random_pair(seed=1)) as engine:
        (library,) = engine.libraries()
        assert library.state == "stale"
        assert engine.reembed("mine").num_updated == 4
        assert engine.libraries()[0].state == "ready"
    catalog = Catalog(tmp_path / "data" / "showme.db")
    with catalog.write() as session:  # as versions did that recorded no paths
        session.execute(update(Instrument).values(source_path=None, source_key=None))
    catalog.close()
    with Engine(settings, random_pair(seed=2)) as engine:
        report = engine.reembed("mine", samples)
        assert (report.num_updated, report.num_from_previews) == (4, 0)
