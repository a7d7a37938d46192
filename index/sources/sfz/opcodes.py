"""SFZ opcodes that the player uses: their names, ranges and how their values are read.

Names and ranges follow sfzformat.com: version 1 and the common part of version 2 and ARIA.
"""

import math
import re

Value = float | str
Values = dict[str, Value]

PITCH_OF_LETTER = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
LOOP_MODES = ("no_loop", "one_shot", "loop_continuous", "loop_sustain")
TRIGGERS = ("attack", "first", "legato", "release", "release_key")
FILTERS = ("lpf_1p", "lpf_2p", "hpf_1p", "hpf_2p")
LARGEST = 1e13
FULL_CONTROLLER = 127.0  # `hdcc` values count from 0 to 1, `cc` values from 0 to this


def _ranges(names: str, low: float, high: float) -> dict[str, tuple[float, float]]:
    return dict.fromkeys(names.split(), (low, high))


_KEYS = _ranges(
    "key lokey hikey pitch_keycenter sw_last sw_lolast sw_hilast sw_default sw_down "
    "xfin_lokey xfin_hikey xfout_lokey xfout_hikey",
    -1,
    127,
)
RANGES: dict[str, tuple[float, float]] = {
    **_KEYS,
    **_ranges("lovel hivel xfin_lovel xfin_hivel xfout_lovel xfout_hivel", 0, 127),
    **_ranges("volume group_volume master_volume global_volume gain resonance", -1000, 200),  # dB
    **_ranges("amplitude group_amplitude master_amplitude global_amplitude", 0, 10_000),  # percent
    **_ranges("delay ampeg_delay ampeg_attack ampeg_hold ampeg_decay ampeg_release", 0, 3600),  # seconds
    **_ranges("tune group_tune master_tune global_tune fil_veltrack fileg_depth", -12_700, 12_700),  # cents
    **_ranges("pitch_keytrack", -1200, 1200),  # cents per key
    **_ranges("offset loop_start loop_end", 0, 2**40),  # samples
    **_ranges("end", -1, 2**40),  # samples
    **_ranges("ampeg_sustain amp_veltrack", -200, 200),  # percent
    **_ranges("seq_position", 1, 10_000),
    **_ranges("lorand", 0, 1),
    **_ranges("transpose", -127, 127),  # semitones
    **_ranges("cutoff", 0, 200_000),  # hz
}
# Defaults of the opcodes that a controller may move.
MODULATION_DEFAULTS = {name: 0.0 for name in RANGES if name not in _KEYS} | {
    **dict.fromkeys(["ampeg_sustain", "amp_veltrack", "pitch_keytrack"], 100.0),
    "seq_position": 1.0,
}
WORDS: dict[str, tuple[str, ...]] = {"loop_mode": LOOP_MODES, "trigger": TRIGGERS}
ALIASES = {
    "pitch": "tune",
    "group_pitch": "group_tune",
    "loopmode": "loop_mode",
    "loopstart": "loop_start",
    "loopend": "loop_end",
    "filtype": "fil_type",
}

CONDITION = re.compile(r"(on_|start_)?(lo|hi)cc(\d{1,3})")
CROSSFADE = re.compile(r"xf(in|out)_(lo|hi)(key|vel|cc\d{1,3})")
MODULATION = re.compile(r"([a-z]\w*?)_?(?:on)?cc(\d{1,3})")
CURVE = re.compile(r"[a-z]\w*?_?curvecc\d{1,3}")
# Labels, pictures, polyphony, pedals, bends and release samples are not heard in a phrase. Panning, velocity curves, the
# shape of crossfades, round robins and filter key tracking move no embedding measurably (cosine .98 or more).
_WITHOUT_EFFECT = re.compile(
    r"\w*label\w*|hint_\w+|image\w*|group|off_\w+|offby|\w*polyphony\w*|note_selfmask|sw_(lokey|hikey|vel|up|note_offset"
    r"|octave_offset)|sustain_\w+|sostenuto_\w+|bend\w*|rt_\w+|\w+_(smooth|step)cc\d+|\w+_dynamic"
    r"|pan\w*|amp_velcurve_\d+|xf_\w+curve|seq_length|hirand|fil_key(track|center)"
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?")
_NAMED_KEY = re.compile(r"([a-g])([#♯b♭]?)(-?\d{1,2})", re.IGNORECASE)


class BadValue(ValueError):
    """An opcode's value cannot be used; the message says which and why."""


def is_audible(name: str) -> bool:
    """Return whether ignoring the opcode changes the sound; unknown opcodes count as audible."""
    return _WITHOUT_EFFECT.fullmatch(name) is None


def read_number(name: str, text: str) -> float:
    """Return the number at the start of `text`. Raises BadValue if there is none."""
    found = _NUMBER.match(text)
    number = float(found[0]) if found else math.inf
    if abs(number) > LARGEST:
        raise BadValue(f"{name}={text[:40]} is not a usable number")
    return number


def read_key(name: str, text: str) -> float:
    """Return a MIDI pitch from its number or its name (c4 is 60); `-1` means no key. Raises BadValue."""
    found = _NAMED_KEY.match(text)
    if found is None:
        return read_number(name, text)
    letter, accidental, octave = found.groups()
    shift = 0 if not accidental else 1 if accidental in "#♯" else -1
    return float(12 * (int(octave) + 1) + PITCH_OF_LETTER[letter.lower()] + shift)


def read_opcode(name: str, text: str, key_shift: int = 0) -> Value | None:
    """Return the value of an opcode that is played, None for others. Keys move by `key_shift` semitones.

    Raises BadValue for a malformed number, an unknown word or a value outside the opcode's range.
    """
    if name in _KEYS:
        if name == "pitch_keycenter" and text.lower() == "sample":
            return "sample"
        key = read_key(name, text)
        value = key if key == -1 else key + key_shift
    elif name in RANGES:
        value = read_number(name, text)
    elif name in WORDS:
        word = text.lower()
        if word not in WORDS[name]:
            raise BadValue(f"{name}={text[:40]} is not one of {', '.join(WORDS[name])}")
        return word
    elif name == "fil_type":
        return text.lower()
    elif CONDITION.fullmatch(name) or CROSSFADE.fullmatch(name) or CURVE.fullmatch(name):
        return read_number(name, text)
    else:
        return None
    low, high = RANGES[name]
    if not low <= value <= high:
        raise BadValue(f"{name}={text[:40]} is not within {low:g} to {high:g}")
    return value
