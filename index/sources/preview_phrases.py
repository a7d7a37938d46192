"""What a preset plays so that a person can hear it: a short arpeggio into a chord, a bass line, or a beat.

Not part of the paper; previews only help to judge hits by ear.
"""

from collections.abc import Iterator

from index.sources.base import Note, enrollment_phrases

PREVIEW_SECONDS = 3.6
BEAT_SECONDS = 4.2

_ROOTS = {"bass": 36, "brass": 55, "flute": 72, "guitar": 52, "mallet": 72, "synth_lead": 64}
_MIDDLE_C = 60
_LOW_NAMES = ("tuba", "trombone", "bassoon", "contrabass", "cello", "baritone")
_HIGH_NAMES = ("piccolo", "glocken", "celesta", "music box")
_OTHER_REGISTERS = (0, 12, -12, 24, -24)  # semitones tried in turn where the first is out of range

_KICK, _SNARE, _CLOSED_HAT, _OPEN_HAT, _CRASH, _TOMS = 36, 38, 42, 46, 49, (48, 47, 45, 41)


def preview_phrases(name: str, family: str | None) -> Iterator[tuple[tuple[Note, ...], float]]:
    """Phrases to try in turn until one sounds, each with its length in seconds."""
    if family == "drum":
        yield _beat(), BEAT_SECONDS
    for shift in _OTHER_REGISTERS:
        root = _root(name, family) + shift
        yield (_bass_line(root) if family == "bass" else _arpeggio_and_chord(root)), PREVIEW_SECONDS
    for phrase in enrollment_phrases(PREVIEW_SECONDS):
        yield phrase, PREVIEW_SECONDS


def _root(name: str, family: str | None) -> int:
    root = _ROOTS.get(family or "", _MIDDLE_C)
    if any(word in name.lower() for word in _LOW_NAMES):
        return min(root, 48)
    return 72 if any(word in name.lower() for word in _HIGH_NAMES) else root


def _arpeggio_and_chord(root: int) -> tuple[Note, ...]:
    step = 0.24
    steps = (0, 4, 7, 12, 7)
    arpeggio = [Note(root + up, 88 + 4 * i, i * step, (i + 1) * step) for i, up in enumerate(steps)]
    chord = [Note(root + up, 92, len(steps) * step, 2.9) for up in (0, 4, 7, 12)]
    return (*arpeggio, *chord)


def _bass_line(root: int) -> tuple[Note, ...]:
    line = (
        (0, 0.0, 0.4),
        (0, 0.45, 0.65),
        (12, 0.7, 0.9),
        (10, 0.95, 1.15),
        (7, 1.2, 1.6),
        (5, 1.65, 1.85),
        (0, 1.9, 3.0),
    )
    return tuple(Note(root + up, 100, start, end) for up, start, end in line)


def _beat() -> tuple[Note, ...]:
    """Two bars of eighths at 130 beats a minute with a fill, then a crash."""
    eighth = 60.0 / 130.0 / 2.0
    hits = [(_CLOSED_HAT if i % 8 != 7 else _OPEN_HAT, 70 + 20 * (i % 2 == 0), i) for i in range(12)]
    hits += [(_KICK, 110, i) for i in (0, 3, 4, 8, 11)] + [(_SNARE, 105, i) for i in (2, 6, 10)]
    hits += [(tom, 100, 12 + i) for i, tom in enumerate(_TOMS)] + [(_CRASH, 110, 16), (_KICK, 115, 16)]
    return tuple(Note(pitch, velocity, i * eighth, i * eighth + 0.1) for pitch, velocity, i in hits)
