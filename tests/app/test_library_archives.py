"""Libraries as files: one data folder computes the embeddings, another with the same encoder serves them, or gets nothing."""

import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.encoder_pair import EncoderPair
from tests.app.commands import assert_one_line, run
from tests.app.keyed import FILE, KeyedService, Owned
from tests.app.serving import problem, running
from tests.app.sounds import TONES
from tests.encoders import random_pair

Change = Callable[[dict[str, bytes]], None]


@pytest.fixture(scope="module")
def archive(tones_dir: Path, tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> bytes:
    """The exported library `One`, in which a person has corrected an instrument."""
    folder = tmp_path_factory.mktemp("exporting") / "data"
    shutil.copytree(tones_dir, folder)
    with running(folder, pair) as client:
        (first, *_) = client.get("/v1/libraries/One/instruments").json()["items"]
        client.patch(f"/v1/instruments/{first['id']}", json={"name": "Corrected", "family": "reed"})
        answer = client.get("/v1/libraries/One/export")
        assert answer.headers["content-type"] == "application/zip"
        assert 'filename="One.zip"' in answer.headers["content-disposition"]
        assert len(answer.content) == int(answer.headers["content-length"])
        client.post("/v1/libraries", json={"name": "Empty"})
        problem(client.get("/v1/libraries/Empty/export"), 409, "library-empty")
        problem(client.get("/v1/libraries/None/export"), 404, "library-not-found")
        return answer.content


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, pair: EncoderPair) -> Iterator[httpx.Client]:
    """An empty service on another machine."""
    with running(tmp_path_factory.mktemp("importing"), pair) as client:
        yield client


def imported(client: httpx.Client, content: bytes, **data: str) -> httpx.Response:
    return client.post("/v1/imports", files={"file": ("One.zip", content)}, data=data)


def changed(archive: bytes, change: Change, compression: int = zipfile.ZIP_STORED) -> bytes:
    """The archive with its files changed."""
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    change(files)
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", compression) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return result.getvalue()


def manifest_with(change: Callable[[dict[str, Any]], None]) -> Change:
    def changing(files: dict[str, bytes]) -> None:
        manifest = json.loads(files["manifest.json"])
        change(manifest)
        files["manifest.json"] = json.dumps(manifest).encode()

    return changing


def test_a_library_answers_elsewhere_as_at_home(
    archive: bytes, other: httpx.Client, tones_dir: Path, tmp_path: Path, pair: EncoderPair
) -> None:
    answer = imported(other, archive)
    assert answer.status_code == 201, answer.text
    library = answer.json()
    assert answer.headers["location"] == f"/v1/libraries/{library['id']}"
    assert (library["name"], library["num_instruments"], library["state"]) == ("One", 4, "ready")
    items = other.get("/v1/libraries/One/instruments").json()["items"]
    assert {one["name"] for one in items} - TONES.keys() == {"Corrected"}
    corrected = next(one for one in items if one["name"] == "Corrected")
    assert corrected["family"] == "reed"
    shutil.copytree(tones_dir, tmp_path / "home")
    with running(tmp_path / "home", pair) as home:
        here, there = (
            client.post("/v1/queries", files=FILE, data={"library": "One"}).json() for client in (home, other)
        )
        for first, second in zip(here["slots"], there["slots"], strict=True):
            assert [hit["similarity"] for hit in first["hits"]] == [
                hit["similarity"] for hit in second["hits"]
            ]
        sources = {one["source"]: one for one in home.get("/v1/libraries/One/instruments").json()["items"]}
        for one in items:
            at_home = home.get(sources[one["source"]]["preview_url"])
            assert other.get(one["preview_url"]).content == at_home.content
    assert other.get(f"/v1/instruments/{items[0]['id']}/similar").json()["items"]
    problem(other.get(f"/v1/instruments/{items[0]['id']}/source"), 409, "source-not-kept")
    problem(imported(other, archive), 409, "library-exists")
    again = imported(other, archive, name="Again").json()
    assert other.get(f"/v1/libraries/{again['id']}/export").status_code == 200


def flip(name: str, place: int) -> Change:
    def changing(files: dict[str, bytes]) -> None:
        content = bytearray(files[name])
        content[place] ^= 0x40
        files[name] = bytes(content)

    return changing


def rehashed(name: str, content: bytes) -> Change:
    """Replace a file and its hash in the manifest: damage that no hash tells."""

    def changing(files: dict[str, bytes]) -> None:
        files[name] = content
        entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        manifest_with(lambda manifest: manifest["files"].update({name: entry}))(files)

    return changing


