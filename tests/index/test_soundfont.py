"""Rendering SoundFonts: pitch, timing, independence of renders, and presets as instruments."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sources.base import Note, is_playable, is_silent
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontPlayer, SoundFontSource
from models.errors import SourceError
from tests.index.tiny_soundfont import (
    MIDDLE_C,
    PATCHES,
    PERIOD_SAMPLES,
    SAMPLE_RATE,
    SILENT,
    Patch,
    soundfont_bytes,
    write_soundfont,
)

RATE = 16_000
PRESETS = st.sampled_from([(0, 0), (0, 1), (0, 2), (0, 3), (8, 0), (128, 0)])


@pytest.fixture(scope="module")
def player(font: Path) -> SoundFontPlayer:
    return SoundFontPlayer(font, RATE)


@st.composite
def phrases(draw: st.DrawFn) -> list[Note]:
    starts = draw(st.lists(st.floats(0.0, 0.4), max_size=4))
    return [
        Note(draw(st.integers(36, 84)), draw(st.integers(1, 127)), start, start + draw(st.floats(0.0, 0.4)))
        for start in starts
    ]


@pytest.mark.parametrize("pitch", [48, 60, 67])
def test_a_note_sounds_at_its_pitch_and_in_its_time(player: SoundFontPlayer, pitch: int) -> None:
    samples = player.play(0, 0, [Note(pitch, 100, 0.25, 0.75)], 1.5)
    assert samples.dtype == np.float32
    assert samples.shape == (24_000,)
    assert not samples[:4000].any()
    assert np.abs(samples[12_800:]).max() < 0.01 * np.abs(samples).max()  # let go at 12,000
    spectrum = np.abs(np.fft.rfft(samples[4000:12_000]))
    hz = float(spectrum.argmax()) * RATE / 8000
    expected_hz = SAMPLE_RATE / PERIOD_SAMPLES * 2 ** ((pitch - MIDDLE_C) / 12)
    assert hz == pytest.approx(expected_hz, abs=2.0)


@settings(deadline=None, max_examples=30)
@given(preset=PRESETS, notes=phrases(), before=st.lists(st.tuples(PRESETS, phrases()), max_size=3))
def test_no_render_is_heard_in_a_later_one(
    player: SoundFontPlayer, font: Path, preset: tuple[int, int], notes: list[Note], before: list[tuple]
) -> None:
    for (bank, program), earlier in before:
        player.play(bank, program, [Note(40, 127, 0.0, 9.0), *earlier], 0.3)
    assert np.array_equal(
        player.play(*preset, notes, 0.6), SoundFontPlayer(font, RATE).play(*preset, notes, 0.6)
    )
    assert not player.play(*preset, [], 0.2).any()


@settings(deadline=None, max_examples=20)
@given(preset=PRESETS, pitches=st.lists(st.integers(36, 84), unique=True, min_size=1, max_size=4))
def test_a_chord_is_the_sum_of_its_notes(
    player: SoundFontPlayer, preset: tuple[int, int], pitches: list[int]
) -> None:
    notes = [Note(pitch, 90, 0.1, 2.0) for pitch in pitches]
    chord = player.play(*preset, notes, 0.5)
    alone = sum(player.play(*preset, [note], 0.5) for note in notes)
    assert np.allclose(chord, alone, atol=1e-5)


def test_velocity_makes_it_louder_and_mono_is_the_mean_of_the_channels(player: SoundFontPlayer) -> None:
    soft, loud = (player.render(0, 2, [Note(60, velocity, 0.0, 1.0)], 0.5) for velocity in (45, 115))
    assert loud.shape == (8000, 2)
    assert np.abs(loud).max() > 2 * np.abs(soft).max()
    assert np.allclose(player.play(0, 2, [Note(60, 115, 0.0, 1.0)], 0.5), loud.mean(axis=1))


def test_a_zero_length_note_does_not_hang(player: SoundFontPlayer) -> None:
    samples = player.play(0, 0, [Note(60, 100, 0.0, 0.0)], 1.0)
    assert not samples[8000:].any()


def test_threads_may_share_a_player(player: SoundFontPlayer) -> None:
    notes = [[Note(48 + i, 100, 0.01 * i, 0.3)] for i in range(24)]
    alone = [player.play(0, i % 4, phrase, 0.4) for i, phrase in enumerate(notes)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: player.play(0, i % 4, notes[i], 0.4), range(24)))
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


def test_another_rate_shares_the_samples(player: SoundFontPlayer, font: Path) -> None:
    notes = [Note(60, 100, 0.0, 0.4)]
    assert np.array_equal(
        player.at(44_100).play(0, 1, notes, 0.5), SoundFontPlayer(font, 44_100).play(0, 1, notes, 0.5)
    )
    assert player.play(0, 1, notes, 0.5).shape == (8000,)


def test_an_unknown_preset_is_refused(player: SoundFontPlayer) -> None:
    with pytest.raises(SourceError, match="no preset 3:7"):
        player.play(3, 7, [], 0.1)


def test_presets_become_instruments_with_names_families_and_sources(font: Path) -> None:
    source = SoundFontSource(font)
    assert source.name == "tiny"
    assert len(source) == 7
    assert [(one.name, one.family, one.source) for one in source] == [
        ("Pure", None, "tiny.sf2#0:0"),
        ("Hollow Clarinet", "reed", "tiny.sf2#0:1"),
        ("Bright Saw Lead", "synth_lead", "tiny.sf2#0:2"),
        ("Fifths Organ", "organ", "tiny.sf2#0:3"),
        ("Only High Bells", "mallet", "tiny.sf2#0:4"),
        ("Variation Bass", "bass", "tiny.sf2#8:0"),
        ("Standard", "drum", "tiny.sf2#128:0"),
    ]
    assert [one.name for one in SoundFontSource(font, banks={8, 128})] == ["Variation Bass", "Standard"]
    with pytest.raises(SourceError, match="no preset in banks"):
        SoundFontSource(font, banks={5})


def test_every_phrase_is_brought_into_the_range_of_a_preset(font: Path) -> None:
    clips = {one.name: one.clips(RATE, 80_000) for one in SoundFontSource(font)}
    assert {len(of_one) for of_one in clips.values()} == {8}
    assert clips["Pure"].shape == (8, 80_000)
    assert clips["Pure"].dtype == np.float32
    assert not any(is_silent(clip) for one in clips.values() for clip in one)


@pytest.mark.parametrize(
    ("keys", "preset_keys", "expected"),
    [
        ((0, 127), None, (0, 127)),
        ((70, 90), None, (70, 90)),
        ((0, 127), (50, 52), (50, 52)),
        ((40, 60), (55, 80), (55, 60)),
        ((40, 255), None, (40, 127)),
    ],
)
def test_the_playable_range_is_where_it_sounds(
    tmp_path: Path, keys: tuple[int, int], preset_keys: tuple[int, int] | None, expected: tuple[int, int]
) -> None:
    patch = Patch("Narrow", 0, 0, (1.0, 0.3), keys=keys, preset_keys=preset_keys)
    (narrow,) = SoundFontSource(write_soundfont(tmp_path / "narrow.sf2", (patch,)))
    assert is_playable(narrow)
    assert narrow.playable_range == expected
    low, high = expected
    for pitch in {max(0, low - 1), low, high, min(127, high + 1)}:
        silent = is_silent(narrow.play([Note(pitch, 100, 0.0, 0.2)], 0.3, 44_100))
        assert silent == (not low <= pitch <= high)
    assert len(narrow.clips(RATE, 16_000)) == 8


def test_a_preset_that_no_key_plays_is_a_fault_of_the_source(tmp_path: Path) -> None:
    dead = Patch("Dead", 0, 5, (1.0,), keys=(10, 20), preset_keys=(30, 40))
    source = SoundFontSource(write_soundfont(tmp_path / "some.sf2", (*PATCHES[:2], dead)))
    assert [one.name for one in source] == ["Pure", "Hollow Clarinet"]
    assert len(source) == 2
    assert source.faults == (("some.sf2#0:5 Dead", "no key plays a sample"),)
    with pytest.raises(SourceError, match=r"no preset of all\.sf2"):
        SoundFontSource(write_soundfont(tmp_path / "all.sf2", (dead,)))


def test_ids_name_file_bank_and_program(font: Path) -> None:
    source = SoundFontSource(font)
    assert [one.id for one in source][-2:] == ["tiny_008_000", "tiny_128_000"]
    assert source.get("tiny_008_000").name == "Variation Bass"
    assert source.files == (font,)
    with pytest.raises(SourceError, match="tiny_000_077"):
        source.get("tiny_000_077")


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_it_plays_at_any_rate(font: Path, rate: int) -> None:
    samples = SoundFontSource(font).get("tiny_000_000").play([Note(MIDDLE_C, 100, 0.0, 0.5)], 0.5, rate)
    assert samples.shape == (rate // 2,)
    hz = float(np.abs(np.fft.rfft(samples)).argmax()) * 2
    assert hz == pytest.approx(SAMPLE_RATE / PERIOD_SAMPLES, abs=2.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        (b"\0\0", None),
        (b"Public \r\n\tdomain\0\0rubbish\0", "Public domain"),
        ("© 2004 Müller".encode(), "© 2004 Müller"),
        ("© 2004 Müller".encode("latin-1"), "© 2004 Müller"),
        (b"GNU " * 5000, ("GNU " * 50)[:199] + "…"),
    ],
)
def test_the_licence_is_what_the_file_says_of_its_copyright(
    tmp_path: Path, text: bytes | None, expected: str | None
) -> None:
    path = tmp_path / "said.sf2"
    path.write_bytes(soundfont_bytes(PATCHES[:1], copyright_note=text))
    (one,) = SoundFontSource(path)
    assert one.licence == expected


def test_a_preset_that_never_sounds_is_refused(tmp_path: Path) -> None:
    (silent,) = SoundFontSource(write_soundfont(tmp_path / "silent.sf2", (SILENT,)))
    for act in (lambda: silent.clips(RATE, 80_000), silent.preview):
        with pytest.raises(SourceError, match=r"Nothing .* is silent in every register"):
            act()


def test_previews_are_stereo_of_a_few_seconds_at_minus_3_dbfs(font: Path) -> None:
    for instrument in SoundFontSource(font):
        samples, sample_rate = instrument.preview()
        assert sample_rate == 44_100
        assert samples.shape[1] == 2
        assert 3.0 <= len(samples) / sample_rate <= 4.5
        assert np.abs(samples).max() == pytest.approx(10 ** (-3 / 20), rel=1e-4)


def test_names_that_are_not_utf8_are_read_as_latin_1(tmp_path: Path) -> None:
    path = write_soundfont(tmp_path / "french.sf2", (Patch("Flûte à bec", 0, 75, (1.0, 0.2)),))
    (flute,) = SoundFontSource(path)
    assert flute.name == "Flûte à bec"
    assert len(flute.clips(RATE, 80_000)) == 8


def test_the_default_library_is_a_general_midi_set() -> None:
    source = SoundFontSource(default_soundfont(), banks={0})
    assert len(source) == 128
    families = {one.source: one.family for one in source}
    assert families["TimGM6mb.sf2#0:25"] == "guitar"
    assert families["TimGM6mb.sf2#0:87"] == "synth_lead"  # "Bass & Lead"
    assert families["TimGM6mb.sf2#0:91"] == "synth_pad"  # "Space Voice"
    assert families["TimGM6mb.sf2#0:127"] == "effect"
