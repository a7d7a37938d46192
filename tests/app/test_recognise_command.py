"""`showme recognise`: its table in a terminal and in a pipe, its document, and files that cannot be recognised."""

import json
from pathlib import Path

import click
import pytest

from index.families import FAMILIES
from tests.app.commands import assert_one_line, run, write_weights
from tests.app.sounds import audio, mixture, tone


@pytest.fixture(autouse=True)
def hearing(environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoders that come with a family model."""
    folder = tmp_path / "hearing"
    folder.mkdir()
    monkeypatch.setenv("SHOWME_WEIGHTS_DIR", str(write_weights(folder, with_family=True)))


def test_the_document_tells_families_over_time_and_needs_no_data_folder(
    song: Path, environment: Path
) -> None:
    found = json.loads(run("recognise", song, "--start", "0.5", "--json"))
    assert found["name"] == song.name
    assert found["range_seconds"] == [0.5, found["duration_seconds"]]
    probabilities = [one["probability"] for one in found["families"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert {one["family"] for one in found["families"]} <= set(FAMILIES)
    for one in found["families"]:
        assert all(
            0.5 <= second <= found["duration_seconds"] and 0 <= height <= 1 for second, height in one["curve"]
        )
    assert not (environment / "data").exists()


@pytest.mark.parametrize("columns", [60, 120])
def test_a_terminal_shows_a_row_for_each_family(
    columns: int, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = click.unstyle(run("recognise", song)).splitlines()
    assert lines[0] == song.name
    assert max(map(len, lines)) <= columns
    for one in json.loads(run("recognise", song, "--json"))["families"]:
        (row,) = (line.split() for line in lines if line.split()[:1] == [one["family"]])
        assert row[1] == f"{one['probability']:.2f}"


def test_of_several_files_one_that_is_no_audio_does_not_stop_the_others(song: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not audio")
    other = tmp_path / "other.wav"
    other.write_bytes(mixture(1.0))
    printed = run("recognise", song, notes, other, code=2)
    assert "showme: " in printed
    assert song.name in printed.splitlines()[0]
    assert "other.wav" in printed.splitlines()
    assert "\x1b" not in printed


def test_mistakes_are_one_line(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = tmp_path / "quiet.wav"
    quiet.write_bytes(audio(0.0 * tone(110.0)))
    assert_one_line(run("recognise", quiet, code=2))
    assert_one_line(run("recognise", song, "--start", "3", "--end", "2", code=2))
    assert_one_line(run("recognise", tmp_path / "no such.wav", code=2))
    bare = tmp_path / "bare"
    bare.mkdir()
    monkeypatch.setenv("SHOWME_WEIGHTS_DIR", str(write_weights(bare)))
    assert_one_line(run("recognise", song, code=2))
