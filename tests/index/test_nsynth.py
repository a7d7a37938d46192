"""NSynth as published: its notes, missing pitches, and files with false headers."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from index.families import FAMILIES
from index.sources.base import Floats, Note
from index.sources.nsynth import Missing, NSynthInstrument, NSynthSource
from models.errors import SourceError
from tests.index.tiny_banks import (
    SAMPLE_RATE,
    lie_about_length,
    lie_about_rate,
    loudest_hz,
    nsynth_row,
    tone,
    write_note,
    write_nsynth,
)

REED = [f"reed_acoustic_001-{pitch:03d}-{velocity:03d}" for pitch in (57, 60, 66) for velocity in (25, 100)]
BASS = ["bass_electronic_018-040-075"]


def play(instrument: NSynthInstrument, pitch: int, velocity: int = 100) -> Floats:
    return instrument.play([Note(pitch, velocity, 0.0, 0.4)], 0.5, SAMPLE_RATE)


def hz_of(pitch: int) -> float:
    return float(440 * 2 ** ((pitch - 69) / 12))


def test_instruments_are_read_as_published(tmp_path: Path) -> None:
    folder = write_nsynth(tmp_path / "nsynth-test", [*REED, *BASS])
    source = NSynthSource(folder)
    assert [(one.id, one.name, one.family) for one in source] == [
        ("bass_electronic_018", "bass_electronic_018", "bass"),
        ("reed_acoustic_001", "reed_acoustic_001", "reed"),
    ]
    reed = source.get("reed_acoustic_001")
    assert (reed.licence, reed.part, reed.source) == ("CC-BY-4.0", "test", "nsynth-test/reed_acoustic_001")
    assert reed.playable_range == (54, 69)
    assert source.faults == reed.faults == ()
    assert len(source.files) == 1 + len(REED) + len(BASS)
    assert set(source.files) == {path for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(SourceError, match="no instrument unknown"):
        source.get("unknown")


def test_every_instrument_gives_clips_and_a_preview(tmp_path: Path) -> None:
    for missing in ("nearest", "leave out"):
        source = NSynthSource(write_nsynth(tmp_path / missing, BASS), missing)
        (bass,) = source
        assert bass.part is None
        assert bass.clips(SAMPLE_RATE, SAMPLE_RATE).shape == (8, SAMPLE_RATE)
        assert bass.preview()[1] == 44_100


@pytest.mark.parametrize(
    ("missing", "sounding"),
    [("nearest", {54, 57, 60, 63, 64, 66, 69}), ("leave out", {57, 60, 66})],
)
def test_holes_fall_to_the_nearest_pitch_or_are_left_out(
    tmp_path: Path, missing: Missing, sounding: set[int]
) -> None:
    (reed,) = NSynthSource(write_nsynth(tmp_path / "n", REED), missing)
    for pitch in (50, 54, 57, 60, 63, 64, 66, 69, 73):
        samples = play(reed, pitch)
        assert samples.any() == (pitch in sounding)
        if pitch in sounding:
            assert abs(1200 * np.log2(loudest_hz(samples) / hz_of(pitch))) < 20


def test_the_nearest_pitch_wins_and_then_the_nearest_velocity(tmp_path: Path) -> None:
    folder = write_nsynth(tmp_path / "n", [])
    keys = {
        f"reed_acoustic_001-{p:03d}-{v:03d}": (p, v) for p, v in ((60, 25), (60, 50), (61, 100), (60, 127))
    }
    for pitch_hz, key in zip((300, 500, 700, 900), keys, strict=True):
        wave = 0.5 * np.sin(2 * np.pi * pitch_hz * np.arange(8000) / SAMPLE_RATE)
        write_note(folder, key, wave.astype(np.float32))
    (folder / "examples.json").write_text(json.dumps({key: nsynth_row(key) for key in keys}))
    (reed,) = NSynthSource(folder)
    for velocity, expected in ((1, 300), (37, 300), (38, 500), (88, 500), (89, 900), (100, 900), (127, 900)):
        assert loudest_hz(play(reed, 60, velocity)) == pytest.approx(expected, abs=5)


def test_missing_files_are_faults_and_holes(tmp_path: Path) -> None:
    folder = write_nsynth(tmp_path / "n", [*REED, *BASS])
    (folder / "audio/reed_acoustic_001-060-100.wav").unlink()
    (folder / "audio/reed_acoustic_001-060-025.wav").unlink()
    (folder / "audio/bass_electronic_018-040-075.wav").unlink()
    source = NSynthSource(folder, "leave out")
    (reed,) = source
    assert dict(source.faults) == {"bass_electronic_018": "none of its 1 notes exists"}
    assert [what for what, _ in reed.faults] == ["reed_acoustic_001-060-025", "reed_acoustic_001-060-100"]
    assert not play(reed, 60).any()
    assert not any("060" in path.name for path in source.files)


DAMAGE = {
    "it says more samples than there are": (lie_about_length, "cut short"),
    "it is cut in the middle": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "cut short"),
    "it ends in its header": (lambda path: path.write_bytes(path.read_bytes()[:30]), ""),
    "it has an absurd rate": (lambda path: lie_about_rate(path, 4_000_000_000), ""),
    "it has no rate": (lambda path: lie_about_rate(path, 0), ""),
    "it has another rate than said": (lambda path: lie_about_rate(path, 44_100), "44100 Hz"),
    "it is empty": (lambda path: path.write_bytes(b""), "empty"),
    "it is text": (lambda path: path.write_bytes(b"this is no wave file at all"), "not an audio file"),
    "it is silent": (
        lambda path: write_note(path.parent.parent, path.stem, np.zeros(9, np.float32)),
        "not sound",
    ),
    "it is a folder": (lambda path: (path.unlink(), path.mkdir()), "cannot be read"),
    "it is a broken link": (lambda path: (path.unlink(), path.symlink_to("nowhere")), "cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_note_is_a_fault_and_a_hole(tmp_path: Path, damage: str) -> None:
    alter, words = DAMAGE[damage]
    folder = write_nsynth(tmp_path / "n", REED)
    key = "reed_acoustic_001-060-100"
    alter(folder / "audio" / f"{key}.wav")
    (reed,) = NSynthSource(folder)
    beside = play(reed, 60)  # at velocity 25
    assert loudest_hz(beside) == pytest.approx(hz_of(60), rel=0.01)
    assert [what for what, _ in reed.faults] == [key]
    assert words in dict(reed.faults)[key]
    assert reed.playable_range == (54, 69)


def test_an_instrument_of_damaged_notes_only_is_refused(tmp_path: Path) -> None:
    folder = write_nsynth(tmp_path / "n", BASS)
    lie_about_length(folder / "audio/bass_electronic_018-040-075.wav")
    (bass,) = NSynthSource(folder)
    for act in (lambda: play(bass, 40), bass.preview, lambda: bass.clips(SAMPLE_RATE, SAMPLE_RATE)):
        with pytest.raises(SourceError, match=r"bass_electronic_018.*cut short"):
            act()


BROKEN_ROWS: dict[str, tuple[object, str]] = {
    "x": (17, "not a JSON object"),
    "a_b_001-060-100": (nsynth_row("a_b_001-060-100", pitch="sixty"), "pitch"),
    "a_b_001-060-101": (nsynth_row("a_b_001-060-101", pitch=True), "pitch"),
    "a_b_001-060-102": (nsynth_row("a_b_001-060-102", pitch=200), "pitch"),
    "a_b_001-060-103": (nsynth_row("a_b_001-060-103", velocity=0), "velocity"),
    "a_b_001-060-104": (nsynth_row("a_b_001-060-104", sample_rate=-1), "sample_rate"),
    "a_b_001-060-105": (nsynth_row("a_b_001-060-105", instrument_str="../../a"), "instrument_str"),
    "a_b_001-060-106": (nsynth_row("a_b_001-060-106", instrument_str=None), "instrument_str"),
    "nameless": ({"qualities": []}, "instrument_str"),
}


def test_rows_with_wrong_types_are_named(tmp_path: Path) -> None:
    rows = {name: row for name, (row, _) in BROKEN_ROWS.items()}
    source = NSynthSource(write_nsynth(tmp_path / "n", BASS, rows))
    assert len(source) == 1
    found = dict(source.faults)
    assert set(found) == {f"n/examples.json: {name}" for name in BROKEN_ROWS}
    for name, (_, words) in BROKEN_ROWS.items():
        assert words in found[f"n/examples.json: {name}"]


def test_what_a_row_does_not_say_is_in_its_name(tmp_path: Path) -> None:
    folder = write_nsynth(tmp_path / "n", BASS, {BASS[0]: {}})
    write_note(folder, "odd name", tone(50, 0.5))
    rows = {
        BASS[0]: {},
        "odd name": {"instrument_str": "mine_1", "pitch": 50, "velocity": 80, "instrument_family": 7},
    }
    (folder / "examples.json").write_text(json.dumps(rows))
    bass, mine = NSynthSource(folder)
    assert (bass.id, bass.family, bass.playable_range) == ("bass_electronic_018", "bass", (37, 43))
    assert (mine.id, mine.family) == ("mine_1", FAMILIES[7])
    assert play(mine, 50).any()


@pytest.mark.parametrize("text", ["", "[]", "17", "{", '{"a": ', "not json", '{"a": {}', '{"a" 1}'])
def test_an_index_that_is_no_object_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_nsynth(tmp_path / "n", BASS)
    (folder / "examples.json").write_text(text)
    with pytest.raises(SourceError, match=r"no NSynth instrument; n: examples\.json"):
        NSynthSource(folder)


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    folder = write_nsynth(tmp_path / "n", [])
    (folder / "audio").rmdir()
    (folder / "audio").write_text("a file where a folder is expected")
    with pytest.raises(SourceError, match="audio cannot be read"):
        NSynthSource(folder)
    with pytest.raises(SourceError, match="holds no NSynth instrument"):
        NSynthSource(tmp_path / "nowhere")


def test_a_root_of_three_parts_is_one_source(tmp_path: Path) -> None:
    write_nsynth(tmp_path / "nsynth-train", REED)
    write_nsynth(tmp_path / "nsynth-valid", BASS)
    write_nsynth(tmp_path / "nsynth-test", ["bass_electronic_018-050-075", "flute_synthetic_000-060-025"])
    (write_nsynth(tmp_path / "nsynth-broken", []) / "examples.json").write_text("oops")
    source = NSynthSource(tmp_path)
    assert {one.id: one.part for one in source} == {
        "bass_electronic_018": "test",  # one instrument, its notes in valid and test
        "flute_synthetic_000": "test",
        "reed_acoustic_001": "train",
    }
    assert [what for what, _ in source.faults] == ["nsynth-broken"]
    assert source.get("bass_electronic_018").playable_range == (37, 53)
    for pitch in (40, 50):
        assert play(source.get("bass_electronic_018"), pitch).any()
    assert sum(path.name == "examples.json" for path in source.files) == 3


def test_an_unknown_way_with_holes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be 'guess'"):
        NSynthSource(write_nsynth(tmp_path / "n", BASS), "guess")  # type: ignore[arg-type]


@pytest.mark.skipif(
    "SHOWME_NSYNTH" not in os.environ, reason="SHOWME_NSYNTH names no folder of real NSynth notes"
)
def test_real_notes_sound_at_their_pitch() -> None:
    source = NSynthSource(Path(os.environ["SHOWME_NSYNTH"]), "leave out")
    in_tune = 0
    for instrument in source:
        assert instrument.family in FAMILIES
        low, _ = instrument.playable_range
        samples = instrument.play([Note(low, 100, 0.0, 4.0)], 4.0, SAMPLE_RATE)
        assert len(instrument.clips(SAMPLE_RATE, 5 * SAMPLE_RATE)) == 8
        assert instrument.faults == ()
        octaves = np.log2(loudest_hz(samples) / hz_of(low))  # the loudest partial may be another one
        partial = 12 * np.log2(max(1, round(2**octaves))) if octaves > -0.1 else -12 * round(-octaves)
        in_tune += abs(12 * octaves - partial) < 0.5
    assert in_tune >= 0.75 * len(source)
