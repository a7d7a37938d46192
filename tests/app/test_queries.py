"""Queries over HTTP: the answer's shape, what is stored, byte ranges, batches, and the choice of library."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import TONES, audio, mixture, tone

FILE = {"file": ("mix.wav", mixture())}


def ask(client: httpx.Client, library: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = client.post("/v1/queries", files=FILE, data={"library": library["id"]} | fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_answer_has_the_contracts_shape(
    client: httpx.Client, library: dict[str, Any], pair: EncoderPair
) -> None:
    body = ask(client, library, mode="paper", top_k=3)
    assert body["id"].startswith("q_")
    assert body["library"] == {"id": library["id"], "name": "Tones", "num_instruments": 4}
    assert body["mode"] == "paper"
    assert body["encoder"] == pair.encoder_hash
    assert body["duration_seconds"] == 3.0
    assert body["range_seconds"] == [0.0, 3.0]
    assert [slot["slot"] for slot in body["slots"]] == [0, 1, 2]
    assert set(body["timing_ms"]) == {"decode", "encode", "search"}
    for slot in body["slots"]:
        assert 0.0 <= slot["presence"] <= 1.0
        similarity = [hit["similarity"] for hit in slot["hits"]]
        assert len(similarity) == 3
        assert similarity == sorted(similarity, reverse=True)
        assert {hit["name"] for hit in slot["hits"]} <= set(TONES)
        for hit in slot["hits"]:
            assert client.get(hit["preview_url"]).headers["content-type"] == "audio/mpeg"
            assert hit["best_span"] == [0.0, 3.0]
        assert slot["hits"][0]["lead"] == pytest.approx(similarity[0] - similarity[1], abs=2e-4)
    assert body["num_instruments"] == len(body["retrieved"]) >= 1


def test_a_short_file_is_heard_as_if_it_were_repeated(
    client: httpx.Client, library: dict[str, Any], pair: EncoderPair
) -> None:
    once = tone(330.0, 1.5)
    files = [once, np.resize(once, pair.clip_samples)]
    answers = [
        client.post(
            "/v1/queries",
            files={"file": ("a.wav", audio(samples, pair.sample_rate))},
            data={"library": library["id"], "mode": "paper"},
        ).json()
        for samples in files
    ]
    heard = [
        [(slot["presence"], [hit | {"best_span": None} for hit in slot["hits"]]) for slot in answer["slots"]]
        for answer in answers
    ]
    assert heard[0] == heard[1]
    assert answers[0]["range_seconds"] == [0.0, 1.5]
    assert all(end <= 1.5 for slot in answers[0]["slots"] for _, end in slot["active"])


def test_auto_is_the_default_mode_and_stays_inside_the_range(
    client: httpx.Client, library: dict[str, Any]
) -> None:
    body = ask(client, library, start_seconds=0.5, end_seconds=2.5)
    assert body["mode"] == "auto"
    assert body["range_seconds"] == [0.5, 2.5]
    assert body["duration_seconds"] == 3.0
    for slot in body["slots"]:
        for start, end in slot["active"]:
            assert 0.5 <= start < end <= 2.5


def test_same_audio_gives_the_same_answer(client: httpx.Client, library: dict[str, Any]) -> None:
    first, second = ask(client, library), ask(client, library)
    assert first["id"] != second["id"]
    assert first["slots"] == second["slots"]


def test_family_narrows_the_hits(client: httpx.Client, library: dict[str, Any]) -> None:
    body = ask(client, library, mode="paper", family="flute")
    assert {hit["name"] for slot in body["slots"] for hit in slot["hits"]} == {"Soft Flute"}
    nobody = ask(client, library, mode="paper", family="vocal")
    assert [slot["hits"] for slot in nobody["slots"]] == [[], [], []]


def test_sound_effects_are_hits_only_if_asked_for(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        library = client.post("/v1/libraries", json={"name": "Tones"}).json()
        enrolled(
            client, "Tones", ("Soft Flute.wav", audio(tone(440.0))), ("FX gunshot.wav", audio(tone(220.0)))
        )

        def names(**fields: Any) -> set[str]:
            return {hit["name"] for slot in ask(client, library, **fields)["slots"] for hit in slot["hits"]}

        for mode in ("auto", "paper"):
            assert names(mode=mode) == {"Soft Flute"}
            assert names(mode=mode, effects="true") == {"Soft Flute", "FX gunshot"}
            assert names(mode=mode, family="effect") == {"FX gunshot"}
        refused = client.post("/v1/queries", files=FILE, data={"library": "Tones", "effects": "loud"})
        assert problem(refused, 422, "invalid-request")["value"] == "loud"


def test_stored_answer_and_audio_are_what_was_sent(client: httpx.Client, library: dict[str, Any]) -> None:
    body = ask(client, library)
    assert client.get(f"/v1/queries/{body['id']}").json() == body
    whole = client.get(body["audio_url"])
    assert whole.content == FILE["file"][1]
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "first", "last"), [("bytes=0-3", 0, 3), ("bytes=10-", 10, None), ("BYTES=-7", -7, None)]
)
def test_audio_is_served_in_ranges(
    client: httpx.Client, library: dict[str, Any], asked: str, first: int, last: int | None
) -> None:
    content = FILE["file"][1]
    part = client.get(ask(client, library)["audio_url"], headers={"Range": asked})
    expected = content[first : None if last is None else last + 1]
    assert part.status_code == 206
    assert part.content == expected
    start = first % len(content)
    assert part.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(content)}"


@pytest.mark.parametrize(
    "asked", ["bytes=99999999-", "bytes=5-2", "bytes=", "bytes=-0", "bytes=a-b", "bytes=0-1,x"]
)
def test_ranges_outside_the_file_are_problems(
    client: httpx.Client, library: dict[str, Any], asked: str
) -> None:
    answer = client.get(ask(client, library)["audio_url"], headers={"Range": asked})
    body = problem(answer, 416, "range-not-satisfiable")
    assert body["value"] == asked
    assert answer.headers["content-range"] == f"bytes */{len(FILE['file'][1])}"


def test_ranges_in_a_foreign_unit_are_ignored(client: httpx.Client, library: dict[str, Any]) -> None:
    answer = client.get(ask(client, library)["audio_url"], headers={"Range": "seconds=0-1"})
    assert answer.status_code == 200
    assert answer.content == FILE["file"][1]


def test_batch_answers_each_file_by_itself(client: httpx.Client, library: dict[str, Any]) -> None:
    files = [
        ("files", ("a.wav", mixture())),
        ("files", ("b.txt", b"words")),
        ("files", ("c.wav", mixture(1.0))),
    ]
    answer = client.post("/v1/queries/batch", files=files, data={"library": library["id"], "top_k": 1})
    assert answer.status_code == 200
    first, second, third = answer.json()["results"]
    assert [first["name"], second["name"], third["name"]] == ["a.wav", "b.txt", "c.wav"]
    assert client.get(f"/v1/queries/{first['query']['id']}").json() == first["query"]
    assert third["query"]["duration_seconds"] == 1.0
    assert second["query"] is None
    assert second["problem"]["status"] == 415
    assert second["problem"]["type"] == "urn:showme:problem:not-audio"


def test_batch_has_a_limit(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, max_batch_files=1) as client:
        answer = client.post("/v1/queries/batch", files=[("files", ("a.wav", mixture()))] * 2)
        body = problem(answer, 422, "invalid-request")
        assert (body["value"], body["limit"]) == (2, 1)


def test_library_may_be_left_out_while_there_is_only_one(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        problem(client.post("/v1/queries", files=FILE), 404, "library-not-found")
        client.post("/v1/libraries", json={"name": "First"})
        assert problem(client.post("/v1/queries", files=FILE), 409, "library-empty")["value"] == 0
        enrolled(client, "First", ("Low Bass.wav", audio(tone(110.0))))
        assert client.post("/v1/queries", files=FILE).json()["library"]["name"] == "First"
        client.post("/v1/libraries", json={"name": "Second"})
        assert (
            problem(client.post("/v1/queries", files=FILE), 422, "invalid-request")["limit"]
            == "First, Second"
        )
        by_name = client.post("/v1/queries", files=FILE, data={"library": "First"})
        assert by_name.json()["library"]["num_instruments"] == 1


def test_old_queries_make_room(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair, max_stored_queries=2) as client:
        client.post("/v1/libraries", json={"name": "One"})
        enrolled(client, "One", ("Low Bass.wav", audio(tone(110.0))))
        ids = [client.post("/v1/queries", files=FILE).json()["id"] for _ in range(3)]
        problem(client.get(f"/v1/queries/{ids[0]}"), 404, "query-not-found")
        assert client.get(f"/v1/queries/{ids[2]}/audio").status_code == 200
        assert sorted(path.stem for path in (tmp_path / "queries").iterdir()) == sorted(ids[1:])


def test_answers_outlive_their_library_and_the_process(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        client.post("/v1/libraries", json={"name": "Gone"})
        enrolled(client, "Gone", ("Low Bass.wav", audio(tone(110.0))))
        body = client.post("/v1/queries", files=FILE).json()
        assert client.delete("/v1/libraries/Gone").status_code == 204
    with running(tmp_path, pair) as client:
        assert client.get(f"/v1/queries/{body['id']}").json() == body
        assert client.get(body["audio_url"]).content == FILE["file"][1]
