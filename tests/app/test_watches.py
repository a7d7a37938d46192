"""Libraries of a service follow folders of its machine: by jobs, after a restart too, and in one process at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.encoder_pair import EncoderPair
from tests.app.keyed import keyed
from tests.app.serving import SteppedPair, problem, running, until
from tests.app.sounds import TONES, audio, tone

QUICK = {"settle_seconds": 0.05, "job_lease_seconds": 2.0}


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """A folder of four instruments below the root `shared`."""
    folder = tmp_path / "shared" / "samples"
    for name, hz in TONES.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "a.wav").write_bytes(audio(tone(hz)))
    return folder


@pytest.fixture
def client(tmp_path: Path, samples: Path, pair: EncoderPair) -> Iterator[httpx.Client]:
    with running(tmp_path / "data", pair, source_roots=[samples.parent], **QUICK) as client:
        client.post("/v1/libraries", json={"name": "L"})
        yield client


def follow(client: httpx.Client, path: Path) -> httpx.Response:
    return client.post("/v1/libraries/L/watch", json={"path": str(path)})


def watches(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/libraries/L/watch").json()["items"]
    return found


def ids(client: httpx.Client) -> dict[str, str]:
    items = client.get("/v1/libraries/L/instruments").json()["items"]
    return {item["name"]: item["id"] for item in items}


def jobs(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/jobs").json()["items"]
    return found


def test_a_library_follows_a_folder_by_jobs(client: httpx.Client, samples: Path) -> None:
    made = follow(client, samples)
    assert made.status_code == 201, made.text
    assert (made.json()["path"], made.json()["state"]) == (str(samples), "following")
    until(lambda: set(ids(client)) == set(TONES) and not watches(client)[0]["job"])
    before = ids(client)
    (samples / "Low Bass").rename(samples / "Sub")
    (samples / "Soft Flute" / "a.wav").unlink()
    (samples / "bad.wav").write_bytes(b"bad")
    until(lambda: set(ids(client)) == {"Sub", "Bright Lead", "Grand Piano"})
    assert ids(client)["Sub"] == before["Low Bass"]
    until(lambda: bool(watches(client)[0]["skipped"]) and not watches(client)[0]["job"])
    (watch,) = watches(client)
    assert [one["name"] for one in watch["skipped"]] == ["bad.wav"]
    assert watch["synced_at"]
    assert {(job["kind"], job["state"]) for job in jobs(client)} == {("watch", "done")}
    assert "4 added" in jobs(client)[-1]["message"]
    restored = client.post(f"/v1/instruments/{before['Soft Flute']}/restore")
    assert restored.status_code == 200
    assert client.delete("/v1/libraries/L/watch").status_code == 204
    assert watches(client) == []
    problem(client.delete("/v1/libraries/L/watch"), 404, "watch-not-found")
    assert len(ids(client)) == 4  # the instruments stay


def test_only_folders_below_the_roots_are_followed(
    client: httpx.Client, samples: Path, tmp_path: Path
) -> None:
    for path in (tmp_path, samples / ".." / "..", Path("samples")):
        body = problem(follow(client, path), 403, "source-forbidden")
        assert (body["value"], body["limit"]) == (str(path), str(samples.parent))
    problem(follow(client, samples / "none"), 422, "source")
    problem(follow(client, samples / "Low Bass" / "a.wav"), 422, "source")
    assert follow(client, samples).status_code == 201
    assert follow(client, samples).json()["id"] == watches(client)[0]["id"]  # it is followed once
    problem(follow(client, samples / "Low Bass"), 422, "invalid-request")
    elsewhere = client.delete("/v1/libraries/L/watch", params={"path": str(tmp_path)})
    problem(elsewhere, 404, "watch-not-found")


def test_a_folder_that_is_away_is_waited_for(client: httpx.Client, samples: Path, tmp_path: Path) -> None:
    follow(client, samples)
    until(lambda: len(ids(client)) == 4 and not watches(client)[0]["job"])
    before = ids(client)
    samples.rename(tmp_path / "away")
    until(lambda: watches(client)[0]["state"] == "waiting")
    assert "is gone" in watches(client)[0]["message"]
    (tmp_path / "away").rename(samples)
    (samples / "Low Bass").rename(samples / "Sub")
    until(lambda: watches(client)[0]["state"] == "following" and "Sub" in ids(client))
    assert set(ids(client).values()) == set(before.values())


def test_after_a_restart_what_was_missed_is_made_up_for(
    tmp_path: Path, samples: Path, stepped: SteppedPair, pair: EncoderPair
) -> None:
    settings = {"source_roots": [samples.parent], **QUICK}
    with running(tmp_path / "data", stepped, **settings) as client:
        client.post("/v1/libraries", json={"name": "L"})
        follow(client, samples)
        assert stepped.started.wait(60)
        (begun,) = jobs(client)
        stepped.allowed.set()
    (samples / "Low Bass").rename(samples / "Sub")
    with running(tmp_path / "data", pair, **settings) as client:
        until(lambda: set(ids(client)) == {*TONES, "Sub"} - {"Low Bass"})
        until(lambda: client.get(f"/v1/jobs/{begun['id']}").json()["state"] == "done")
        assert {job["state"] for job in jobs(client)} == {"done"}


def test_a_second_service_takes_over_when_the_first_has_ended(
    tmp_path: Path, samples: Path, pair: EncoderPair
) -> None:
    settings = {"source_roots": [samples.parent], **QUICK}
    with running(tmp_path / "data", pair, **settings) as second:
        with running(tmp_path / "data", pair, **settings) as first:
            first.post("/v1/libraries", json={"name": "L"})
            follow(first, samples)
            until(lambda: len(ids(second)) == 4)
            assert watches(second)[0]["state"] == "following"
            assert len(jobs(second)) == 1  # nobody has enrolled them twice
        (samples / "Low Bass").rename(samples / "Sub")
        until(lambda: "Sub" in ids(second))
        assert len(ids(second)) == 4


def test_other_keys_neither_see_nor_end_a_watch(tmp_path: Path, samples: Path, pair: EncoderPair) -> None:
    with keyed(tmp_path / "data", pair, source_roots=[samples.parent], **QUICK) as service:
        alice, bob = service.client("alice"), service.client("bob")
        alice.post("/v1/libraries", json={"name": "L"})
        assert follow(alice, samples).status_code == 201
        for answer in (
            follow(bob, samples),
            bob.get("/v1/libraries/L/watch"),
            bob.delete("/v1/libraries/L/watch"),
        ):
            problem(answer, 404, "library-not-found")
        until(lambda: len(ids(alice)) == 4)
        alice.patch("/v1/libraries/L", json={"shared": True})
        problem(bob.get("/v1/libraries/L/watch"), 403, "library-not-owned")
        assert len(watches(alice)) == 1
