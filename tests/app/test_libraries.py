"""Libraries and instruments over HTTP: making, removing, paging, searching, the map, previews and likeness."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import TONES, audio, tone


def test_make_find_and_remove(client: httpx.Client) -> None:
    made = client.post("/v1/libraries", json={"name": "  My synths "})
    assert made.status_code == 201
    body = made.json()
    assert (body["name"], body["num_instruments"], body["default"]) == ("My synths", 0, False)
    for address in (made.headers["location"], "/v1/libraries/My synths"):
        assert client.get(address).json() == body
    assert (
        problem(client.post("/v1/libraries", json={"name": "My synths"}), 409, "library-exists")["value"]
        == "My synths"
    )
    assert client.delete(f"/v1/libraries/{body['id']}").status_code == 204
    problem(client.get(f"/v1/libraries/{body['id']}"), 404, "library-not-found")
    problem(client.delete(f"/v1/libraries/{body['id']}"), 404, "library-not-found")


@pytest.mark.parametrize("name", ["", "   ", "a" * 201, "with/slash", "new\nline", "nul\x00", None, 7])
def test_names_have_limits(client: httpx.Client, name: object) -> None:
    problem(client.post("/v1/libraries", json={"name": name}), 422, "invalid-request")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"name": "\\ud800"}', b"\xff\xff", b"[" * 100_000, b'{"name": 1e999}']
)
def test_bodies_that_are_no_library(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/libraries", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_libraries_come_in_pages(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        names = ["b", "ä", "a", "c d & e"]
        for name in names:
            client.post("/v1/libraries", json={"name": name})
        assert paged(client, "/v1/libraries", 3) == sorted(names)
        assert client.get("/v1/libraries", params={"limit": 4}).json()["next"] is None


def test_instruments_come_in_pages(client: httpx.Client, library: dict[str, Any]) -> None:
    address = f"/v1/libraries/{library['id']}/instruments"
    for limit in (1, 3, 4, 500):
        assert paged(client, address, limit) == sorted(TONES)


def paged(client: httpx.Client, address: str, limit: int) -> list[str]:
    """Return the names of all items, read page by page."""
    names: list[str] = []
    params: dict[str, Any] = {"limit": limit}
    while True:
        page = client.get(address, params=params).json()
        assert len(page["items"]) <= limit
        names += [item["name"] for item in page["items"]]
        if page["next"] is None:
            return names
        params["next"] = page["next"]


def test_instruments_are_filtered_and_searched(client: httpx.Client, library: dict[str, Any]) -> None:
    address = f"/v1/libraries/{library['id']}/instruments"

    def names(**params: str) -> list[str]:
        return [item["name"] for item in client.get(address, params=params).json()["items"]]

    assert names(family="flute") == ["Soft Flute"]
    assert names(search="BASS") == ["Low Bass"]
    assert names(search="t", family="flute") == ["Soft Flute"]
    assert names(search="%") == []


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "501"}, {"limit": "x"}, {"next": "nonsense"}, {"family": "kazoo"}]
)
def test_bad_pages(client: httpx.Client, library: dict[str, Any], params: dict[str, str]) -> None:
    problem(client.get(f"/v1/libraries/{library['id']}/instruments", params=params), 422, "invalid-request")


def test_one_instrument(client: httpx.Client, library: dict[str, Any]) -> None:
    listed = client.get(f"/v1/libraries/{library['id']}/instruments").json()["items"]
    for item in listed:
        assert client.get(f"/v1/instruments/{item['id']}").json() == item
        assert item["library_id"] == library["id"]
        assert item["num_clips"] >= 1
    assert [item["family"] for item in listed] == ["synth_lead", "keyboard", "bass", "flute"]


def test_preview_is_an_mp3_in_ranges(client: httpx.Client, library: dict[str, Any]) -> None:
    item = client.get(f"/v1/libraries/{library['id']}/instruments").json()["items"][0]
    whole = client.get(item["preview_url"])
    assert whole.headers["content-type"] == "audio/mpeg"
    part = client.get(item["preview_url"], headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]


def test_similar_leaves_the_instrument_out(client: httpx.Client, library: dict[str, Any]) -> None:
    item = client.get(f"/v1/libraries/{library['id']}/instruments").json()["items"][0]
    found = client.get(f"/v1/instruments/{item['id']}/similar", params={"limit": 2}).json()["items"]
    assert len(found) == 2
    assert found[0]["similarity"] >= found[1]["similarity"]
    assert item["id"] not in [hit["instrument_id"] for hit in found]
    problem(client.get(f"/v1/instruments/{item['id']}/similar", params={"limit": 0}), 422, "invalid-request")


@pytest.mark.parametrize("part", ["", "/preview", "/similar"])
@pytest.mark.parametrize("name", ["i_000000000000", "%00", "..%2f..%2fshowme.db", "%ff"])
def test_unknown_instruments(client: httpx.Client, name: str, part: str) -> None:
    assert client.get(f"/v1/instruments/{name}{part}").status_code == 404


def test_map_places_every_instrument(client: httpx.Client, library: dict[str, Any]) -> None:
    body = client.get(f"/v1/libraries/{library['id']}/map").json()
    assert body == client.get(f"/v1/libraries/{library['id']}/map").json()
    assert [point["name"] for point in body["points"]] == sorted(TONES)
    coordinates = np.array([[point["x"], point["y"]] for point in body["points"]])
    assert np.abs(coordinates).max() == pytest.approx(1.0)
    assert (body["method"], body["slots"]) == ("PCA", [])
    first, second = body["explained_variance"]
    assert 1.0 >= first >= second >= 0.0


def test_a_querys_slots_lie_amid_their_nearest_instruments(
    client: httpx.Client, library: dict[str, Any]
) -> None:
    fields = {"library": library["id"], "mode": "paper", "top_k": 1}
    files = {"file": ("a.wav", audio(tone(110.0)))}
    answer = client.post("/v1/queries", files=files, data=fields).json()
    address = f"/v1/libraries/{library['id']}/map"
    body = client.get(address, params={"query": answer["id"]}).json()
    place_of = {point["instrument_id"]: (point["x"], point["y"]) for point in body["points"]}
    assert [slot["slot"] for slot in body["slots"]] == [0, 1, 2]
    for placed, slot in zip(body["slots"], answer["slots"], strict=True):
        expected = place_of[slot["hits"][0]["instrument_id"]]
        assert (placed["x"], placed["y"]) == pytest.approx(expected)
    many = client.post("/v1/queries", data=fields | {"query": answer["id"], "top_k": 9}).json()
    for slot in client.get(address, params={"query": many["id"]}).json()["slots"]:
        assert max(abs(slot["x"]), abs(slot["y"])) <= 1.0
    problem(client.get(address, params={"query": "q_nothing"}), 404, "query-not-found")
    client.post("/v1/libraries", json={"name": "Elsewhere"})
    assert client.get("/v1/libraries/Elsewhere/map", params={"query": many["id"]}).json()["slots"] == []
    client.delete("/v1/libraries/Elsewhere")


def test_map_of_an_empty_library(client: httpx.Client) -> None:
    client.post("/v1/libraries", json={"name": "Empty"})
    assert client.get("/v1/libraries/Empty/map").json()["points"] == []
    client.delete("/v1/libraries/Empty")


def test_names_in_a_library_stay_apart(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "Twins"})
        for _ in range(2):
            enrolled(client, "Twins", ("Bass.wav", audio(tone(110.0))), ("Bass.wav", audio(tone(120.0))))
        names = [item["name"] for item in client.get("/v1/libraries/Twins/instruments").json()["items"]]
        assert len(set(names)) == 4
