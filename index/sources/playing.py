"""What every playable instrument does alike: phrases are brought into its range, enrolled, and played as a preview.

Section 4 of Kim et al. 2022 renders any MIDI phrase with any instrument; one that lies outside its range moves by octaves.
"""

from collections.abc import Callable, Sequence

import numpy as np

from index.sources.base import (
    Floats,
    Note,
    PlayableInstrument,
    enrollment_phrases,
    finish_preview,
    is_silent,
)
from index.sources.preview_phrases import preview_phrases
from models.errors import SourceError

PREVIEW_SAMPLE_RATE = 44_100

Render = Callable[
    [Sequence[Note], float, int], Floats
]  # (notes, seconds, sample_rate) → [n] or [n, channels]


def fit_range(notes: Sequence[Note], low: int, high: int) -> tuple[Note, ...]:
    """Transpose by octaves into `low`…`high` (MIDI, inclusive), the nearest way; strays move on their own.

    Raises SourceError when the range is empty.
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
    """The nearest octave of `pitch` inside the range, or the range's nearest edge when there is none."""
    folded = pitch
    if pitch < low:
        folded = pitch + 12 * -((pitch - low) // 12)
    elif pitch > high:
        folded = pitch - 12 * -((high - pitch) // 12)
    return folded if low <= folded <= high else min(max(pitch, low), high)


def enrollment_clips(instrument: PlayableInstrument, sample_rate: int, clip_samples: int) -> Floats:
    """The enrollment phrases, fitted into the instrument's range, that sound: `[1…8, clip_samples]`.

    Raises SourceError when none does.
    """
    seconds = clip_samples / sample_rate
    low, high = instrument.playable_range
    rendered = [
        instrument.play(fit_range(phrase, low, high), seconds, sample_rate)
        for phrase in enrollment_phrases(seconds)
    ]
    sounding = [clip for clip in rendered if not is_silent(clip)]
    if not sounding:
        raise _silent(instrument)
    return np.stack(sounding)


def phrase_preview(instrument: PlayableInstrument, render: Render | None = None) -> tuple[Floats, int]:
    """Three to four seconds at 44.1 kHz in a register where the instrument sounds, finished as previews are.

    Mono `[n]`, or what `render` gives in place of `instrument.play`. Raises SourceError when it is silent.
    """
    low, high = instrument.playable_range
    for notes, seconds in preview_phrases(instrument.name, instrument.family):
        fitted = fit_range(notes, low, high)
        samples = (render or instrument.play)(fitted, seconds, PREVIEW_SAMPLE_RATE)
        if not is_silent(samples):
            return finish_preview(samples, PREVIEW_SAMPLE_RATE), PREVIEW_SAMPLE_RATE
    raise _silent(instrument)


def _silent(instrument: PlayableInstrument) -> SourceError:
    reasons = "".join(f"; {part}: {reason}" for part, reason in instrument.faults[:3])
    message = f"{instrument.name} ({instrument.source}) is silent in every register{reasons}"
    return SourceError(message, value=instrument.source)
