"""The zip of an export with the files that its instruments were enrolled from."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.export.document import ExportedInstrument, ExportedSet
from app.export.source_files import SOURCE_GONE, source_files
from app.schemas import QueriedLibrary
from models.errors import LibraryNotOwned, SourceNotKept
from tests.app.serving import enrolled
from tests.app.sounds import TONES, audio, mixture, tone
from tests.app.test_undo import instruments
from tests.index.tiny_soundfont import PATCHES, write_soundfont

FILES = [(f"{name}.wav", audio(tone(hz))) for name, hz in TONES.items()]


def chosen(*names: str) -> ExportedSet:
    return ExportedSet(
        query="q_1",
        name="mix.wav",
        library=QueriedLibrary(id="l_1", name="One", num_instruments=len(names)),
        range_seconds=(0.0, 1.0),
        instruments=[ExportedInstrument(instrument_id=name, name=name) for name in names],
        link=None,
    )


def unpacked(client: httpx.Client, ids: list[str]) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    query = client.post("/v1/queries", files={"file": ("mix.wav", mixture())}).json()
    params: dict[str, Any] = {"format": "zip", "instruments": ids, "sources": True}
    answer = client.get(f"/v1/queries/{query['id']}/export", params=params)
    assert answer.status_code == 200, answer.text
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    found = json.loads(archive.read("mix/set.json"))
    return archive, {item["instrument_id"]: item for item in found["instruments"]}


def test_recordings_and_sound_fonts_are_in_it_once(own: httpx.Client, tmp_path: Path) -> None:
    font = write_soundfont(tmp_path / "Studio.sf2", PATCHES[:2])
    enrolled(own, "One", (font.name, font.read_bytes()))
    ids = {name: item["id"] for name, item in instruments(own).items()}
    archive, items = unpacked(own, list(ids.values()))
    by_name = {item["name"]: item for item in items.values()}
    for name, content in FILES:
        (path,) = by_name[name.removesuffix(".wav")]["files"]
        assert archive.read(f"mix/{path}") == content
    presets = [item for item in items.values() if item["bank"] is not None]
    assert len(presets) == 2
    assert {tuple(item["files"]) for item in presets} == {("sources/Studio.sf2",)}
    assert archive.read("mix/sources/Studio.sf2") == font.read_bytes()
    assert archive.namelist().count("mix/sources/Studio.sf2") == 1
    assert all(item["no_files"] is None for item in items.values())


def test_what_is_not_kept_is_told_and_the_rest_is_there(own: httpx.Client, tmp_path: Path) -> None:
    ids = {name: item["id"] for name, item in instruments(own).items()}
    gone, *_ = TONES
    (kept,) = tmp_path.rglob(f"{gone}.wav")
    kept.unlink()
    archive, items = unpacked(own, [*ids.values(), "i_000000000000"])
    assert items[ids[gone]]["no_files"]
    assert items[ids[gone]]["files"] == []
    assert items["i_000000000000"]["no_files"]
    there = [name for name in archive.namelist() if "/sources/" in name]
    assert len(there) == len(TONES) - 1


def test_names_differ_and_the_limit_holds(tmp_path: Path) -> None:
    files = {}
    for number, name in enumerate(("a", "b", "c")):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "Kick.wav"
        path.write_bytes(bytes(10 * (number + 1)))
        files[name] = [path]
    (tmp_path / "c" / "Snare.wav").write_bytes(bytes(5))
    files["c"].append(tmp_path / "c" / "Snare.wav")
    document = chosen("a", "b", "c")
    found = source_files(document, files.__getitem__, limit=100)
    assert list(found) == [
        "sources/Kick.wav",
        "sources/02 b/Kick.wav",
        "sources/03 c/Kick.wav",
        "sources/03 c/Snare.wav",
    ]
    document = chosen("a", "b", "c")
    assert list(source_files(document, files.__getitem__, limit=30)) == [
        "sources/Kick.wav",
        "sources/02 b/Kick.wav",
    ]
    assert document.instruments[2].no_files == (
        "its source of 35 bytes would take the download above 30 bytes"
    )
    files["b"][0].unlink()
    document = chosen("a", "b")
    source_files(document, files.__getitem__, limit=100)
    assert document.instruments[1].no_files == SOURCE_GONE


@pytest.mark.parametrize("refusal", [SourceNotKept("it was not kept"), LibraryNotOwned("it is not yours")])
def test_what_may_not_be_given_has_the_reason(refusal: Exception) -> None:
    def find(instrument_id: str) -> list[Path]:
        raise refusal

    document = chosen("a")
    assert source_files(document, find, limit=100) == {}
    assert document.instruments[0].no_files == str(refusal)
