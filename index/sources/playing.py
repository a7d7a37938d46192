"""Renders phrases on any playable instrument: moved into its range, as enrollment clips and as a preview.

Section 4 of Kim et al. 2022 renders any MIDI phrase with any instrument; a phrase outside its range moves by octaves.
Previews are a short arpeggio into a chord, a bass line or a beat; they are not part of the paper.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from index.sources.base import (
    Floats,
    Note,
    PlayableInstrument,
    enrollment_phrases,
    finish_preview,
    is_drum_kit,
    is_silent,
)
from index.sources.beats import enrollment_beats
from models.errors import SourceError

PREVIEW_SAMPLE_RATE = 44_100
PREVIEW_SECONDS = 3.6
BEAT_SECONDS = 4.2

_ROOTS = {"bass": 36, "brass": 55, "flute": 72, "guitar": 52, "mallet": 72, "synth_lead": 64}
_MIDDLE_C = 60
_LOW_NAMES = ("tuba", "trombone", "bassoon", "contrabass", "cello", "baritone")
_HIGH_NAMES = ("piccolo", "glocken", "celesta", "music box")
_OTHER_REGISTERS = (0, 12, -12, 24, -24)  # semitones, tried in turn where the first is out of range

_KICK, _SNARE, _CLOSED_HAT, _OPEN_HAT, _CRASH, _TOMS = 36, 38, 42, 46, 49, (48, 47, 45, 41)

# (notes, seconds, sample_rate) → [n] or [n, channels]
Render = Callable[[Sequence[Note], float, int], Floats]


def fit_range(notes: Sequence[Note], low: int, high: int) -> tuple[Note, ...]:
    """Transpose by the fewest octaves into `low`…`high` (MIDI, inclusive); notes still outside move on their own.

    Raises SourceError if the range is empty.
    """
    if low > high:
        raise SourceError(f"no pitch lies between {low} and {high}", value=(low, high))
    if all(low <= note.pitch <= high for note in notes):
        return tuple(notes)
    pitches = np.array([note.pitch for note in notes])
    shifts = np.arange(-120, 121, 12)
    moved = pitches[None, :] + shifts[:, None]  # [shifts, notes]
    outside = (np.maximum(low - moved, 0) + np.maximum(moved - high, 0)).sum(axis=1)
    shift = int(shifts[np.lexsort((np.abs(shifts), outside))[0]])
    return tuple(
        Note(_fold(note.pitch + shift, low, high), note.velocity, note.start_seconds, note.end_seconds)
        for note in notes
    )


def _fold(pitch: int, low: int, high: int) -> int:
    """Return the nearest octave of `pitch` inside the range, or the range's nearest edge if there is none."""
    folded = pitch
    if pitch < low:
        folded = pitch + 12 * -((pitch - low) // 12)
    elif pitch > high:
        folded = pitch - 12 * -((high - pitch) // 12)
    return folded if low <= folded <= high else min(max(pitch, low), high)


def enrollment_clips(instrument: PlayableInstrument, sample_rate: int, clip_samples: int) -> Floats:
    """Render the enrollment phrases in the instrument's range, or a kit's beats; keep those that sound: `[1…8, clip_samples]`.

    Raises SourceError if none does.
    """
    seconds = clip_samples / sample_rate
    rendered = [
        instrument.play(notes, seconds, sample_rate) for notes in enrollment_notes(instrument, seconds)
    ]
    sounding = [clip for clip in rendered if not is_silent(clip)]
    if not sounding:
        raise _silent(instrument)
    return np.stack(sounding)


def enrollment_notes(instrument: PlayableInstrument, seconds: float) -> tuple[tuple[Note, ...], ...]:
    """Return what an instrument plays to be enrolled: a kit eight beats, any other the eight phrases in its range."""
    if is_drum_kit(instrument):
        return enrollment_beats(seconds)
    return tuple(fit_range(phrase, *instrument.playable_range) for phrase in enrollment_phrases(seconds))


def phrase_preview(instrument: PlayableInstrument, render: Render | None = None) -> tuple[Floats, int]:
    """Render three to four seconds at 44.1 kHz in a register where the instrument sounds.

    Mono `[n]` from `instrument.play`, or the output of `render`. Raises SourceError if it is silent.
    """
    low, high = instrument.playable_range
    for notes, seconds in _preview_phrases(instrument.name, instrument.family):
        fitted = fit_range(notes, low, high)
        samples = (render or instrument.play)(fitted, seconds, PREVIEW_SAMPLE_RATE)
        if not is_silent(samples):
            return finish_preview(samples, PREVIEW_SAMPLE_RATE), PREVIEW_SAMPLE_RATE
    raise _silent(instrument)


def _silent(instrument: PlayableInstrument) -> SourceError:
    reasons = "".join(f"; {part}: {reason}" for part, reason in instrument.faults[:3])
    message = f"{instrument.name} ({instrument.source}) is silent in every register{reasons}"
    return SourceError(message, value=instrument.source)


def _preview_phrases(name: str, family: str | None) -> Iterator[tuple[tuple[Note, ...], float]]:
    """Yield phrases to try until one sounds, each with its length in seconds."""
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
    """Return two bars of eighths at 130 beats a minute with a fill, then a crash."""
    eighth = 60.0 / 130.0 / 2.0
    hits = [(_CLOSED_HAT if i % 8 != 7 else _OPEN_HAT, 70 + 20 * (i % 2 == 0), i) for i in range(12)]
    hits += [(_KICK, 110, i) for i in (0, 3, 4, 8, 11)] + [(_SNARE, 105, i) for i in (2, 6, 10)]
    hits += [(tom, 100, 12 + i) for i, tom in enumerate(_TOMS)] + [(_CRASH, 110, 16), (_KICK, 115, 16)]
    return tuple(Note(pitch, velocity, i * eighth, i * eighth + 0.1) for pitch, velocity, i in hits)
