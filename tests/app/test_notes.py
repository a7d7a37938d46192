"""Single notes of the instruments of a library: their keys, their sound, and why not where there is none."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile as sf

from index.decoding.connection import WorkerConnection
from index.decoding.workers import DecodeWorkers
from index.part_player import NEIGHBOURS, NOTE_SECONDS, TAIL_SECONDS
from models.encoder_pair import EncoderPair
from tests.app.serving import enrolled, problem, running
from tests.app.sounds import audio, tone
from tests.index.tiny_soundfont import PATCHES, soundfont_bytes

RATE = 16_000
MIDDLE_C, LOW_C_HZ, PEAK = 60, 130.8, 10 ** (-3 / 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="module")
def service(folder: Path, pair: EncoderPair) -> Iterator[httpx.Client]:
    """A service with the presets of a SoundFont, a one-shot of the C below middle C, and one that is noise."""
    noise = (0.3 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    files = [("Low.wav", audio(tone(LOW_C_HZ, 0.5))), ("Static.wav", audio(noise))]
    with running(folder, pair) as client:
        client.post("/v1/libraries", json={"name": "Players"})
        assert enrolled(client, "Players", ("Tiny.sf2", soundfont_bytes(PATCHES)), *files)["state"] == "done"
        yield client


@pytest.fixture(scope="module")
def at(service: httpx.Client) -> dict[str, str]:
    """The addresses of the instruments by name."""
    items = service.get("/v1/libraries/Players/instruments").json()["items"]
    return {one["name"]: f"/v1/instruments/{one['id']}" for one in items}


def samples_of(answer: httpx.Response) -> tuple[np.ndarray, int]:
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/flac"), answer.text
    samples, rate = sf.read(io.BytesIO(answer.content), dtype="float32")
    return samples, rate


@pytest.mark.parametrize("pitch", [MIDDLE_C - 5, MIDDLE_C, MIDDLE_C + 7])
def test_a_note_has_its_pitch_its_length_and_its_level(
    service: httpx.Client, at: dict[str, str], pitch: int
) -> None:
    samples, rate = samples_of(service.get(f"{at['Pure']}/note", params={"pitch": pitch}))
    hertz = np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples)
    assert hertz == pytest.approx(440.0 * 2 ** ((pitch - 69) / 12), rel=0.01)
    assert np.abs(samples).max() == pytest.approx(PEAK, abs=0.01)
    assert NOTE_SECONDS <= len(samples) / rate <= NOTE_SECONDS + TAIL_SECONDS


def test_keys_are_those_that_play(service: httpx.Client, at: dict[str, str]) -> None:
    def keys(name: str) -> list[int]:
        found: list[int] = service.get(f"{at[name]}/keys").json()["pitches"]
        return found

    assert keys("Only High Bells") == list(range(70, 128))
    low = keys("Low")
    assert low == list(range(low[0], low[0] + len(low)))
    assert MIDDLE_C - 12 in low
    assert len(low) in (14, 15)  # a fifth on either side
    assert keys("Low") == low
    for name, outside in (("Only High Bells", 69), ("Low", low[0] - 1)):
        refused = problem(service.get(f"{at[name]}/note", params={"pitch": outside}), 409, "cannot-play")
        assert f"does not play MIDI pitch {outside}" in refused["detail"]
        assert refused["value"] == outside
    samples, _ = samples_of(service.get(f"{at['Low']}/note", params={"pitch": low[0]}))
    assert np.abs(samples).max() == pytest.approx(PEAK, abs=0.01)


def test_a_drum_kit_plays_its_pieces(service: httpx.Client, at: dict[str, str]) -> None:
    samples, _ = samples_of(service.get(f"{at['Standard']}/note", params={"pitch": 38}))
    assert len(samples)


def test_what_cannot_be_played_says_why(service: httpx.Client, at: dict[str, str]) -> None:
    for address in ("keys", "note?pitch=60"):
        refused = problem(service.get(f"{at['Static']}/{address}"), 409, "cannot-play")
        assert "no sample of Static is a single note" in refused["detail"]
        problem(service.get(f"/v1/instruments/i_000000000000/{address}"), 404, "instrument-not-found")
    wrong: list[dict[str, Any]] = [
        *({}, {"pitch": -1}, {"pitch": 128}, {"pitch": "c"}),
        *({"pitch": 60, "velocity": 0}, {"pitch": 60, "velocity": 128}),
    ]
    for params in wrong:
        problem(service.get(f"{at['Pure']}/note", params=params), 422, "invalid-request")


def test_an_octave_on_either_side_is_kept(
    service: httpx.Client, at: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, released = DecodeWorkers.release, list[int]()

    def counted(self: DecodeWorkers, worker: WorkerConnection) -> None:
        released.append(worker.pid)
        release(self, worker)

    monkeypatch.setattr(DecodeWorkers, "release", counted)
    note = f"{at['Bright Saw Lead']}/note"
    service.get(note, params={"pitch": MIDDLE_C, "velocity": 77}).raise_for_status()
    workers = len(released)
    moved = (folder / "uploads").rename(folder / "elsewhere")
    try:
        for pitch in range(MIDDLE_C - NEIGHBOURS, MIDDLE_C + NEIGHBOURS + 1):
            samples_of(service.get(note, params={"pitch": pitch, "velocity": 77}))
        params = {"pitch": MIDDLE_C + NEIGHBOURS + 1, "velocity": 77}
        gone = problem(service.get(note, params=params), 409, "cannot-play")
        assert "not there any more" in gone["detail"]
    finally:
        moved.rename(folder / "uploads")
    assert len(released) == workers
    part = service.get(note, params={"pitch": 60, "velocity": 77}, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"fLaC")
