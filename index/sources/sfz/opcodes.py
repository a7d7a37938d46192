"""The opcodes of SFZ that are played: their names, the numbers they take, and how their values are read.

SFZ version 1 and what is common of version 2 and ARIA, as described on sfzformat.com.
"""

import math
import re

Value = float | str
Values = dict[str, Value]

PITCH_OF_LETTER = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
LOOP_MODES = ("no_loop", "one_shot", "loop_continuous", "loop_sustain")
TRIGGERS = ("attack", "first", "legato", "release", "release_key")
LARGEST = 1e13
FILTERS = ("lpf_1p", "lpf_2p", "hpf_1p", "hpf_2p")


def _each(names: str, limits: tuple[float, float]) -> dict[str, tuple[float, float]]:
    return dict.fromkeys(names.split(), limits)


_KEYS = _each(
    "key lokey hikey pitch_keycenter fil_keycenter sw_last sw_lolast sw_hilast sw_default sw_down "
    "xfin_lokey xfin_hikey xfout_lokey xfout_hikey",
    (-1, 127),
)
LIMITS: dict[str, tuple[float, float]] = {
    **_KEYS,
    **_each("lovel hivel xfin_lovel xfin_hivel xfout_lovel xfout_hivel", (0, 127)),
    **_each("volume group_volume master_volume global_volume gain resonance", (-1000, 200)),  # dB
    **_each("amplitude group_amplitude master_amplitude global_amplitude", (0, 10_000)),  # percent
    **_each("delay ampeg_delay ampeg_attack ampeg_hold ampeg_decay ampeg_release", (0, 3600)),  # seconds
    **_each("tune group_tune master_tune global_tune fil_veltrack fileg_depth", (-12_700, 12_700)),  # cents
    **_each("pitch_keytrack fil_keytrack", (-1200, 1200)),  # cents per key
    **_each("offset loop_start loop_end count", (0, 2**40)),  # samples; rounds
    **_each("pan ampeg_sustain amp_veltrack", (-200, 200)),  # percent
    **_each("seq_length seq_position", (1, 10_000)),
    **_each("lorand hirand", (0, 1)),
    **_each("transpose", (-127, 127)),  # semitones
    **_each("cutoff", (0, 200_000)),  # hz
    **_each("end", (-1, 2**40)),
    # What nothing moves while a phrase is played: it stands at its default.
    **_each("lobend hibend", (-9600, 9600)),
    **_each("lochanaft hichanaft lopolyaft hipolyaft", (0, 127)),
    **_each("lobpm hibpm", (0, 1000)),
}
# Where what a controller may move stands when the file does not say.
MODULATED = {name: 0.0 for name in LIMITS if name not in _KEYS} | {
    **dict.fromkeys(["ampeg_sustain", "amp_veltrack", "pitch_keytrack"], 100.0),
    **dict.fromkeys(["seq_length", "seq_position", "hirand"], 1.0),
}
WORDS: dict[str, tuple[str, ...]] = {
    "loop_mode": LOOP_MODES,
    "trigger": TRIGGERS,
    "xf_keycurve": ("gain", "power"),
    "xf_velcurve": ("gain", "power"),
    "xf_cccurve": ("gain", "power"),
}
ALIASES = {
    "pitch": "tune",
    "group_pitch": "group_tune",
    "loopmode": "loop_mode",
    "loopstart": "loop_start",
    "loopend": "loop_end",
    "filtype": "fil_type",
}

CONTROLLER = re.compile(r"(?:(on|start|xfin|xfout)_)?(lo|hi)(hd)?cc(\d{1,3})")
MODULATION = re.compile(r"([a-z]\w*?)_?(?:on)?cc(\d{1,3})")
CURVE = re.compile(r"([a-z]\w*?)_?curvecc(\d{1,3})")
VELOCITY_POINT = re.compile(r"amp_velcurve_(\d{1,3})")
# Names, pictures, voices let go, pedals, bends and release samples: nothing of them is heard in a phrase.
_WITHOUT_EFFECT = re.compile(
    r"\w*label\w*|hint_\w+|image\w*|group|off_\w+|offby|\w*polyphony\w*|note_selfmask|sw_(lokey|hikey|vel|up|note_offset"
    r"|octave_offset)|sustain_\w+|sostenuto_\w+|bend\w*|rt_\w+|\w+_(smooth|step)cc\d+|\w+_dynamic"
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?")
_NAMED_KEY = re.compile(r"([a-g])([#♯b♭]?)(-?\d{1,2})", re.IGNORECASE)


class BadValue(ValueError):
    """A value that its opcode does not take; the message says which and why."""


def has_effect(name: str) -> bool:
    """Whether an opcode that is not read would be heard (or is not known at all)."""
    return _WITHOUT_EFFECT.fullmatch(name) is None


def read_number(name: str, text: str) -> float:
    """The number that `text` begins with. Raises BadValue if there is none."""
    found = _NUMBER.match(text)
    number = float(found[0]) if found else math.inf
    if abs(number) > LARGEST:
        raise BadValue(f"{name}={text[:40]} is no number that can be used")
    return number


def read_key(name: str, text: str) -> float:
    """A MIDI pitch from its number or its name, middle C being c4; `-1` is no key. Raises BadValue."""
    found = _NAMED_KEY.match(text)
    if found is None:
        return read_number(name, text)
    letter, accidental, octave = found.groups()
    shift = 0 if not accidental else 1 if accidental in "#♯" else -1
    return float(12 * (int(octave) + 1) + PITCH_OF_LETTER[letter.lower()] + shift)


def read_opcode(name: str, text: str, key_shift: int = 0) -> Value | None:
    """The value of an opcode that is played, None for others; keys are moved by `key_shift` semitones.

    Raises BadValue for what is no number, no known word, or outside the opcode's limits.
    """
    if name in _KEYS:
        if name == "pitch_keycenter" and text.lower() == "sample":
            return "sample"
        key = read_key(name, text)
        value = key if key == -1 else key + key_shift
    elif name in LIMITS:
        value = read_number(name, text)
    elif name in WORDS:
        word = text.lower()
        if word not in WORDS[name]:
            raise BadValue(f"{name}={text[:40]} is none of {', '.join(WORDS[name])}")
        return word
    elif name == "fil_type":
        return text.lower()
    elif CONTROLLER.fullmatch(name) or CURVE.fullmatch(name):
        return read_number(name, text)
    elif VELOCITY_POINT.fullmatch(name):
        value = read_number(name, text)
    else:
        return None
    low, high = LIMITS.get(name, (0, 1))
    if not low <= value <= high:
        raise BadValue(f"{name}={text[:40]} is not within {low:g} to {high:g}")
    return value
