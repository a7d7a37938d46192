"""The parts of a query: their notes as MIDI files, played by instruments of the library, and why not where they are not."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.parts import PartReader, QueryParts
from app.schemas import QueryAnswer
from index.decoding.connection import WorkerConnection
from index.decoding.workers import DecodeWorkers
from index.part_player import TAIL_SECONDS
from models.audio import Decoded, decode
from models.encoder_pair import EncoderPair
from models.recognition.lane_notes import CONFIDENT
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import audio, tone
from tests.index.tiny_soundfont import PATCHES, soundfont_bytes
from training.midi_notes import MidiTrack, tracks_of
from training.smf import parse_events

LOW_A, SECONDS = 45, 6.0  # the tone of 110 Hz, in every quarter of a second
RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="module")
def service(folder: Path, pair: EncoderPair) -> Iterator[httpx.Client]:
    """A service with presets of a SoundFont, and one-shots: one near the tone, one far from it, and one that is noise.

    A drum kit is in a library of its own: where it is the only hit with a family, no slot has notes.
    """
    noise = (0.3 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    one_shots = {"Near Bass": tone(130.8, 0.5), "Far Flute": tone(880.0, 0.5), "Static": noise}
    with running(folder, pair) as client:
        for name in ("Players", "Kits"):
            client.post("/v1/libraries", json={"name": name})
        kit = soundfont_bytes(PATCHES[-1:])
        assert enrolled(client, "Kits", ("Kit.sf2", kit))["state"] == "done"
        files = [(f"{name}.wav", audio(samples)) for name, samples in one_shots.items()]
        assert (
            enrolled(client, "Players", ("Tiny.sf2", soundfont_bytes(PATCHES[:-1])), *files)["state"]
            == "done"
        )
        yield client


@pytest.fixture(scope="module")
def instruments(service: httpx.Client) -> dict[str, str]:
    """The ids of the instruments by name."""
    libraries = [service.get(f"/v1/libraries/{name}/instruments").json() for name in ("Players", "Kits")]
    return {one["name"]: one["id"] for library in libraries for one in library["items"]}


def ask(client: httpx.Client, samples: np.ndarray, **fields: str) -> dict[str, Any]:
    answer = client.post(
        "/v1/queries",
        files={"file": ("my söng.wav", audio(samples))},
        data={"library": "Players", "mode": "paper"} | fields,
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(scope="module")
def answer(service: httpx.Client) -> dict[str, Any]:
    """The answer to a lone tone, with all slots of the encoder, from second 1 on."""
    return ask(service, tone(110.0, SECONDS), start_seconds="1")


@pytest.fixture(scope="module")
def slot(service: httpx.Client, answer: dict[str, Any]) -> int:
    """A slot that has notes."""
    parts = service.get(f"/v1/queries/{answer['id']}/parts").json()["parts"]
    return next(int(part["slot"]) for part in parts if part["num_notes"])


def notes_in(data: bytes) -> list[MidiTrack]:
    return tracks_of(parse_events(data))


def test_parts_are_told_for_every_slot(service: httpx.Client, answer: dict[str, Any]) -> None:
    found = service.get(f"/v1/queries/{answer['id']}/parts").json()
    assert (found["query"], found["least_confidence"]) == (answer["id"], CONFIDENT)
    assert [part["slot"] for part in found["parts"]] == [one["slot"] for one in answer["slots"]]
    sounding = [part for part in found["parts"] if part["num_notes"]]
    assert sounding
    for part in sounding:
        assert part["lowest_pitch"] == LOW_A
        assert 0 < part["confidence"] <= 1
        assert part["confident"] == (part["confidence"] >= CONFIDENT)
    assert all(part["lowest_pitch"] is None for part in found["parts"] if not part["num_notes"])


def test_a_midi_file_lies_beside_the_audio(service: httpx.Client, answer: dict[str, Any], slot: int) -> None:
    got = service.get(f"/v1/queries/{answer['id']}/slots/{slot}/midi")
    assert (got.status_code, got.headers["content-type"]) == (200, "audio/midi")
    family = answer["slots"][slot]["family"] or "unknown"
    assert f"my%20s%C3%B6ng%20-%20{slot + 1}%20{family}.mid" in got.headers["content-disposition"]
    (track,) = notes_in(got.content)
    low = track.notes[track.notes[:, 0] == LOW_A]
    beats = low[:, 2] / 0.25  # the tone is struck four times a second, from the beginning of the file
    assert len(low) >= 10
    assert np.abs(beats - beats.round()).max() < 0.2
    assert 1.0 <= low[0, 2] < 1.6
    assert low[-1, 2] > SECONDS - 1.0


def test_parts_are_kept_and_else_read_again(
    service: httpx.Client, answer: dict[str, Any], slot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/v1/queries/{answer['id']}/slots/{slot}/midi"
    before = service.get(address).content
    read, calls = PartReader.read, list[str]()

    def counted(self: PartReader, answer: QueryAnswer, audio: Path, decoded: Decoded) -> QueryParts:
        calls.append(answer.id)
        return read(self, answer, audio, decoded)

    monkeypatch.setattr(PartReader, "read", counted)
    assert service.get(address).content == before
    asked = {"query": answer["id"], "library": "Players", "start_seconds": "1", "mode": "paper"}
    again = service.post("/v1/queries", data=asked).json()
    same = service.get(f"/v1/queries/{again['id']}/slots/{slot}/midi").content
    assert notes_in(same)[0].notes.tolist() == notes_in(before)[0].notes.tolist()
    assert not calls
    monkeypatch.setattr("app.parts.KEPT", 0)
    other = ask(service, tone(220.0, 3.0))
    service.get(f"/v1/queries/{other['id']}/parts")
    assert service.get(address).content == before
    assert calls == [other["id"], answer["id"]]


def test_what_is_not_there_is_said(service: httpx.Client, answer: dict[str, Any], folder: Path) -> None:
    at = f"/v1/queries/{answer['id']}"
    problem(service.get("/v1/queries/q_000000000000/parts"), 404, "query-not-found")
    problem(service.get("/v1/queries/q_000000000000/slots/0/midi"), 404, "query-not-found")
    refused = problem(service.get(f"{at}/slots/77/midi"), 404, "slot-not-found")
    assert (refused["value"], refused["limit"]) == (77, "3 slots")
    for wrong in ("-1", "first"):
        problem(service.get(f"{at}/slots/{wrong}/midi"), 422, "invalid-request")
    problem(service.get(f"{at}/slots/0/render"), 422, "invalid-request")
    params = {"instrument": "i_000000000000"}
    problem(service.get(f"{at}/slots/0/render", params=params), 404, "instrument-not-found")
    gone = ask(service, tone(110.0, 2.0))
    (folder / "queries" / f"{gone['id']}.wav").unlink()
    problem(service.get(f"/v1/queries/{gone['id']}/parts"), 409, "audio-gone")
    problem(service.get(f"/v1/queries/{gone['id']}/slots/0/midi"), 409, "audio-gone")


def test_a_slot_without_notes_is_refused(service: httpx.Client, instruments: dict[str, str]) -> None:
    noise = (0.1 * np.random.default_rng(1).standard_normal(3 * RATE)).astype(np.float32)
    found = ask(service, noise)
    at = f"/v1/queries/{found['id']}/slots/0"
    problem(service.get(f"{at}/midi"), 409, "no-notes")
    problem(service.get(f"{at}/render", params={"instrument": instruments["Pure"]}), 409, "no-notes")


@pytest.mark.parametrize("name", ["Pure", "Near Bass"])
def test_a_part_is_played_by_presets_and_one_shots(
    service: httpx.Client, answer: dict[str, Any], slot: int, instruments: dict[str, str], name: str
) -> None:
    at, params = f"/v1/queries/{answer['id']}/slots/{slot}/render", {"instrument": instruments[name]}
    got = service.get(at, params=params)
    assert (got.status_code, got.headers["content-type"]) == (200, "audio/mpeg"), got.text
    played = decode(io.BytesIO(got.content), sample_rate=RATE)
    assert played.duration_seconds == pytest.approx(SECONDS - 1.0 + TAIL_SECONDS, abs=0.1)
    spectrum = np.abs(np.fft.rfft(played.samples))
    hertz = np.fft.rfftfreq(len(played.samples), 1 / RATE)
    assert hertz[spectrum.argmax()] == pytest.approx(110.0, rel=0.02)
    part = service.get(at, params=params, headers={"Range": "bytes=0-99"})
    assert (part.status_code, part.content) == (206, got.content[:100])


def test_a_rendered_part_is_kept_and_workers_end(
    service: httpx.Client,
    answer: dict[str, Any],
    slot: int,
    instruments: dict[str, str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, released = DecodeWorkers.release, list[int]()

    def counted(self: DecodeWorkers, worker: WorkerConnection) -> None:
        released.append(worker.pid)
        release(self, worker)

    monkeypatch.setattr(DecodeWorkers, "release", counted)
    at, params = (
        f"/v1/queries/{answer['id']}/slots/{slot}/render",
        {"instrument": instruments["Hollow Clarinet"]},
    )
    first = service.get(at, params=params)
    assert first.status_code == 200, first.text
    assert len(released) == 2  # the worker that opened the source, and the one that played
    moved = (folder / "uploads").rename(folder / "elsewhere")
    try:
        assert service.get(at, params=params).content == first.content
        params = {"instrument": instruments["Bright Saw Lead"]}
        gone = problem(service.get(at, params=params), 409, "cannot-play")
        assert "not there any more" in gone["detail"]
    finally:
        moved.rename(folder / "uploads")
    shutil.rmtree(folder / "tmp")
    (folder / "tmp").mkdir()
    assert service.get(at, params={"instrument": instruments["Hollow Clarinet"]}).content == first.content


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Far Flute", "lie within a fifth of a sample of Far Flute; at least half must"),
        ("Static", "no sample of Static is a single note (Static.wav: not a single note)"),
        ("Standard", "is a drum, which plays no pitches"),
    ],
)
def test_an_instrument_that_cannot_play_the_part_says_why(
    service: httpx.Client,
    answer: dict[str, Any],
    slot: int,
    instruments: dict[str, str],
    name: str,
    reason: str,
) -> None:
    at, params = f"/v1/queries/{answer['id']}/slots/{slot}/render", {"instrument": instruments[name]}
    assert reason in problem(service.get(at, params=params), 409, "cannot-play")["detail"]
