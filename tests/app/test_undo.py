"""Deleting and restoring over HTTP, across restarts, purges and enrollments."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import update

from index.catalog import Catalog, Instrument, Library
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, finished_job, problem, running, until
from tests.app.sounds import TONES, audio, mixture, tone
from tests.app.test_enrollment import SteppedPair, send
from tests.encoders import random_pair, random_pair_of
from tests.index.tiny_soundfont import PATCHES, write_soundfont

FILES = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
MIX = {"file": ("mix.wav", mixture())}


def instruments(client: httpx.Client, library: str = "One") -> dict[str, dict[str, Any]]:
    listed = client.get(f"/v1/libraries/{library}/instruments", params={"limit": 500}).json()["items"]
    return {item["name"]: item for item in listed}


def hit_names(client: httpx.Client, **fields: Any) -> set[str]:
    answer = client.post("/v1/queries", files=MIX, data={"mode": "paper", "top_k": 50} | fields)
    assert answer.status_code == 200, answer.text
    return {hit["name"] for slot in answer.json()["slots"] for hit in slot["hits"]}


def age(data_dir: Path, table: type[Library] | type[Instrument], hours: float = 2.0) -> None:
    """Backdate all deletions by hours."""
    catalog = Catalog(data_dir / "showme.db")
    then = datetime.now(UTC) - timedelta(hours=hours)
    with catalog.write() as session:
        session.execute(update(table).where(table.deleted_at.is_not(None)).values(deleted_at=then))
    catalog.close()


def test_a_deleted_instrument_is_nowhere_until_it_is_restored(own: httpx.Client, tmp_path: Path) -> None:
    before = instruments(own)
    item = before["Low Bass"]
    address = f"/v1/instruments/{item['id']}"
    preview = own.get(item["preview_url"]).content
    hits = hit_names(own)
    assert own.delete(address).status_code == 204
    problem(own.delete(address), 404, "instrument-not-found")
    for part in ("", "/preview", "/similar"):
        problem(own.get(address + part), 404, "instrument-not-found")
    problem(own.patch(address, json={"name": "x"}), 404, "instrument-not-found")
    assert instruments(own).keys() == before.keys() - {"Low Bass"}
    assert hit_names(own) == hits - {"Low Bass"}
    assert own.get("/v1/libraries/One").json()["num_instruments"] == 3
    assert len(own.get("/v1/libraries/One/map").json()["points"]) == 3
    restored = own.post(f"{address}/restore")
    assert restored.json() == item == own.post(f"{address}/restore").json()
    assert instruments(own) == before
    assert hit_names(own) == hits
    assert own.get(item["preview_url"]).content == preview
    problem(own.post("/v1/instruments/i_nothing/restore"), 404, "instrument-not-found")


def test_an_instrument_whose_name_was_taken_waits(own: httpx.Client) -> None:
    item = instruments(own)["Low Bass"]
    own.delete(f"/v1/instruments/{item['id']}")
    enrolled(own, "One", FILES[0])
    twin = instruments(own)["Low Bass"]
    problem(own.post(f"/v1/instruments/{item['id']}/restore"), 409, "instrument-exists")
    own.patch(f"/v1/instruments/{twin['id']}", json={"name": "Twin"})
    assert own.post(f"/v1/instruments/{item['id']}/restore").json() == item


def test_a_library_in_which_everything_is_deleted_is_empty(own: httpx.Client) -> None:
    ids = [item["id"] for item in instruments(own).values()]
    for instrument_id in ids:
        own.delete(f"/v1/instruments/{instrument_id}")
    problem(own.post("/v1/queries", files=MIX), 409, "library-empty")
    assert own.get("/v1/libraries/One/map").json()["points"] == []
    assert own.post(f"/v1/instruments/{ids[0]}/restore").status_code == 200
    assert len(hit_names(own)) == 1


def test_a_deleted_library_is_nowhere_until_it_is_restored(own: httpx.Client, tmp_path: Path) -> None:
    library, before, hits = own.get("/v1/libraries/One").json(), instruments(own), hit_names(own)
    item = before["Low Bass"]
    gone = before["Soft Flute"]["id"]
    own.delete(f"/v1/instruments/{gone}")
    assert own.delete("/v1/libraries/One").status_code == 204
    assert own.get("/v1/libraries").json()["items"] == []
    for address in (f"/v1/libraries/{library['id']}", "/v1/libraries/One"):
        for part in ("", "/instruments", "/map"):
            problem(own.get(address + part), 404, "library-not-found")
    problem(send(own, library["id"], FILES[0]), 404, "library-not-found")
    problem(own.post("/v1/queries", files=MIX, data={"library": library["id"]}), 404, "library-not-found")
    for part in ("", "/preview", "/similar"):
        problem(own.get(f"/v1/instruments/{item['id']}{part}"), 404, "instrument-not-found")
    problem(own.post(f"/v1/instruments/{gone}/restore"), 404, "instrument-not-found")
    address = f"/v1/libraries/{library['id']}/restore"
    assert own.post(address).json() == library | {"num_instruments": 3}
    assert own.post(address).status_code == 200
    assert own.post(f"/v1/instruments/{gone}/restore").status_code == 200
    assert instruments(own) == before
    assert hit_names(own) == hits
    assert own.get(item["preview_url"]).status_code == 200
    problem(own.post("/v1/libraries/One/restore"), 404, "library-not-found")  # by id only: names are free


def test_a_library_whose_name_was_taken_waits(own: httpx.Client) -> None:
    library = own.get("/v1/libraries/One").json()
    own.delete("/v1/libraries/One")
    assert own.post("/v1/libraries", json={"name": "One"}).status_code == 201
    problem(own.post(f"/v1/libraries/{library['id']}/restore"), 409, "library-exists")
    own.patch("/v1/libraries/One", json={"name": "Another"})
    assert own.post(f"/v1/libraries/{library['id']}/restore").json() == library


def test_what_was_deleted_can_be_restored_after_a_restart(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        for name in ("One", "Two"):
            client.post("/v1/libraries", json={"name": name})
            enrolled(client, name, *FILES)
        before, two = instruments(client), client.get("/v1/libraries/Two").json()
        client.delete(f"/v1/instruments/{before['Low Bass']['id']}")
        client.delete("/v1/libraries/Two")
    with running(tmp_path, pair) as client:
        assert client.post(f"/v1/instruments/{before['Low Bass']['id']}/restore").status_code == 200
        assert client.post(f"/v1/libraries/{two['id']}/restore").json() == two
        assert instruments(client) == before
        for name in ("One", "Two"):
            assert hit_names(client, library=name) == set(TONES)
            for item in instruments(client, name).values():
                assert client.get(item["preview_url"]).status_code == 200


def test_what_was_deleted_long_ago_is_purged_at_the_start(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        for name in ("One", "Two"):
            client.post("/v1/libraries", json={"name": name})
            enrolled(client, name, *FILES[:2])
        bass, two = instruments(client)["Low Bass"], client.get("/v1/libraries/Two").json()
        client.delete(f"/v1/instruments/{bass['id']}")
        client.delete("/v1/libraries/Two")
        answer = client.post("/v1/queries", files=MIX).json()
        for table in (Library, Instrument):
            age(tmp_path, table)
        problem(client.post(f"/v1/instruments/{bass['id']}/restore"), 404, "instrument-not-found")
        problem(client.post(f"/v1/libraries/{two['id']}/restore"), 404, "library-not-found")
    assert len(list((tmp_path / "previews").iterdir())) == 4
    with running(tmp_path, pair) as client:
        assert [path.stem for path in (tmp_path / "previews").iterdir()] == [
            instruments(client)["Soft Flute"]["id"]
        ]
        problem(client.post(f"/v1/instruments/{bass['id']}/restore"), 404, "instrument-not-found")
        problem(client.post(f"/v1/libraries/{two['id']}/restore"), 404, "library-not-found")
        assert client.get(f"/v1/queries/{answer['id']}").json() == answer


def test_later_deletions_purge_earlier_ones(own: httpx.Client, tmp_path: Path) -> None:
    first, second, *_ = (item["id"] for item in instruments(own).values())
    own.delete(f"/v1/instruments/{first}")
    age(tmp_path, Instrument)
    own.delete(f"/v1/instruments/{second}")
    assert {path.stem for path in (tmp_path / "previews").iterdir()} >= {second}
    assert not (tmp_path / "previews" / f"{first}.mp3").exists()
    assert own.post(f"/v1/instruments/{second}/restore").status_code == 200


def test_without_time_to_undo_deleting_is_for_good(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, undo_seconds=0) as client:
        made = client.post("/v1/libraries", json={"name": "One"}).json()
        enrolled(client, "One", FILES[0])
        client.delete("/v1/libraries/One")
        problem(client.post(f"/v1/libraries/{made['id']}/restore"), 404, "library-not-found")
        assert [path for sub in ("previews", "vectors") for path in (tmp_path / sub).iterdir()] == []


def test_an_instrument_can_be_deleted_while_its_library_is_being_added_to(tmp_path: Path) -> None:
    stepped = random_pair_of(SteppedPair)
    assert isinstance(stepped, SteppedPair)
    stepped.pause()
    stepped.allowed.set()
    with running(tmp_path, stepped) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", *FILES[:2])
        bass = instruments(client)["Low Bass"]
        stepped.pause()
        job = send(client, "One", *FILES[:1], *FILES[2:]).json()
        assert stepped.started.wait(30)
        assert client.delete(f"/v1/instruments/{bass['id']}").status_code == 204
        stepped.allowed.set()
        assert finished_job(client, job)["state"] == "done"
        assert instruments(client).keys() == set(TONES)
        assert instruments(client)["Low Bass"]["id"] != bass["id"]
        assert hit_names(client) == set(TONES)


def test_an_updated_default_library_keeps_corrections(tmp_path: Path, pair: EncoderPair) -> None:
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:2])
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        item = instruments(client, "Studio")[PATCHES[0].name]
        correction = {"name": "Mine", "family": "organ"}
        item = client.patch(f"/v1/instruments/{item['id']}", json=correction).json()
    with running(
        tmp_path / "data", random_pair(seed=1), default_library=str(font)
    ) as client:  # as after an upgrade
        until(lambda: client.get("/readyz").status_code == 200)
        found = instruments(client, "Studio")
        assert found.keys() == {"Mine", PATCHES[1].name}
        assert found["Mine"] == item
