"""Families follow General MIDI's own groups, and the names of real banks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.families import FAMILIES, family_of_name, family_of_program

NAMES = {
    "Fretless Bass": "bass",
    "Synth Bass 1": "bass",
    "Organ Bass": "bass",
    "Bass Guitar - Slap": "bass",
    "BASS&LEAD": "synth_lead",
    "Bassoon": "reed",
    "Bass Clarinet": "reed",
    "Clarinet (Bass)": "reed",
    "English Horn": "reed",
    "BariSax (TB) v2.3": "reed",
    "Tenor Sax": "reed",
    "Bass Trombone": "brass",
    "Trombone, Bass": "brass",
    "Fluegelhorn": "brass",
    "French Horns": "brass",
    "SynthBrass_2": "brass",
    "Bass Drum": "drum",
    "TR-808 Kit": "drum",
    "Hi-Hat closed": "drum",
    "Steel Drums": "mallet",
    "Music Box": "mallet",
    "MusicBox": "mallet",
    "Vibes 7c1": "mallet",
    "Tinkle Bell": "mallet",
    "DX Rhodes 1": "keyboard",
    "E.Piano 2": "keyboard",
    "Far Out EP": "keyboard",
    "Honky-tonk": "keyboard",
    "keyboard_electronic_003": "keyboard",
    "Reed Organ": "organ",
    "Accordion": "organ",
    "DistortionGuitar": "guitar",
    "Jazz Gt.": "guitar",
    "Saw Strings 6": "string",
    "Double Bass": "string",
    "Strings CLP": "string",
    "Alto Flute": "flute",
    "Pan Flute": "flute",
    "Shakuhachi": "flute",
    "Choir Aahs": "vocal",
    "Soprano": "vocal",
    "Synth Vox": "vocal",
    "Saw Lead": "synth_lead",
    "SuperSaw 3": "synth_lead",
    "Emilyguitar": "guitar",
    "Meatbass": "bass",
    "Weresax": "reed",
    "Steinway_B": "keyboard",
    "GSW Pianet T": "keyboard",
    "FSS Steel-String Acoustic": "guitar",
    "Vox Continental": "organ",
    "Flûte à bec": "flute",
    "Glock": "mallet",
    "Bassguitar Pad": None,
    "Choir Pad": None,
    "Saw Pad": None,
    "Guitar FX": None,
    "Basso continuo": None,
    "Embassy": None,
    "Sitar": None,
    "12345 !?": None,
    "": None,
}


@pytest.mark.parametrize(("name", "family"), NAMES.items())
def test_names(name: str, family: str | None) -> None:
    assert family_of_name(name) == family


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_named_by_its_own_word(family: str) -> None:
    assert family_of_name(family) == family
    assert family_of_name(f"{family}_acoustic_018-060-100") == family


@given(
    st.sampled_from(sorted(NAMES)),
    st.sampled_from(["", "01 ", "My ", "(new) "]),
    st.sampled_from(["", " 2", "_03"]),
)
def test_numbers_and_unknown_words_around_a_name_change_nothing(name: str, before: str, after: str) -> None:
    assert family_of_name(before + name + after) == NAMES[name]


@given(st.text(max_size=40))
def test_any_name_has_a_family_or_none(name: str) -> None:
    assert family_of_name(name) in (*FAMILIES, None)


def test_programs_follow_the_groups_of_general_midi() -> None:
    expected = {0: "keyboard", 14: "mallet", 23: "organ", 24: "guitar", 39: "bass", 47: "string", 54: "vocal"}
    expected |= {
        55: "string",
        63: "brass",
        64: "reed",
        79: "flute",
        87: "synth_lead",
        114: "mallet",
        118: "drum",
    }
    assert {program: family_of_program(program) for program in expected} == expected
    assert {family_of_program(program) for program in (*range(88, 112), *range(120, 128), -1, 128)} == {None}
    assert all(family_of_program(program) is not None for program in range(88))
