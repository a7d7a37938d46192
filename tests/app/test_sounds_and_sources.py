"""One sound in, similar instruments out; and the files that instruments were enrolled from."""

import io
import shutil
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.engine import Engine
from models.encoder_pair import EncoderPair
from tests.app.keyed import TONE, KeyedService, Owned, made
from tests.app.serving import enrolled, problem, running, settings_for
from tests.app.sounds import RATE, TONES, audio, tone, zipped
from tests.index.tiny_soundfont import soundfont_bytes


def ids_of(client: httpx.Client, library: str) -> dict[str, str]:
    items = client.get(f"/v1/libraries/{library}/instruments").json()["items"]
    return {one["name"]: one["id"] for one in items}


@pytest.mark.parametrize("name", TONES)
def test_an_enrolled_sound_finds_itself_first(own: httpx.Client, name: str) -> None:
    sound = {"file": ("any name", audio(tone(TONES[name]), form="FLAC"))}
    items = own.post("/v1/similar", files=sound, data={"library": "One"}).json()["items"]
    assert len(items) == len(TONES)
    assert (items[0]["name"], round(items[0]["similarity"], 3)) == (name, 1.0)
    assert [one["similarity"] for one in items] == sorted((one["similarity"] for one in items), reverse=True)


def test_a_range_of_a_sound_is_heard_and_nothing_is_stored(own: httpx.Client) -> None:
    both = np.concatenate([tone(110.0), np.zeros(RATE, np.float32), tone(880.0)])
    asked = {"start_seconds": "3", "limit": "1"}
    answer = own.post("/v1/similar", files={"file": ("two.wav", audio(both))}, data=asked)
    assert [one["name"] for one in answer.json()["items"]] == ["Grand Piano"]
    assert own.get("/v1/queries").json()["items"] == []


def test_sounds_that_cannot_be_heard_are_refused(own: httpx.Client) -> None:
    def sent(content: bytes, **data: str) -> httpx.Response:
        return own.post("/v1/similar", files={"file": ("a.wav", content)}, data=data)

    problem(sent(b"no audio"), 415, "not-audio")
    problem(sent(audio(np.zeros(RATE, np.float32))), 422, "silent-audio")
    problem(sent(audio(tone(110.0)), library="Nowhere"), 404, "library-not-found")
    problem(sent(audio(tone(110.0)), limit="0"), 422, "invalid-request")
    problem(sent(audio(tone(110.0)), limit="101"), 422, "invalid-request")
    problem(sent(audio(tone(110.0)), start_seconds="9"), 422, "range-outside-audio")
    problem(own.post("/v1/similar", data={"library": "One"}), 422, "invalid-request")
    own.post("/v1/libraries", json={"name": "Empty"})
    problem(sent(audio(tone(110.0)), library="Empty"), 409, "library-empty")


def test_a_recording_comes_back_as_it_was_sent(own: httpx.Client) -> None:
    answer = own.get(f"/v1/instruments/{ids_of(own, 'One')['Low Bass']}/source")
    assert answer.status_code == 200
    assert answer.content == audio(tone(TONES["Low Bass"]))
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''Low%20Bass.wav"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_recordings_of_a_folder_come_as_a_zip(own: httpx.Client) -> None:
    files = {"Organ/C.wav": audio(tone(131.0)), "Organ/E.wav": audio(tone(165.0))}
    own.post("/v1/libraries", json={"name": "Zip"})
    assert enrolled(own, "Zip", ("mine.zip", zipped(files)))["state"] == "done"
    answer = own.get(f"/v1/instruments/{ids_of(own, 'Zip')['Organ']}/source")
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="Organ.zip"' in answer.headers["content-disposition"]
    assert len(answer.content) == int(answer.headers["content-length"])
    with zipfile.ZipFile(io.BytesIO(answer.content)) as sent:
        assert sorted(map(sent.read, sent.namelist())) == sorted(files.values())


def test_an_sfz_among_its_samples_is_not_sent(own: httpx.Client) -> None:
    files = {"Lead.sfz": b"<region> sample=a.wav", "a.wav": audio(tone(262.0))}
    own.post("/v1/libraries", json={"name": "Sfz"})
    assert enrolled(own, "Sfz", ("mine.zip", zipped(files)))["state"] == "done"
    (key,) = ids_of(own, "Sfz").values()
    problem(own.get(f"/v1/instruments/{key}/source"), 409, "source-not-kept")


def test_a_source_that_is_gone_is_told(own: httpx.Client, tmp_path: Path) -> None:
    key = ids_of(own, "One")["Low Bass"]
    shutil.rmtree(tmp_path / "uploads")
    body = problem(own.get(f"/v1/instruments/{key}/source"), 409, "source-not-kept")
    assert str(tmp_path) not in body["detail"]
    problem(own.get("/v1/instruments/i_000000000000/source"), 404, "instrument-not-found")


def test_nothing_outside_the_roots_is_sent(tmp_path: Path, pair: EncoderPair) -> None:
    """Neither a folder beside the roots, nor a link below them that leads outside."""
    inside, outside, data = tmp_path / "inside", tmp_path / "outside", tmp_path / "data"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / f"{folder.name}.wav").write_bytes(audio(tone(110.0 if folder == inside else 330.0)))
    (inside / "link.wav").symlink_to(outside / "outside.wav")
    with Engine(settings_for(data), pair) as engine:
        engine.enroll(inside, "In")
        engine.enroll(outside, "Out")
    with running(data, pair, source_roots=(inside,)) as client:
        keys = ids_of(client, "In") | ids_of(client, "Out")
        assert client.get(f"/v1/instruments/{keys['inside']}/source").content == audio(tone(110.0))
        for name in ("link", "outside"):
            body = problem(client.get(f"/v1/instruments/{keys[name]}/source"), 409, "source-not-kept")
            assert "SHOWME_SOURCE_ROOTS" in body["detail"]
    with running(data, pair) as client:  # the owner of the machine, who enrolled them
        assert client.get(f"/v1/instruments/{keys['link']}/source").content == audio(tone(330.0))


def test_a_file_of_presets_comes_whole_or_in_part(own: httpx.Client) -> None:
    own.post("/v1/libraries", json={"name": "Lone"})
    assert enrolled(own, "Lone", ("Tiny.sf2", soundfont_bytes()))["state"] == "done"
    key = next(iter(ids_of(own, "Lone").values()))
    answer = own.get(f"/v1/instruments/{key}/source", headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.content) == (206, b"RIFF")
    assert answer.headers["content-type"] == "application/octet-stream"


def test_only_the_owner_takes_a_source(service: KeyedService, alice: httpx.Client, mine: Owned) -> None:
    ivan = service.client("ivan")
    path = f"/v1/instruments/{mine.instrument}/source"
    problem(ivan.get(path), 404, "instrument-not-found")
    alice.patch(f"/v1/libraries/{mine.library}", json={"shared": True})
    problem(ivan.get(path), 403, "library-not-owned")
    sound = {"file": TONE}
    assert ivan.post("/v1/similar", files=sound, data={"library": mine.library}).status_code == 200
    alice.patch(f"/v1/libraries/{mine.library}", json={"shared": False})
    problem(ivan.post("/v1/similar", files=sound, data={"library": mine.library}), 404, "library-not-found")
    assert alice.get(path).content == TONE[1]
    assert ivan.get(f"/v1/instruments/{made(ivan).instrument}/source").content == TONE[1]
