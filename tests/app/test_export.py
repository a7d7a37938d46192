"""Downloads of the instruments chosen in a query, and the duplicates of a library, over HTTP."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from app.export.document import ExportedSet, midi_files
from app.parts import QueryParts
from app.schemas import QueryAnswer
from models.recognition.lane_notes import LaneNotes
from models.recognition.notes import HeardNote
from tests.app.serving import enrolled, problem
from tests.app.sounds import TONES, audio, mixture, tone
from tests.app.test_undo import instruments
from tests.index.tiny_soundfont import PATCHES, write_soundfont

FILES = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]


def asked(client: httpx.Client, name: str = "mix.wav", **fields: Any) -> dict[str, Any]:
    files = {"file": (name, mixture())}
    body: dict[str, Any] = client.post("/v1/queries", files=files, data={"mode": "paper"} | fields).json()
    return body


def exported(client: httpx.Client, query: dict[str, Any], form: str, *ids: str) -> httpx.Response:
    params = {"format": form, "instruments": list(ids)}
    answer = client.get(f"/v1/queries/{query['id']}/export", params=params)
    assert answer.status_code == 200, answer.text
    return answer


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_the_best_hit_of_every_slot_is_the_set(own: httpx.Client) -> None:
    query = asked(own)
    answer = exported(own, query, "json")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert {key: document[key] for key in ("query", "name", "library", "range_seconds")} == {
        "query": query["id"],
        **{key: query[key] for key in ("name", "library", "range_seconds")},
    }
    firsts = [slot["hits"][0]["instrument_id"] for slot in query["slots"]]
    assert [item["instrument_id"] for item in document["instruments"]] == list(dict.fromkeys(firsts))
    by_id = {item["id"]: item for item in instruments(own).values()}
    for item in document["instruments"]:
        slot = query["slots"][item["slot"]]
        (hit,) = (hit for hit in slot["hits"] if hit["instrument_id"] == item["instrument_id"])
        assert (item["similarity"], item["active"]) == (hit["similarity"], slot["active"])
        for other in query["slots"]:
            assert all(
                hit["similarity"] <= item["similarity"]
                for hit in other["hits"]
                if hit["instrument_id"] == item["instrument_id"]
            )
        now = by_id[item["instrument_id"]]
        assert [item[key] for key in ("name", "family", "source", "licence")] == [
            now[key] for key in ("name", "family", "source", "licence")
        ]
        assert item["gone"] is False
        assert slot["hits"][item["rank"] - 1] == hit
        assert [item[key] for key in ("presence", "heard", "match")] == [
            slot[key] for key in ("presence", "family", "match")
        ]
        assert (item["bank"], item["preset"], item["midi"]) == (None, None, None)
    assert document["link"].endswith(f"/#/q/{query['id']}")


def test_a_preset_is_told_by_bank_and_number(own: httpx.Client, tmp_path: Path) -> None:
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:2])
    enrolled(own, "One", (font.name, font.read_bytes()))
    query = asked(own, top_k="50")
    presets = [item for item in instruments(own).values() if item["source"].startswith("Studio.sf2#")]
    assert presets
    document = exported(own, query, "json", *[item["id"] for item in presets]).json()
    for item, preset in zip(document["instruments"], presets, strict=True):
        assert preset["source"] == f"Studio.sf2#{item['bank']}:{item['preset']}"


def test_the_zip_holds_a_folder_of_both_lists_and_the_previews(own: httpx.Client, tmp_path: Path) -> None:
    query = asked(own)
    chosen = [instruments(own)[name]["id"] for name in ("Low Bass", "Grand Piano")]
    answer = exported(own, query, "zip", *chosen)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        document = json.loads(archive.read("mix/set.json"))
        parts = {item["midi"] for item in document["instruments"]} - {None}
        assert sorted(archive.namelist()) == [
            *sorted(f"mix/{path}" for path in parts),
            "mix/previews/01 Low Bass.mp3",
            "mix/previews/02 Grand Piano.mp3",
            "mix/set.csv",
            "mix/set.json",
        ]
        rows = rows_of(archive.read("mix/set.csv"))
        preview = archive.read("mix/previews/01 Low Bass.mp3")
    assert preview == own.get(f"/v1/instruments/{chosen[0]}/preview").content
    for item, row in zip(document["instruments"], rows, strict=True):
        assert row["midi"] == (item["midi"] or "")
        item["midi"], row["midi"] = None, ""
    assert document == exported(own, query, "json", *chosen).json()
    assert rows == rows_of(exported(own, query, "csv", *chosen).content)
    assert [row["instrument_id"] for row in rows] == chosen
    assert rows[0]["active"] == "0-3"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_sure_parts_of_the_chosen_instruments_lie_beside_them(own: httpx.Client) -> None:
    query = asked(own)
    chosen = ExportedSet.model_validate(exported(own, query, "json").json())
    first, *others = [item for item in chosen.instruments if item.slot is not None]
    lanes = tuple(
        LaneNotes((HeardNote(60, 0.0, 1.0),), 0.9 if slot["slot"] == first.slot else 0.1)
        for slot in query["slots"]
    )
    parts = QueryParts(QueryAnswer.model_validate(query), lanes)
    files = midi_files(chosen, parts)
    assert first.slot is not None
    assert files == {first.midi: parts.midi(first.slot)}
    assert re.fullmatch(r"midi/mix - \d+ \w+\.mid", str(first.midi))
    assert {item.midi for item in others if item.slot != first.slot} <= {None}


def test_what_is_gone_is_listed_without_a_preview(own: httpx.Client) -> None:
    query = asked(own)
    item = instruments(own)["Low Bass"]
    own.delete(f"/v1/instruments/{item['id']}")
    answer = exported(own, query, "zip", item["id"], "i_unknown")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        files = {path for path in archive.namelist() if "/midi/" not in path}
        assert files == {"mix/set.csv", "mix/set.json"}
        first, second = json.loads(archive.read("mix/set.json"))["instruments"]
    assert (first["name"], first["gone"], first["preview"], first["family"]) == (
        "Low Bass",
        True,
        None,
        "bass",
    )
    assert first["similarity"] is not None
    assert (second["name"], second["gone"], second["slot"], second["active"]) == (None, True, None, [])


def test_names_that_are_awkward_in_files_and_sheets(own: httpx.Client) -> None:
    item = instruments(own)["Low Bass"]
    name = '=SUM(A1) ../"Ünï" \u202e;x'
    assert own.patch(f"/v1/instruments/{item['id']}", json={"name": name}).status_code == 200
    query = asked(own, 'Lied "Nr. 1" für Ü.wav')
    (row,) = rows_of(exported(own, query, "csv", item["id"]).content)
    assert row["name"] == f"'{name}"
    answer = exported(own, query, "zip", item["id"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (path,) = (path for path in archive.namelist() if "/previews/" in path)
    assert path.count("/") == 2
    assert path.split("/")[2].startswith("01 =SUM(A1)")
    kind, plain, encoded = answer.headers["content-disposition"].split("; ")
    assert kind == "attachment"
    assert plain.isascii()
    assert plain.count('"') == 2
    assert unquote(encoded.removeprefix("filename*=UTF-8''")) == unquote(encoded).partition("''")[2]
    assert "für Ü instruments.zip" in unquote(encoded)


def test_a_set_may_be_empty(own: httpx.Client) -> None:
    query = asked(own, family="vocal")
    assert exported(own, query, "json").json()["instruments"] == []
    assert rows_of(exported(own, query, "csv").content) == []
    assert exported(own, query, "zip").status_code == 200


@pytest.mark.parametrize(
    "asked_range", ["bytes=abc", "bytes=9999999999-", "bytes=5-2", "lines=1-2", "bytes=0-9"]
)
def test_a_range_of_a_zip_gets_the_whole_and_leaves_nothing(
    own: httpx.Client, tmp_path: Path, asked_range: str
) -> None:
    """Each zip is made anew, so a part of one fits no other: RFC 9110, 14.2, lets the header be ignored."""
    query = asked(own)
    address = f"/v1/queries/{query['id']}/export"
    answer = own.get(address, params={"format": "zip"}, headers={"Range": asked_range})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {"mix/set.json", "mix/set.csv"} <= set(archive.namelist())
    assert list((tmp_path / "tmp").iterdir()) == []


def test_exports_that_cannot_be(own: httpx.Client) -> None:
    query = asked(own)
    address = f"/v1/queries/{query['id']}/export"
    assert problem(own.get(address, params={"format": "pdf"}), 422, "invalid-request")["value"] == "pdf"
    too_many = {"instruments": ["i_x"] * 501}
    assert problem(own.get(address, params=too_many), 422, "invalid-request")["limit"] == 500
    problem(own.get("/v1/queries/q_nothing/export"), 404, "query-not-found")


def test_duplicates_are_pointed_out(own: httpx.Client) -> None:
    address = "/v1/libraries/One/duplicates"
    enrolled(own, "One", FILES[0])
    (group,) = own.get(address, params={"min_similarity": 0.9999}).json()["groups"]
    assert group["similarity"] == 1.0
    found = instruments(own)
    assert group["instruments"] == [found["Low Bass"], found["Low Bass (2)"]]
    groups = own.get(address, params={"min_similarity": 0.5, "limit": 1}).json()["groups"]
    assert len(groups) <= 1
    own.delete(f"/v1/instruments/{found['Low Bass']['id']}")
    assert own.get(address, params={"min_similarity": 0.9999}).json() == {"groups": []}
    own.post("/v1/libraries", json={"name": "Empty"})
    assert own.get("/v1/libraries/Empty/duplicates").json() == {"groups": []}
    problem(own.get("/v1/libraries/nowhere/duplicates"), 404, "library-not-found")
    for params in ({"min_similarity": 1.1}, {"min_similarity": 0.4}, {"min_similarity": "nan"}, {"limit": 0}):
        problem(own.get(address, params=params), 422, "invalid-request")
