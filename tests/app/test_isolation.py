"""Isolated lanes over HTTP: in time with the mixture, to which a lane and the mixture without it add up; refusals say why."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.isolation import LaneIsolator
from app.parts import QueryParts
from models.audio import Decoded, decode
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import TONES, audio, tone

RATE, SECONDS, START = 44_100, 6.0, 1.5
MIXTURE = (tone(110.0, SECONDS, RATE) + tone(880.0, SECONDS, RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("isolation")


@pytest.fixture(scope="module")
def service(folder: Path, pair: EncoderPair) -> Iterator[httpx.Client]:
    with running(folder, pair) as client:
        client.post("/v1/libraries", json={"name": "Tones"})
        files = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]
        assert enrolled(client, "Tones", *files)["state"] == "done"
        yield client


def ask(client: httpx.Client, **fields: str) -> dict[str, Any]:
    """The answer to the mixture, with all slots of the encoder."""
    answer = client.post(
        "/v1/queries",
        files={"file": ("two tones.wav", audio(MIXTURE, RATE))},
        data={"library": "Tones", "mode": "paper"} | fields,
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def address(service: httpx.Client) -> str:
    """Of what the first slot isolates, from second 1.5 on."""
    found = ask(service, start_seconds=str(START))
    return f"/v1/queries/{found['id']}/slots/0/isolated"


def samples_of(answer: httpx.Response) -> np.ndarray:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg"), answer.text
    return decode(io.BytesIO(answer.content), sample_rate=RATE).samples


def test_a_slot_and_the_mixture_without_it_add_up_in_time(service: httpx.Client, address: str) -> None:
    own = samples_of(service.get(address))
    without = samples_of(service.get(address, params={"mute": "true"}))
    expected = MIXTURE[round(START * RATE) :]
    assert len(own) == len(without) == pytest.approx(len(expected), abs=0.05 * RATE)
    number = min(len(own), len(expected))
    both, expected = (own + without)[:number], expected[:number]
    assert np.square(both - expected).sum() < 0.02 * np.square(expected).sum()
    assert 0.001 < np.square(own).sum() / np.square(expected).sum() < 0.999


def test_it_is_made_once_and_sent_in_ranges(
    service: httpx.Client, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = service.get(address).content
    isolate, calls = LaneIsolator.isolate, list[int]()

    def counted(self: LaneIsolator, parts: QueryParts, slot: int, decoded: Decoded, *, mute: bool) -> Path:
        calls.append(slot)
        return isolate(self, parts, slot, decoded, mute=mute)

    monkeypatch.setattr(LaneIsolator, "isolate", counted)
    assert service.get(address).content == whole
    head = service.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole))
    part = service.get(address, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert service.head(address, headers={"Range": "bytes=0-9"}).status_code == 206
    assert service.get(address, params={"mute": "true"}).content != whole
    assert not calls
    service.get(address.replace("slots/0", "slots/1"))
    assert calls == [1]


def test_at_most_the_stated_length_is_isolated(
    service: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.isolation.MAX_ISOLATED_SECONDS", 2.0)
    found = ask(service, start_seconds="1")
    own = samples_of(service.get(f"/v1/queries/{found['id']}/slots/0/isolated"))
    assert len(own) / RATE == pytest.approx(2.0, abs=0.05)


def test_what_cannot_be_isolated_is_said(service: httpx.Client, address: str, folder: Path) -> None:
    problem(service.get("/v1/queries/q_000000000000/slots/0/isolated"), 404, "query-not-found")
    refused = problem(service.get(address.replace("slots/0", "slots/77")), 404, "slot-not-found")
    assert refused["value"] == 77
    problem(service.get(address.replace("slots/0", "slots/first")), 422, "invalid-request")
    problem(service.get(address, params={"mute": "perhaps"}), 422, "invalid-request")
    gone = ask(service)
    at = f"/v1/queries/{gone['id']}/slots/0/isolated"
    (folder / "queries" / f"{gone['id']}.wav").unlink()
    problem(service.get(at), 409, "audio-gone")
    assert service.head(at).status_code == 409
