"""How SFZ regions sound: pitch, loudness, envelopes and layers, each against its definition."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sources.base import Note
from index.sources.sfz.paths import SfzTree
from index.sources.sfz.player import MAX_LAYERS, SfzPlayer, amplitude
from index.sources.sfz.reader import read_sfz
from index.sources.sfz.region import Envelope
from tests.index.tiny_sfz import (
    C4_HZ,
    RATE,
    hz_of,
    instrument,
    level_db,
    one_region,
    played,
    sine,
    write_sfz,
)

HELD = Note(60, 127, 0.0, 1.0)


@pytest.mark.parametrize(
    ("opcodes", "pitch", "semitones"),
    [
        ("", 60, 0),
        ("", 72, 12),
        ("", 55, -5),
        ("pitch_keycenter=c3", 60, 12),
        ("key=60", 60, 0),
        ("transpose=-12 tune=50 group_tune=50", 60, -11),
        ("pitch_keytrack=50", 72, 6),
        ("pitch_keytrack=0", 90, 0),
        ("pitch=100", 60, 1),
    ],
)
def test_pitch(tmp_path: Path, opcodes: str, pitch: int, semitones: float) -> None:
    sound = one_region(
        tmp_path, f"{opcodes} loop_mode=loop_continuous", Note(pitch, 127, 0.0, 1.0), seconds=0.45
    )
    assert hz_of(sound) == pytest.approx(C4_HZ * 2 ** (semitones / 12), rel=1e-3)


def test_a_note_sounds_in_its_time_and_as_it_was_recorded(tmp_path: Path) -> None:
    sound = one_region(tmp_path, "delay=0.1 ampeg_release=0.05", Note(60, 127, 0.2, 0.5))
    assert sound.shape == (RATE,)
    assert sound.dtype == np.float32
    assert not sound[: round(0.3 * RATE)].any()
    assert np.allclose(sound[4800:9600], sine()[:4800], atol=1e-5)  # held for 0.3 s
    assert not sound[round(0.651 * RATE) :].any()


def test_sample_ends_with_its_file_or_at_end(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 1000, dtype=np.float32)
    text = "<region> sample=ramp.wav key=60\n<region> sample=ramp.wav key=61 pitch_keycenter=61 offset=100 end=199\n"
    path = write_sfz(tmp_path, text, {"ramp.wav": ramp})
    whole, part = (played(path, Note(pitch, 127, 0.0, 1.0)) for pitch in (60, 61))
    assert np.allclose(whole[:1000], ramp, atol=1e-4)
    assert not whole[1000:].any()
    assert np.allclose(part[:100], ramp[100:200], atol=1e-4)
    assert not part[100:].any()


@pytest.mark.parametrize(
    ("opcodes", "velocity", "gain"),
    [
        ("", 127, 1.0),
        ("", 64, (64 / 127) ** 2),
        ("amp_veltrack=0", 1, 1.0),
        ("amp_veltrack=50", 64, 0.5 + 0.5 * (64 / 127) ** 2),
        ("amp_veltrack=-100", 127, 0.0),
        ("volume=-6.0206 amplitude=50 group_volume=6.0206", 127, 0.5),
        ("gain=-20", 127, 0.1),
        ("xfin_lovel=0 xfin_hivel=127 amp_veltrack=0", 64, (64 / 127) ** 0.5),
        ("xfout_lovel=0 xfout_hivel=127 amp_veltrack=0", 64, (63 / 127) ** 0.5),
        ("xfin_lokey=60 xfin_hikey=64", 127, 0.0),
        ("xfin_lokey=58 xfin_hikey=62", 127, 0.5**0.5),
    ],
)
def test_loudness(tmp_path: Path, opcodes: str, velocity: int, gain: float) -> None:
    sound = one_region(tmp_path, opcodes, Note(60, velocity, 0.0, 1.0))[: RATE - 100]
    assert np.allclose(sound, gain * sine()[: RATE - 100], atol=2e-5)


def test_notes_outside_all_regions_are_silent_and_layers_add(tmp_path: Path) -> None:
    text = (
        "<region> sample=c4.wav hikey=64 lovel=10\n<region> sample=c4.wav lovel=100 hivel=110 volume=6.0206"
    )
    path = write_sfz(tmp_path, text)
    assert not played(path, Note(65, 90, 0.0, 1.0), Note(60, 9, 0.0, 1.0)).any()
    alone, both = played(path, Note(60, 99, 0.0, 1.0)), played(path, Note(60, 100, 0.0, 1.0))
    assert level_db(both) - level_db(alone) == pytest.approx(20 * np.log10(3 * (100 / 99) ** 2), abs=0.01)


def test_the_envelope_rises_holds_falls_and_lets_go() -> None:
    level = amplitude(Envelope(0.2, 0.1, 0.2, 0.25, 0.1), 11_200, 12_800, RATE)
    assert np.allclose(level[:3200], np.linspace(0, 1, 3200, endpoint=False), atol=1e-4)
    assert (level[3200:4800] == 1).all()
    assert level[4800 + 320] == pytest.approx(np.exp(-0.9), rel=1e-3)
    assert (level[8000:11_200] == 0.25).all()
    assert level[11_200 + 160] == pytest.approx(0.25 * np.exp(-0.9), rel=1e-3)
    assert level[-1] < 0.25 * 2e-4
    assert np.abs(np.diff(level)).max() < 0.01


@pytest.mark.parametrize("held", [1, 800, 2400, 5600, 8000])
def test_a_key_let_go_at_any_stage_makes_no_jump(held: int) -> None:
    level = amplitude(Envelope(0.2, 0.1, 0.2, 0.25, 0.1), held, held + 1600, RATE)
    assert np.abs(np.diff(level)).max() < 0.01
    assert level[-1] < 2e-4


def test_one_shots_play_on_and_others_are_let_go(tmp_path: Path) -> None:
    short = Note(60, 127, 0.0, 0.1)
    assert level_db(one_region(tmp_path, "loop_mode=one_shot", short)[8000:15_000]) > -12
    assert not one_region(tmp_path, "", short)[1800:].any()


def test_the_first_round_robin_always_plays(tmp_path: Path) -> None:
    text = "<group> seq_length=2\n<region> sample=c4.wav key=60\n<region> sample=c4.wav key=60 seq_position=2 volume=-12\n"
    text += "<group>\n<region> sample=c4.wav key=62 hirand=0.4\n<region> sample=c4.wav key=62 lorand=0.4 volume=-12"
    player = instrument(write_sfz(tmp_path, text))
    for pitch in (60, 62):
        sound = player.play([Note(pitch, 127, 0.1 * i, 0.1 * i + 0.05) for i in range(4)], 0.4, RATE)
        levels = [level_db(sound[i * 1600 : i * 1600 + 800]) for i in range(4)]
        assert np.ptp(levels) < 0.1
        assert levels[0] > -10


@settings(max_examples=30, deadline=None)
@given(
    notes=st.lists(
        st.builds(
            lambda pitch, velocity, start, length: Note(pitch, velocity, start, start + length),
            *(st.integers(0, 127), st.integers(0, 127), st.floats(0, 0.5), st.floats(0, 0.5)),
        ),
        max_size=6,
    ),
    earlier=st.lists(st.integers(0, 127), max_size=4),
)
def test_no_phrase_is_heard_in_a_later_one(
    tmp_path_factory: pytest.TempPathFactory, notes: list[Note], earlier: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("same")
    text = (
        "<group> ampeg_release=0.2 cutoff=3000\n<region> sample=c4.wav loop_mode=loop_sustain loop_start=50\n"
    )
    regions = read_sfz(write_sfz(folder, text + "<region> sample=c4.wav tune=7"), SfzTree(folder)).regions
    player = SfzPlayer(regions)
    for pitch in earlier:
        player.play([Note(pitch, 100, 0.0, 9.0)], 0.3, RATE)
    sound = player.play(notes, 0.5, RATE)
    assert np.array_equal(sound, SfzPlayer(regions).play(notes, 0.5, RATE))
    assert np.isfinite(sound).all()


def test_keys_too_far_from_a_sample_are_silent(tmp_path: Path) -> None:
    assert not one_region(tmp_path, "pitch_keytrack=1200", Note(67, 127, 0.0, 1.0)).any()


def test_damaged_samples_are_faults_and_the_others_play(tmp_path: Path) -> None:
    path = write_sfz(
        tmp_path, "<region> sample=bad.wav\n<region> sample=c4.wav\n<region> sample=c4.wav offset=99999999"
    )
    (tmp_path / "bad.wav").write_bytes(b"these are words")
    player = instrument(path)
    assert not player.faults
    assert level_db(player.play([HELD], 1.0, RATE)) > -12
    assert [name for name, _ in player.faults] == ["bad.wav", "c4.wav"]
    assert "not an audio file" in dict(player.faults)["bad.wav"]


def test_many_layers_are_cut(tmp_path: Path) -> None:
    player = instrument(write_sfz(tmp_path, "<region> sample=c4.wav\n" * (MAX_LAYERS + 5)))
    assert np.abs(player.play([HELD], 0.1, RATE)).max() == pytest.approx(0.5 * MAX_LAYERS, rel=0.01)
    assert "more than 64" in dict(player.faults)["regions"]


def test_the_loudest_file_still_renders_to_numbers_that_can_be_squared(tmp_path: Path) -> None:
    samples = {"loud.wav": np.full(1000, 9e8, np.float32)}
    text = "<region> sample=loud.wav volume=100 cutoff=900 resonance=40\n" * MAX_LAYERS
    sound = played(write_sfz(tmp_path, text, samples), *[HELD] * 20)
    assert np.isfinite(np.dot(sound, sound))
