"""`showme query`: its table in terminals and in a pipe, several files, excluded instruments, CSV and JSON."""

import csv
import io
import json
import shutil
from pathlib import Path

import click
import pytest

from tests.app.commands import assert_one_line, run
from tests.app.sounds import TONES, audio, mixture, tone
from training.midi_notes import tracks_of
from training.smf import parse_events


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Path:
    """A data folder with a library of four instruments, to be copied."""
    samples, data = tmp_path_factory.mktemp("samples"), tmp_path_factory.mktemp("enrolled")
    for name, hz in TONES.items():
        (samples / f"{name}.wav").write_bytes(audio(tone(hz)))
    values = {"DATA_DIR": data, "WEIGHTS_DIR": weights, "DEVICE": "cpu", "DEFAULT_LIBRARY": "none"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(f"SHOWME_{name}", str(value))
        run("index", "add", samples, "--library", "Mine")
    return data


@pytest.fixture
def library(environment: Path, enrolled: Path) -> None:
    """The library of four instruments, the only one of its data folder."""
    shutil.copytree(enrolled, environment / "data")


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_terminal_shows_every_hit_with_its_score(
    columns: int, library: None, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = click.unstyle(run("query", song, "--mode", "paper")).splitlines()
    assert max(map(len, lines)) <= columns
    for slot in json.loads(run("query", song, "--mode", "paper", "--json"))["slots"]:
        for hit in slot["hits"]:
            ending = f"{hit['similarity']:.2f}"
            assert any(hit["name"] in line and line.rstrip().endswith(ending) for line in lines)
    if columns != 80:
        assert any("0:01.5" in line for line in lines) == (columns == 160)


def test_a_pipe_gets_one_complete_row_for_each_hit(
    library: None, song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    printed = run("query", song, "--mode", "paper")
    assert "\x1b" not in printed
    _, header, *rows = printed.splitlines()
    assert header.split() == ["#", "presence", "active", "heard", "match", "instrument", "family", "score"]
    hits = [
        (str(slot["slot"]), hit["name"], f"{hit['similarity']:.2f}")
        for slot in json.loads(run("query", song, "--mode", "paper", "--json"))["slots"]
        for hit in slot["hits"]
    ]
    assert len(rows) == len(hits)
    for row, (slot, name, score) in zip(rows, hits, strict=True):
        assert row.split()[0] == slot
        assert name in row
        assert row.rstrip().endswith(score)
    listed = run("index", "list", "Mine").splitlines()
    assert all(any(name in line and f"{name}.wav" in line for line in listed) for name in TONES)


def test_a_csv_has_a_row_for_each_hit_of_each_file(library: None, song: Path) -> None:
    other = song.with_name("=other.wav")
    other.write_bytes(mixture(2.0))
    rows = list(csv.DictReader(io.StringIO(run("query", song, other, "--csv", "--mode", "paper"))))
    answers = [
        item["query"]
        for item in json.loads(run("query", song, other, "--json", "--mode", "paper"))["results"]
    ]
    expected = [
        (name, str(slot["slot"]), str(rank), hit["name"], str(hit["similarity"]), slot["match"]["word"])
        for name, answer in zip(("song [v2].wav", "'=other.wav"), answers, strict=True)
        for slot in answer["slots"]
        for rank, hit in enumerate(slot["hits"], 1)
    ]
    columns = ("file", "slot", "rank", "name", "similarity", "match")
    assert [tuple(row[column] for column in columns) for row in rows] == expected
    assert {row["file"] for row in rows} == {"song [v2].wav", "'=other.wav"}
    assert all(row["instrument_id"].startswith("i_") for row in rows)


def test_unusable_audio_does_not_stop_the_other_files(library: None, song: Path) -> None:
    words = song.with_name("words.txt")
    words.write_text("words")
    printed = run("query", words, song, code=2)
    assert "showme: words.txt" in printed
    assert "song [v2].wav" in printed
    document = json.loads(run("query", song, song, "--json"))
    assert [item["problem"] for item in document["results"]] == [None, None]
    assert_one_line(run("query", words, code=2))
    assert_one_line(run("query", song, song.with_name("missing.wav"), code=2))
    assert_one_line(run("query", song, "--json", "--csv", code=2))


def test_excluded_instruments_are_no_hits(library: None, song: Path) -> None:
    slot, *_ = json.loads(run("query", song, "--json", "--mode", "paper"))["slots"]
    first, second, *others = slot["hits"]
    options = ("--exclude", first["name"], "--exclude", second["instrument_id"])
    slot, *_ = json.loads(run("query", song, "--json", "--mode", "paper", *options))["slots"]
    assert {hit["name"] for hit in slot["hits"]} == {hit["name"] for hit in others}
    assert len(others) == len(TONES) - 2
    refusal = run("query", song, "--exclude", "Kazoo", code=2)
    assert_one_line(refusal)
    assert "no instrument 'Kazoo'" in refusal


def test_sure_parts_are_written_as_midi_files(library: None, song: Path) -> None:
    song.write_bytes(audio(tone(110.0, 6.0)))
    folder = song.with_name("notes") / "of songs"
    printed = run("query", song, "--midi", folder)
    assert "not sure" not in printed
    (path,) = folder.iterdir()
    assert path.name.startswith("song [v2] - ")
    assert f"{path}: " in printed
    (track,) = tracks_of(parse_events(path.read_bytes()))
    assert track.notes[:, 0].min() == 45
    shared = run("query", song, "--mode", "paper", "--midi", folder.with_name("shared"))
    assert (
        shared.count("are not sure enough") >= 1
    )  # both slots claim the tone: one of them has half of it at most
