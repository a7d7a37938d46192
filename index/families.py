"""The coarse class of an instrument: NSynth's eleven families (Engel et al. 2017, table 1), drums, pads and sound effects.

A family is derived from a General MIDI program, each of which has one, or from the words of a patch's name, which may tell
none.
"""

import re
import unicodedata

from models.errors import InvalidRequest

FAMILIES: tuple[str, ...] = (
    "bass",
    "brass",
    "flute",
    "guitar",
    "keyboard",
    "mallet",
    "organ",
    "reed",
    "string",
    "synth_lead",
    "vocal",
    "drum",
    "synth_pad",
    "effect",
)

EFFECT = "effect"  # sound effects, which are no hits unless a query asks for them

_PROGRAM_FAMILIES: tuple[tuple[range, str], ...] = (
    (range(0, 8), "keyboard"),
    (range(8, 16), "mallet"),
    (range(16, 24), "organ"),
    (range(24, 32), "guitar"),
    (range(32, 40), "bass"),
    (range(40, 52), "string"),
    (range(52, 55), "vocal"),
    (range(55, 56), "string"),
    (range(56, 64), "brass"),
    (range(64, 72), "reed"),
    (range(72, 80), "flute"),
    (range(80, 88), "synth_lead"),
    (range(88, 104), "synth_pad"),
    (range(104, 108), "guitar"),
    (range(108, 109), "mallet"),
    (range(109, 110), "reed"),
    (range(110, 111), "string"),
    (range(111, 112), "reed"),
    (range(112, 113), "mallet"),
    (range(113, 114), "drum"),
    (range(114, 115), "mallet"),
    (range(115, 120), "drum"),
    (range(120, 128), "effect"),
)

# Pairs of words whose family is not that of the last word; they are looked up before single words.
_PHRASES: dict[tuple[str, str], str] = {
    ("bass", "guitar"): "bass",
    ("double", "bass"): "string",
    ("english", "horn"): "reed",
    ("cor", "anglais"): "reed",
    ("basset", "horn"): "reed",
    ("mouth", "organ"): "organ",
    ("music", "box"): "mallet",
    ("musical", "box"): "mallet",
    ("steel", "drum"): "mallet",
    ("steel", "pan"): "mallet",
    ("hi", "hat"): "drum",
    ("pan", "pipe"): "flute",
    ("pan", "pipes"): "flute",
    ("glass", "harp"): "mallet",
    ("jaw", "harp"): "",
    ("jews", "harp"): "",
    ("honky", "tonk"): "keyboard",
    ("wood", "block"): "drum",
    ("steel", "string"): "guitar",
    ("nylon", "string"): "guitar",
    ("les", "paul"): "guitar",
    ("vox", "continental"): "organ",
    ("bag", "pipe"): "reed",
    ("gun", "shot"): "effect",
    # The names of General MIDI's leads, pads and synth effects, of which some end in the word of another family.
    ("lead", "voice"): "synth_lead",
    ("pad", "choir"): "synth_pad",
    ("new", "age"): "synth_pad",
    ("poly", "synth"): "synth_pad",
    ("space", "voice"): "synth_pad",
    ("bowed", "glass"): "synth_pad",
    ("ice", "rain"): "synth_pad",
    ("fx", "rain"): "synth_pad",
    ("echo", "drop"): "synth_pad",
    ("fx", "echoes"): "synth_pad",
    ("star", "theme"): "synth_pad",
    ("fx", "sci"): "synth_pad",
}

_WORDS: dict[str, str] = {
    "bass": "bass synbass bassline basslead subbass fretless",
    "brass": "brass synbrass brazz trumpet tpt trombone tuba horn horns fluegelhorn flugelhorn flugel cornet euphonium "
    "cornett sousaphone helicon bugle",
    "flute": "flute piccolo recorder ocarina whistle shakuhachi bottle panflute panpipe flutes zufolo syrinx bansuri",
    "guitar": "guitar gtr gt guit strat stratocaster telecaster ukulele mandolin distortiongt overdrivegt sitar banjo "
    "shamisen koto",
    "keyboard": "piano epiano pianoforte grand rhodes wurlitzer wurly wurli clav clavi clavinet clavinoid "
    "harpsichord cembalo clavicembalo spinet clavichord keyboard keys rhod honkytonk fortepiano pianet "
    "steinway bechstein bosendorfer",
    "mallet": "mallet vibraphone vibes marimba xylophone glockenspiel glocken celesta celeste bell bells chime chimes "
    "carillon crotales dulcimer santur tubular musicbox steelpan steeldrum glock handbell windbell kalimba mbira",
    "organ": "organ organo hammond farfisa accordion accordian accordeon concertina bandoneon harmonica melodica harmonium",
    "reed": "reed sax saxophone saxo oboe clarinet bassoon contrabassoon fagotto fagott shawm crumhorn krummhorn "
    "duduk saxes bagpipe shanai shenai shehnai",
    "string": "string strings violin viola cello celli violoncello contrabass fiddle harp orchestra ensemble "
    "pizzicato pizz synstrings cellos basses doublebass solina",
    "synth_lead": "lead synthlead sawlead squarelead calliope charang",
    "vocal": "vocal vocals voice voices vox choir choirs aah aahs ahs ahh aaah ooh oohs ohh oooh vocoder synvox singer "
    "choirlike chorale",
    "drum": "drum drums kit drumkit drumset percussion perc percs snare kick tom toms timpani cymbal cymbals hat hats hihat "
    "conga congas bongo bongos taiko woodblock agogo clap claps shaker tambourine cowbell timbale timbales maracas",
    "synth_pad": "pad polysynth sweep atmosphere atmos atmo soundtrack fantasia halo goblin crystal brightness",
    "effect": "effect fx sfx noise seashore bird tweet telephone helicopter applause gunshot thunder siren explosion laser "
    "footstep foley riser whoosh",
    # Words that mean no family at all, though a family's name may stand before them.
    "": "arp arpeggio sequence",
}
_FAMILY_OF_WORD = {word: family for family, words in _WORDS.items() for word in words.split()}