WRONG: dict[str, Change] = {
    "embedding": flip("embeddings.f32", 3),
    "clip": flip("clips.f32", 3),
    "preview": flip("previews/000000.mp3", 100),
    "missing": lambda files: files.__delitem__("previews/000001.mp3"),
    "more": lambda files: files.update({"previews/../../evil.mp3": b"ID3"}),
    "no manifest": lambda files: files.__delitem__("manifest.json"),
    "words": lambda files: files.update({"manifest.json": b"words"}),
    "newer": manifest_with(lambda manifest: manifest.update(version=2)),
    "another format": manifest_with(lambda manifest: manifest.update(format="showme-backup")),
    "same names": manifest_with(lambda manifest: manifest["instruments"][0].update(name="Grand Piano")),
    "outside": manifest_with(lambda manifest: manifest["instruments"][0].update(preview="../../evil.mp3")),
    "family": manifest_with(lambda manifest: manifest["instruments"][0].update(family="tuba")),
    "control": manifest_with(lambda manifest: manifest["instruments"][0].update(name="a\u0000b")),
    "clips": manifest_with(lambda manifest: manifest["instruments"][0].update(num_clips=9999)),
    "none": manifest_with(lambda manifest: manifest.update(instruments=[])),
    "short": rehashed("embeddings.f32", b"\0" * 8),
    "no mp3": rehashed("previews/000000.mp3", b"<html>"),
}


@pytest.mark.parametrize("damage", WRONG)
def test_what_is_damaged_or_hostile_leaves_nothing(archive: bytes, other: httpx.Client, damage: str) -> None:
    before = other.get("/v1/libraries").json()
    body = problem(imported(other, changed(archive, WRONG[damage]), name="Wrong"), 422, "archive")
    assert "\n" not in body["detail"]
    assert other.get("/v1/libraries").json() == before


def test_files_that_are_no_archive_are_refused(archive: bytes, other: httpx.Client) -> None:
    for content in (b"words", archive[:-40], changed(archive, lambda files: None, zipfile.ZIP_DEFLATED)):
        problem(imported(other, content, name="Wrong"), 422, "archive")
    not_finite = np.full(4 * 32, np.nan, np.float32)
    with zipfile.ZipFile(io.BytesIO(archive)) as zipped:
        size = zipped.getinfo("embeddings.f32").file_size // 4
    for values in (np.resize(not_finite, size), np.full(size, 9.0, np.float32)):
        wrong = changed(archive, rehashed("embeddings.f32", values.astype("<f4").tobytes()))
        assert "length 1" in problem(imported(other, wrong, name="Wrong"), 422, "archive")["detail"]
    problem(imported(other, archive, name="a/b"), 422, "invalid-request")


def test_embeddings_of_another_encoder_are_refused_in_words(archive: bytes, tmp_path: Path) -> None:
    with running(tmp_path, random_pair(seed=7)) as client:
        body = problem(imported(client, archive), 409, "encoder-mismatch")
        assert "another encoder" in body["detail"]
        assert body["value"] != body["limit"]
        assert client.get("/v1/libraries").json()["items"] == []


def test_an_import_belongs_to_its_key(
    service: KeyedService, alice: httpx.Client, mine: Owned, archive: bytes
) -> None:
    judy = service.client("judy")
    problem(judy.get(f"/v1/libraries/{mine.library}/export"), 404, "library-not-found")
    exported = alice.get(f"/v1/libraries/{mine.library}/export").content
    library = imported(judy, exported).json()
    assert (library["name"], library["writable"], library["shared"]) == ("Mine", True, False)
    problem(alice.get(f"/v1/libraries/{library['id']}"), 404, "library-not-found")
    problem(imported(service.client("karl", "read"), archive), 403, "scope-too-small")


def test_the_terminal_exports_and_imports(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "moved.zip"
    run("index", "add", folder, "--library", "Tones")
    assert "exported 4 instruments of Tones" in run("index", "export", "Tones", file)
    told = run("index", "export", "Tones", file, code=2)
    assert_one_line(told)
    assert "replaces nothing" in told
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path / "elsewhere"))
    assert "imported 4 instruments as Tones" in run("index", "import", file)
    assert "imported 4 instruments as More" in run("index", "import", file, "--name", "More")
    assert_one_line(run("index", "import", file, code=2))
    file.write_bytes(file.read_bytes()[:-50])
    assert_one_line(run("index", "import", file, "--name", "Cut", code=2))
    assert "Cut" not in run("index", "list")
    run("index", "verify")
