"""Renaming libraries and correcting instruments over HTTP: effects, refused values, and events that must not undo them."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running, until
from tests.app.sounds import audio, tone
from tests.app.test_undo import FILES, MIX, hit_names, instruments
from tests.index.tiny_soundfont import PATCHES, write_soundfont


def test_a_library_gets_another_name(own: httpx.Client) -> None:
    before = own.get("/v1/libraries/One").json()
    own.post("/v1/libraries", json={"name": "Two"})
    after = own.patch("/v1/libraries/One", json={"name": "  My  tones "})
    assert after.json() == before | {"name": "My tones"} == own.get("/v1/libraries/My tones").json()
    problem(own.get("/v1/libraries/One"), 404, "library-not-found")
    problem(own.patch("/v1/libraries/One", json={"name": "x"}), 404, "library-not-found")
    taken = problem(own.patch("/v1/libraries/My tones", json={"name": "Two"}), 409, "library-exists")
    assert taken["value"] == "Two"
    assert own.patch("/v1/libraries/My tones", json={"name": "My tones"}).status_code == 200
    for name in ("", " ", "a/b", "x" * 201, None):
        problem(own.patch("/v1/libraries/My tones", json={"name": name}), 422, "invalid-request")
    assert own.post("/v1/queries", files=MIX, data={"library": "My tones"}).json()["library"]["name"] == (
        "My tones"
    )


def test_the_default_library_keeps_its_name(tmp_path: Path, pair: EncoderPair) -> None:
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:2])
    with running(tmp_path / "data", pair, default_library=str(font)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        body = problem(client.patch("/v1/libraries/Studio", json={"name": "Mine"}), 422, "invalid-request")
        assert (body["value"], body["limit"]) == ("Mine", "Studio")
        assert "default library" in body["detail"]
        assert client.patch("/v1/libraries/Studio", json={"name": "Studio"}).status_code == 200


@pytest.mark.both_databases
def test_a_correction_shows_everywhere_at_once(own: httpx.Client) -> None:
    item = instruments(own)["Bright Lead"]
    body = own.patch(f"/v1/instruments/{item['id']}", json={"name": " Old  Organ ", "family": "organ"})
    assert body.json() == item | {"name": "Old Organ", "family": "organ"}
    assert own.get(f"/v1/instruments/{item['id']}").json() == body.json() == instruments(own)["Old Organ"]
    address = "/v1/libraries/One/instruments"
    for params, expected in (
        ({"family": "organ"}, ["Old Organ"]),
        ({"family": "synth_lead"}, []),
        ({"search": "old"}, ["Old Organ"]),
        ({"search": "bright"}, []),
    ):
        assert [row["name"] for row in own.get(address, params=params).json()["items"]] == expected
    assert hit_names(own, family="organ") == {"Old Organ"}
    assert hit_names(own, family="synth_lead") == set()
    points = {point["instrument_id"]: point for point in own.get("/v1/libraries/One/map").json()["points"]}
    assert (points[item["id"]]["name"], points[item["id"]]["family"]) == ("Old Organ", "organ")
    other = instruments(own)["Low Bass"]["id"]
    similar = own.get(f"/v1/instruments/{other}/similar").json()["items"]
    assert "Old Organ" in {hit["name"] for hit in similar}
    nothing = own.patch(f"/v1/instruments/{item['id']}", json={"family": None}).json()
    assert (nothing["name"], nothing["family"]) == ("Old Organ", None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"colour": "red"},
        {"name": None},
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 301},
        {"name": "a\x00"},
        {"family": "kazoo"},
        {"name": 7},
    ],
)
def test_corrections_that_cannot_be(
    client: httpx.Client, library: dict[str, Any], body: dict[str, Any]
) -> None:
    item = instruments(client, library["id"])["Low Bass"]
    problem(client.patch(f"/v1/instruments/{item['id']}", json=body), 422, "invalid-request")
    problem(client.patch("/v1/instruments/i_nothing", json={"name": "x"}), 404, "instrument-not-found")
    assert client.get(f"/v1/instruments/{item['id']}").json() == item


def test_two_instruments_of_a_library_have_two_names(own: httpx.Client) -> None:
    item = instruments(own)["Low Bass"]
    answer = own.patch(f"/v1/instruments/{item['id']}", json={"name": "Soft Flute", "family": "reed"})
    assert problem(answer, 409, "instrument-exists")["value"] == "Soft Flute"
    assert own.get(f"/v1/instruments/{item['id']}").json() == item
    own.post("/v1/libraries", json={"name": "Two"})
    enrolled(own, "Two", FILES[0])
    other = instruments(own, "Two")["Low Bass"]
    assert own.patch(f"/v1/instruments/{other['id']}", json={"name": "Soft Flute"}).status_code == 200


@pytest.mark.both_databases
def test_enrolling_the_source_again_does_not_undo_a_correction(own: httpx.Client) -> None:
    bass, flute = (instruments(own)[name]["id"] for name in ("Low Bass", "Soft Flute"))
    own.patch(f"/v1/instruments/{bass}", json={"name": "Sub"})
    own.patch(f"/v1/instruments/{flute}", json={"family": "reed"})
    own.delete(f"/v1/instruments/{flute}")
    enrolled(own, "One", *FILES)
    found = instruments(own)
    assert {"Sub", "Sub (2)", "Soft Flute", "Bright Lead (2)"} <= found.keys()
    assert "Low Bass" not in found
    assert found["Soft Flute"]["family"] == "reed"
    assert found["Soft Flute"]["id"] != flute
    assert found["Sub"]["id"] == bass
    # another sound of the same file name is another instrument
    enrolled(own, "One", ("Low Bass.wav", audio(tone(70.0))))
    assert "Low Bass" in instruments(own)