# Words that count only where no other is known: registers of voices, and waveforms.
_FAMILY_OF_WEAK_WORD = {
    **dict.fromkeys(
        ["soprano", "sopranos", "mezzo", "alto", "altos", "tenor", "tenors", "baritone"], "vocal"
    ),
    **dict.fromkeys(["saw", "sawtooth", "supersaw", "square", "pulse"], "synth_lead"),
    "ep": "keyboard",
}
# Words that end compounds such as "Emilyguitar", "Weresax" and "bubblefx".
_ENDINGS = {
    "bass": "bass",
    "guitar": "guitar",
    "sax": "reed",
    "piano": "keyboard",
    "strings": "string",
    "drums": "drum",
    "snare": "drum",
    "choir": "vocal",
    "pad": "synth_pad",
    "fx": "effect",
}
_WIND = ("brass", "reed", "flute")  # after these, "bass" is a size: "Clarinet, Bass"

_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def check_family(family: str | None) -> None:
    """Raise InvalidRequest for a string that is not a family; None is allowed."""
    if family is not None and family not in FAMILIES:
        raise InvalidRequest(f"{family[:50]!r} is not a family", value=family[:50], limit=", ".join(FAMILIES))


def family_of_program(program: int) -> str | None:
    """Return the family of a General MIDI program; None for a number that is none (0…127).

    0–7 keyboard · 8–15 mallet · 16–23 organ · 24–31 guitar · 32–39 bass · 40–51 string (timpani among them, as in GM)
    · 52–54 vocal · 55 string · 56–63 brass · 64–71 reed · 72–79 flute · 80–87 synth_lead · 88–103 synth_pad (GM's pads
    and synth effects) · 104–107 guitar (sitar to koto) · 108 mallet (kalimba) · 109 and 111 reed (bagpipe, shanai)
    · 110 string (fiddle) · 112 and 114 mallet (tinkle bell, steel drums) · 113 and 115–119 drum · 120–127 effect.
    """
    return next((family for programs, family in _PROGRAM_FAMILIES if program in programs), None)


def program_of_family(family: str) -> int:
    """Return the first General MIDI program of a family (0…127), which stands for it in a file of notes."""
    return next(programs.start for programs, name in _PROGRAM_FAMILIES if name == family)


def family_of_name(name: str) -> str | None:
    """Return the family that the name of a patch or folder mentions, or None.

    Only whole words count, however they are joined (`SynthBrass_2`, "Bass & Lead"): a bassoon is not a bass. The last
    known word wins, because the noun comes last in English: "Bass Clarinet" is a reed, "Organ Bass" a bass, "Choir Pad"
    a synth_pad, and "Guitar Fret Noise" an effect. "Organ Arpeggio" has no family.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()  # "Flûte" is a flute
    tokens = [token.lower() for token in _TOKEN.findall(plain)]
    families: list[str] = []
    position = 0
    while position < len(tokens):
        pair = tuple(tokens[position : position + 2])
        if len(pair) == 2 and (family := _phrase_family(pair[0], pair[1])) is not None:
            families.append(family)
            position += 2
            continue
        family = _lookup(_FAMILY_OF_WORD, tokens[position])
        if family is None:
            family = _family_of_ending(tokens[position])
        if family is not None and not (family == "bass" and families and families[-1] in _WIND):
            families.append(family)
        position += 1
    if not families:
        families = [found for token in tokens if (found := _lookup(_FAMILY_OF_WEAK_WORD, token)) is not None]
    return (families[-1] or None) if families else None


def _phrase_family(first: str, second: str) -> str | None:
    return _PHRASES.get((first, second), _PHRASES.get((first, second.removesuffix("s"))))


def _family_of_ending(token: str) -> str | None:
    return next((family for word, family in _ENDINGS.items() if token.endswith(word)), None)


def _lookup(table: dict[str, str], token: str) -> str | None:
    return table.get(token, table.get(token.removesuffix("s")))
