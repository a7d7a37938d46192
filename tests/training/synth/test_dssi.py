"""The host of DSSI plug-ins: notes sound when and where they are asked for, and what is no plug-in is refused."""

from pathlib import Path

import numpy as np
import pytest

from index.sources.base import Note
from models.errors import SourceError
from tests.index.tiny_banks import loudest_hz
from training.synth.dssi import DssiSynth, _RangeHint, default_value

RATE = 24_000


@pytest.mark.parametrize("pitch", [36, 57, 78])
def test_a_note_has_the_pitch_that_is_asked_for(tiny_dssi: Path, pitch: int) -> None:
    synth = DssiSynth(tiny_dssi, RATE)
    synth.select(0, 2)
    samples = synth.play(Note(pitch, 100, 0.0, 1.0), 1.0)
    assert loudest_hz(samples, RATE) == pytest.approx(440 * 2 ** ((pitch - 69) / 12), abs=0.5)


def test_a_note_starts_and_ends_on_time_also_beyond_the_first_block(tiny_dssi: Path) -> None:
    synth = DssiSynth(tiny_dssi, RATE)
    synth.select(0, 2)
    samples = synth.play(Note(69, 127, 0.25, 2.2), 3.0)
    assert len(samples) == 3 * RATE
    assert not samples[: RATE // 4].any()
    assert np.abs(samples[int(2.0 * RATE) : int(2.2 * RATE)]).max() == pytest.approx(
        0.1, rel=0.01
    )  # .2, one side of two
    assert np.abs(samples[int(2.6 * RATE) :]).max() < 1e-6
    steps = np.abs(np.diff(samples[RATE - 100 : RATE + 100]))
    assert steps.max() < 1.05 * 0.1 * 2 * np.pi * 440 / RATE  # no click between two blocks


def test_a_soft_note_leaves_no_trace_in_the_next(tiny_dssi: Path) -> None:
    synth, fresh = DssiSynth(tiny_dssi, RATE), DssiSynth(tiny_dssi, RATE)
    for one in (synth, fresh):
        one.select(0, 0)
    synth.play(Note(40, 20, 0.0, 0.9), 0.9)
    note = Note(60, 100, 0.0, 0.4)
    np.testing.assert_allclose(synth.play(note, 0.5), fresh.play(note, 0.5), atol=1e-4)


def test_programs_are_listed_with_the_numbers_that_select_them(tiny_dssi: Path) -> None:
    programs = list(DssiSynth(tiny_dssi, RATE).programs())
    assert [program.name for program in programs[:3]] == ["Bright Organ", "Organ Twin", "Plain Flute"]
    assert [(program.bank, program.number) for program in programs[3:6]] == [(0, 3), (1, 0), (1, 1)]


def test_a_setting_that_the_plugin_does_not_know_is_refused_in_its_words(tiny_dssi: Path) -> None:
    synth = DssiSynth(tiny_dssi, RATE)
    synth.configure("octave", "1")
    with pytest.raises(SourceError, match="load is refused: unknown key"):
        synth.configure("load", "bank")


def test_what_is_no_plugin_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.so"
    path.write_text("no library")
    with pytest.raises(SourceError, match=r"text\.so is no DSSI plug-in"):
        DssiSynth(path, RATE)


def test_controls_start_where_their_hints_say() -> None:
    cases = {
        (0x40, 2.0, 8.0): 2.0,
        (0x80, 2.0, 10.0): 4.0,
        (0xC0, 2.0, 8.0): 5.0,
        (0xC0 | 0x10, 2.0, 8.0): 4.0,  # logarithmic
        (0x100, 2.0, 10.0): 8.0,
        (0x140 | 0x8, 0.0, 0.5): RATE / 2,  # a share of the sample rate
        (0x240, 0.0, 8.0): 1.0,
        (0x280, 0.0, 200.0): 100.0,
        (0x2C0, 415.0, 467.0): 440.0,
        (0, 2.0, 8.0): 0.0,
    }
    for (kind, low, high), expected in cases.items():
        assert default_value(_RangeHint(kind, low, high), RATE) == pytest.approx(expected)
