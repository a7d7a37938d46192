"""`showme index` on a library of another encoder: it is listed as stale, refused with what to do, and updated."""

from pathlib import Path

import pytest

from tests.app.commands import run, write_weights
from tests.app.sounds import TONES, audio, mixture, tone


@pytest.fixture
def upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of four instruments that were enrolled into `my tones` before the encoders were replaced."""
    samples, song = tmp_path / "samples", tmp_path / "song.wav"
    for name, hz in TONES.items():
        (samples / name).mkdir(parents=True)
        (samples / name / "a.wav").write_bytes(audio(tone(hz)))
    song.write_bytes(mixture())
    values = {
        "DATA_DIR": tmp_path / "data",
        "DEVICE": "cpu",
        "DEFAULT_LIBRARY": "none",
        "UPDATE_LIBRARIES": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"SHOWME_{name}", str(value))
    monkeypatch.setenv("COLUMNS", "140")
    for weights in ("old", "new"):
        (folder := tmp_path / weights).mkdir()
        monkeypatch.setenv("SHOWME_WEIGHTS_DIR", str(write_weights(folder)))
        if weights == "old":
            assert "4 instruments added" in run("index", "add", samples, "--library", "my tones")
    return samples


def test_a_stale_library_is_listed_refused_and_updated(upgraded: Path) -> None:
    song = upgraded.parent / "song.wav"
    listed = run("index", "list")
    assert "4 of 4 stale" in listed
    assert "showme index reembed" in listed
    assert run("index", "list", "my tones").count("(stale)") == 4
    assert "showme index reembed 'my tones'" in " ".join(run("query", song, code=2).split())
    assert "reembed" in run("index", "verify", code=1)
    assert "my tones: 4 updated" in run("index", "reembed")
    assert "ready" in run("index", "list")
    assert "heard" in run("query", song)
    assert "no faults" in run("index", "verify")
    assert "all libraries are up to date" in run("index", "reembed")
    assert "my tones: nothing to update" in run("index", "reembed", "my tones")
    assert "no library" in run("index", "reembed", "nowhere", code=2)


def test_a_source_that_is_gone_is_named_with_its_place_and_given(upgraded: Path) -> None:
    (there := upgraded.parent / "there").mkdir()
    moved = upgraded.rename(there / upgraded.name)
    told = run("index", "reembed", "my tones", code=1)
    for name in TONES:
        assert f"{name} is not updated: its source is not there any more" in told
    assert f"not there: {upgraded}" in told.replace("\n", "")
    assert "--source" in told
    assert "4 of 4 stale" in run("index", "list")
    assert "name the library" in run("index", "reembed", "--source", moved, code=2)
    assert "my tones: 4 updated" in run("index", "reembed", "my tones", "--source", moved)


def test_previews_serve_when_asked(upgraded: Path) -> None:
    upgraded.rename(upgraded.parent / "away")
    told = run("index", "reembed", "my tones", "--use-previews")
    assert "4 updated, 4 of them from previews" in " ".join(told.split())
    assert "ready, 4 from previews" in run("index", "list")
