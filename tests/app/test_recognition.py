"""POST /v1/recognise, and the families of a whole query: what is heard, what is refused, and that nothing is stored."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from index.families import FAMILIES
from index.recognition import PLAYS
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import audio, mixture, tone
from tests.encoders import random_families, random_pair


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hearing")


@pytest.fixture(scope="module")
def hearing(folder: Path) -> Iterator[httpx.Client]:
    """A service whose encoders come with a family model."""
    pair = random_pair()
    pair.family = random_families(pair.embedding_dim)
    with running(folder, pair) as client:
        yield client


def recognised(client: httpx.Client, content: bytes, **fields: str) -> httpx.Response:
    return client.post("/v1/recognise", files={"file": ("song.wav", content)}, data=fields)


def test_families_come_with_their_time_and_nothing_is_stored(hearing: httpx.Client, folder: Path) -> None:
    found = recognised(hearing, mixture(8.0), start_seconds="1", end_seconds="7.5").json()
    assert (found["name"], found["duration_seconds"], found["range_seconds"]) == ("song.wav", 8.0, [1.0, 7.5])
    assert found["families"]
    for one in found["families"]:
        assert one["family"] in FAMILIES
        assert 0.05 <= one["probability"] <= 1
        assert all(1.0 <= start < end <= 7.5 for start, end in one["active"])
        assert all(1.0 < second < 7.5 for second, _ in one["curve"])
    order = [one["probability"] for one in found["families"]]
    assert order == sorted(order, reverse=True)
    assert hearing.get("/v1/queries").json()["items"] == []
    assert list((folder / "tmp").iterdir()) == []


def test_a_query_tells_the_same_families_whatever_its_library_holds(hearing: httpx.Client) -> None:
    hearing.post("/v1/libraries", json={"name": "One"})
    enrolled(hearing, "One", ("Low Bass.wav", audio(tone(110.0))))
    content = mixture(8.0)
    answer = hearing.post("/v1/queries", files={"file": ("song.wav", content)}).json()
    alone = recognised(hearing, content).json()["families"]
    told = {slot["family"] for slot in answer["slots"]}
    assert {one["family"] for one in answer["families"] if one["plays"]} == told - {None}
    assert {one["family"] for one in alone if one["plays"]} == {
        one["family"] for one in alone if one["probability"] >= PLAYS
    }
    heard = {one["family"]: one for one in answer["families"]}
    assert all(heard[one["family"]] == one | {"plays": one["family"] in told} for one in alone)
    assert hearing.get(f"/v1/queries/{answer['id']}").json()["families"] == answer["families"]


def test_what_is_refused_is_refused_as_in_queries(hearing: httpx.Client) -> None:
    problem(recognised(hearing, b"not audio"), 415, "not-audio")
    problem(recognised(hearing, audio(0 * tone(110.0))), 422, "silent-audio")
    problem(recognised(hearing, mixture(), start_seconds="9"), 422, "range-outside-audio")
    problem(recognised(hearing, mixture(), start_seconds="2", end_seconds="1"), 422, "invalid-request")
    problem(hearing.post("/v1/recognise", data={"start_seconds": "1"}), 422, "invalid-request")
    problem(hearing.get("/v1/recognise"), 405, "method-not-allowed")


def test_encoders_that_tell_no_families_say_so(tmp_path: Path, pair: EncoderPair) -> None:
    with running(tmp_path, pair) as client:
        refused = problem(recognised(client, mixture()), 503, "checkpoint")
    assert refused["limit"] == "family.safetensors"
