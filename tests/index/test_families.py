"""Families follow General MIDI's own groups, its names, and the names of real banks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.families import FAMILIES, family_of_name, family_of_program
from index.sources.default import default_soundfont
from index.sources.soundfont import SoundFontSource

# General MIDI System Level 1, sound set: the name of each program.
GENERAL_MIDI = (
    *("Acoustic Grand Piano", "Bright Acoustic Piano", "Electric Grand Piano", "Honky-tonk Piano"),
    *("Electric Piano 1", "Electric Piano 2", "Harpsichord", "Clavi"),
    *(
        "Celesta",
        "Glockenspiel",
        "Music Box",
        "Vibraphone",
        "Marimba",
        "Xylophone",
        "Tubular Bells",
        "Dulcimer",
    ),
    *("Drawbar Organ", "Percussive Organ", "Rock Organ", "Church Organ"),
    *("Reed Organ", "Accordion", "Harmonica", "Tango Accordion"),
    *(
        "Acoustic Guitar (nylon)",
        "Acoustic Guitar (steel)",
        "Electric Guitar (jazz)",
        "Electric Guitar (clean)",
    ),
    *("Electric Guitar (muted)", "Overdriven Guitar", "Distortion Guitar", "Guitar harmonics"),
    *("Acoustic Bass", "Electric Bass (finger)", "Electric Bass (pick)", "Fretless Bass"),
    *("Slap Bass 1", "Slap Bass 2", "Synth Bass 1", "Synth Bass 2"),
    *("Violin", "Viola", "Cello", "Contrabass"),
    *("Tremolo Strings", "Pizzicato Strings", "Orchestral Harp", "Timpani"),
    *("String Ensemble 1", "String Ensemble 2", "SynthStrings 1", "SynthStrings 2"),
    *("Choir Aahs", "Voice Oohs", "Synth Voice", "Orchestra Hit"),
    *("Trumpet", "Trombone", "Tuba", "Muted Trumpet"),
    *("French Horn", "Brass Section", "SynthBrass 1", "SynthBrass 2"),
    *("Soprano Sax", "Alto Sax", "Tenor Sax", "Baritone Sax", "Oboe", "English Horn", "Bassoon", "Clarinet"),
    *("Piccolo", "Flute", "Recorder", "Pan Flute", "Blown Bottle", "Shakuhachi", "Whistle", "Ocarina"),
    *("Lead 1 (square)", "Lead 2 (sawtooth)", "Lead 3 (calliope)", "Lead 4 (chiff)"),
    *("Lead 5 (charang)", "Lead 6 (voice)", "Lead 7 (fifths)", "Lead 8 (bass + lead)"),
    *("Pad 1 (new age)", "Pad 2 (warm)", "Pad 3 (polysynth)", "Pad 4 (choir)"),
    *("Pad 5 (bowed)", "Pad 6 (metallic)", "Pad 7 (halo)", "Pad 8 (sweep)"),
    *("FX 1 (rain)", "FX 2 (soundtrack)", "FX 3 (crystal)", "FX 4 (atmosphere)"),
    *("FX 5 (brightness)", "FX 6 (goblins)", "FX 7 (echoes)", "FX 8 (sci-fi)"),
    *("Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bag pipe", "Fiddle", "Shanai"),
    *("Tinkle Bell", "Agogo", "Steel Drums", "Woodblock"),
    *("Taiko Drum", "Melodic Tom", "Synth Drum", "Reverse Cymbal"),
    *("Guitar Fret Noise", "Breath Noise", "Seashore", "Bird Tweet"),
    *("Telephone Ring", "Helicopter", "Applause", "Gunshot"),
)
EXCEPTIONS = {"Timpani": "drum"}  # General MIDI counts them among the strings
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
    "Bassguitar Pad": "synth_pad",
    "Choir Pad": "synth_pad",
    "Saw Pad": "synth_pad",
    "RhodesPad1": "synth_pad",
    "another_respad": "synth_pad",
    "Poly Synth": "synth_pad",
    "IceRain": "synth_pad",
    "Space Voice": "synth_pad",
    "Goblin": "synth_pad",
    "Guitar FX": "effect",
    "FX gunshot": "effect",
    "bubblefx": "effect",
    "Stereo laser gun": "effect",
    "Bird": "effect",
    "Fret Noise": "effect",
    "Noise Snare": "drum",
    "Crystal Bells": "mallet",
    "Lead Vocals": "vocal",
    "Taisho Koto": "guitar",
    "Shenai": "reed",
    "Bagpipes": "reed",
    "Mbira": "mallet",
    "Organ Arpeggio": None,
    "Basso continuo": None,
    "Embassy": None,
    "Thunderbird": None,
    "Rain": None,
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
    expected |= dict.fromkeys(range(88, 104), "synth_pad") | dict.fromkeys(range(104, 108), "guitar")
    expected |= {108: "mallet", 109: "reed", 110: "string", 111: "reed"} | dict.fromkeys(
        range(120, 128), "effect"
    )
    assert {program: family_of_program(program) for program in expected} == expected


def test_every_program_has_a_family_and_every_family_a_program() -> None:
    assert {family_of_program(program) for program in range(128)} == set(FAMILIES)
    assert {family_of_program(program) for program in (-1, 128, 1000)} == {None}


@pytest.mark.parametrize("program", range(128))
def test_the_names_of_general_midi_tell_the_families_of_its_programs(program: int) -> None:
    name = GENERAL_MIDI[program]
    assert family_of_name(name) == EXCEPTIONS.get(name, family_of_program(program))


def test_the_presets_of_the_default_library_all_have_families() -> None:
    presets = list(SoundFontSource(default_soundfont(), banks={0}))
    assert len(presets) == 128
    assert {preset.family for preset in presets} == set(FAMILIES)
