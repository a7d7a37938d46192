"""Repeating a query on its stored audio, excluded instruments, lanes of slots, the history, and the limits."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm.attributes import flag_modified

from index.catalog import Catalog, Query
from index.families import FAMILIES
from models.encoder_pair import EncoderPair
from tests.app.serving import problem, running
from tests.app.sounds import TONES, mixture

FILE = {"file": ("mix.wav", mixture(12.0))}


def ask(client: httpx.Client, library: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Send a new query with the file, or with `query=` and these fields."""
    files = None if "query" in fields else FILE
    answer = client.post(
        "/v1/queries", files=files, data={"library": library["id"], "mode": "paper"} | fields
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def hits(body: dict[str, Any]) -> set[str]:
    return {hit["instrument_id"] for slot in body["slots"] for hit in slot["hits"]}


def test_a_stored_query_is_asked_again_without_its_file(
    client: httpx.Client, library: dict[str, Any]
) -> None:
    first = ask(client, library)
    assert first["asked_again"] is None
    again = ask(client, library, query=first["id"])
    assert again["asked_again"] == first["id"] != again["id"]
    assert again["slots"] == first["slots"]
    assert (again["name"], again["duration_seconds"]) == ("mix.wav", 12.0)
    part = ask(client, library, query=again["id"], start_seconds=2, end_seconds=8, family="flute")
    assert (part["range_seconds"], part["asked_again"]) == ([2.0, 8.0], again["id"])
    assert client.get(part["audio_url"]).content == FILE["file"][1]


def test_a_query_asked_again_keeps_its_audio_when_the_first_is_deleted(
    client: httpx.Client, library: dict[str, Any]
) -> None:
    first = ask(client, library)
    again = ask(client, library, query=first["id"])
    assert client.delete(f"/v1/queries/{first['id']}").status_code == 204
    for address in ("", "/audio"):
        problem(client.get(f"/v1/queries/{first['id']}{address}"), 404, "query-not-found")
    problem(client.delete(f"/v1/queries/{first['id']}"), 404, "query-not-found")
    assert client.get(again["audio_url"]).content == FILE["file"][1]
    body = problem(client.post("/v1/queries", data={"query": first["id"]}), 404, "query-not-found")
    assert body["value"] == first["id"]
    assert ask(client, library, query=again["id"])["slots"] == first["slots"]


def test_a_file_or_a_query_but_not_both(client: httpx.Client, library: dict[str, Any]) -> None:
    first = ask(client, library)
    fields = {"library": library["id"], "query": first["id"]}
    assert problem(client.post("/v1/queries", files=FILE, data=fields), 422, "invalid-request")["value"] == (
        "both"
    )
    for nothing in ({"library": library["id"]}, {"library": library["id"], "query": ""}):
        assert problem(client.post("/v1/queries", data=nothing), 422, "invalid-request")["value"] == "neither"
    problem(client.post("/v1/queries", data=fields | {"query": "../showme.db"}), 404, "query-not-found")
    problem(client.post("/v1/queries", data=fields | {"query": "q" * 101}), 422, "invalid-request")


def test_a_query_whose_audio_is_gone_cannot_be_asked_again(own: httpx.Client, tmp_path: Path) -> None:
    first = own.post("/v1/queries", files=FILE).json()
    for path in (tmp_path / "queries").iterdir():
        path.unlink()
    problem(own.post("/v1/queries", data={"query": first["id"]}), 404, "query-not-found")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_excluded_instruments_are_not_hit(client: httpx.Client, library: dict[str, Any]) -> None:
    first = ask(client, library)
    everything = hits(first)
    assert len(everything) == len(TONES)
    unwanted = first["slots"][0]["hits"][0]["instrument_id"]
    without = ask(client, library, query=first["id"], exclude=[unwanted, "i_unknown", ""])
    assert hits(without) == everything - {unwanted}
    assert unwanted not in without["retrieved"]
    of_family = ask(client, library, query=first["id"], family="flute")["slots"][0]["hits"]
    left = ask(client, library, query=first["id"], family="flute", exclude=[of_family[0]["instrument_id"]])
    assert hits(left) == set()
    nothing = ask(client, library, query=first["id"], exclude=sorted(everything))
    assert (hits(nothing), nothing["retrieved"]) == (set(), [])
    assert {(slot["family"], slot["close"]) for slot in nothing["slots"]} == {(None, False)}
    assert all(slot["match"] == {"probability": 0.0, "word": "none"} for slot in nothing["slots"])


def test_a_thousand_may_be_excluded_and_no_more(client: httpx.Client, library: dict[str, Any]) -> None:
    first = ask(client, library)
    unwanted = [f"i_{number:012x}" for number in range(999)] + [first["retrieved"][0]]
    assert first["retrieved"][0] not in hits(ask(client, library, query=first["id"], exclude=unwanted))
    fields = {"library": library["id"], "query": first["id"], "exclude": [*unwanted, "i_more"]}
    body = problem(client.post("/v1/queries", data=fields), 422, "invalid-request")
    assert body["limit"] == 1000


@pytest.mark.parametrize("mode", ["auto", "paper"])
def test_slots_say_what_lanes_draw(
    client: httpx.Client, library: dict[str, Any], pair: EncoderPair, mode: str
) -> None:
    body = ask(client, library, mode=mode, start_seconds=1.0, end_seconds=11.0)
    for slot in body["slots"]:
        seconds = [second for second, _ in slot["curve"]]
        assert seconds == sorted(set(seconds))
        assert 1.0 < seconds[0] <= seconds[-1] < 11.0
        assert max(presence for _, presence in slot["curve"]) == slot["presence"]
        assert slot["family"] in {*FAMILIES, None}
        assert slot["close"] == (slot["match"]["word"] != "none")
        assert slot["match"]["word"] == pair.calibrated_match().word(slot["match"]["probability"])
    assert len({tuple(second for second, _ in slot["curve"]) for slot in body["slots"]}) <= 1


def test_batches_exclude_too(client: httpx.Client, library: dict[str, Any]) -> None:
    unwanted = ask(client, library)["retrieved"][0]
    fields = {"library": library["id"], "mode": "paper", "exclude": unwanted}
    answer = client.post("/v1/queries/batch", files=[("files", ("a.wav", mixture()))], data=fields).json()
    assert unwanted not in hits(answer["results"][0]["query"])


def test_the_history_is_newest_first_in_pages(own: httpx.Client) -> None:
    assert own.get("/v1/queries").json() == {"items": [], "next": None}
    asked = [own.post("/v1/queries", files=FILE).json() for _ in range(5)]
    listed = own.get("/v1/queries", params={"limit": 5}).json()
    assert listed["next"] is None
    for item, body in zip(listed["items"], reversed(asked), strict=True):
        assert item["created_at"].endswith("Z")
        assert {key: item[key] for key in ("id", "name", "library", "num_instruments")} == {
            key: body[key] for key in ("id", "name", "library", "num_instruments")
        }
    ids: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = own.get("/v1/queries", params=params).json()
        ids += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        own.delete(f"/v1/queries/{ids[-1]}")  # the place in the list does not depend on it
        params["next"] = page["next"]
    assert ids == [body["id"] for body in reversed(asked)]


@pytest.mark.parametrize(
    "after", ["x", "1_x", "99999999999999999999_q_000000000000", "q_000000000000", "١_q"]
)
def test_bad_pages_of_the_history(client: httpx.Client, after: str) -> None:
    problem(client.get("/v1/queries", params={"next": after}), 422, "invalid-request")
    assert client.get("/v1/queries", params={"next": f"{10**17 - 1}_q_000000000000"}).status_code == 200


def test_limits_are_those_of_the_settings(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, max_upload_bytes=12345, max_top_k=7) as client:
        body = client.get("/v1/limits").json()
    assert (body["max_upload_bytes"], body["max_top_k"], body["max_batch_files"]) == (12345, 7, 32)
    assert body["max_decoded_seconds"] == 1800.0
    assert body["families"] == list(FAMILIES)
    assert {".wav", ".mp3", ".m4a"} <= set(body["audio_formats"])
    assert {".wav", ".zip", ".sf2", ".sf3", ".sfz"} <= set(body["library_formats"])


def test_answers_of_an_older_version_can_be_read(
    own: httpx.Client, tmp_path: Path, pair: EncoderPair
) -> None:
    body = own.post("/v1/queries", files=FILE, data={"mode": "paper"}).json()
    catalog = Catalog(tmp_path / "showme.db")
    with catalog.write() as session:
        row = session.get_one(Query, body["id"])
        del row.result["asked_again"], row.result["instruments"]
        for slot in row.result["slots"]:
            for name in ("curve", "family", "close", "match"):
                del slot[name]
            for hit in slot["hits"]:
                del hit["source"]
        flag_modified(row, "result")
    catalog.close()
    old = own.get(f"/v1/queries/{body['id']}").json()
    assert old["instruments"] == []
    assert {hit["source"] for slot in old["slots"] for hit in slot["hits"]} == {None}
    assert {(slot["family"], slot["close"], len(slot["curve"])) for slot in old["slots"]} == {(None, True, 0)}
    assert {slot["match"] for slot in old["slots"]} == {None}
    assert own.post("/v1/queries", data={"query": body["id"]}).json()["asked_again"] == body["id"]
