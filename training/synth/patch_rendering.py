"""Renders a patch as a note bank's instrument: the eight notes of `SLOT_NOTES` at 16 kHz, checked for sound and pitch.

Periodicity is the normalised square difference of McLeod and Wyvill, "A smarter way to find pitch" (ICMC 2005).
"""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from index.sources.base import Floats, Note
from index.sources.note_bank import SLOT_NOTES, SLOT_SECONDS
from index.sources.note_files import SOUNDING_PEAK
from models.errors import SourceError
from training.near_duplicates import MIN_SHARED_SLOTS
from training.slot_audio import FULL_LEVEL, KEY_HELD_SECONDS
from training.synth.dssi import DssiSynth
from training.synth.patches import SynthPatch

SYNTH_RATE = 48_000  # synthesisers alias less at a high rate
BANK_RATE = 16_000
SILENT_PEAK = 1e-3  # −60 dBFS: what is quieter at its loudest note is silence or a residue
START_SECONDS, FRAME_SECONDS = 0.1, 0.256  # the part of a note in which a period is looked for
PITCH_HZ = (25.0, 4_000.0)
OVERSAMPLING = 4  # of the lags: the period of a high note lies between two samples
MIN_PERIODICITY = 0.6  # white noise has .2, noise through a resonant filter up to .5
FIRST_PEAK = 0.9  # of the highest: the first such peak is the period, later ones its multiples


@dataclass(frozen=True, slots=True)
class RenderedPatch:
    """A FLAC file of all slots at 16 kHz, and for each slot its peak, and its pitch (MIDI) where a period is found."""

    audio: bytes
    peaks: tuple[float, ...]
    pitches: tuple[float | None, ...]


def render_patch(patch: SynthPatch) -> RenderedPatch:
    """Play the patch's notes. Raises SourceError for one that is silent or noise; runs in a process of its own."""
    synth = DssiSynth(patch.library, SYNTH_RATE)
    for key, value in patch.setup:
        synth.configure(key, value)
    synth.select(patch.program_bank, patch.program)
    slots = [
        soxr.resample(
            synth.play(Note(pitch, velocity, 0.0, KEY_HELD_SECONDS), SLOT_SECONDS), SYNTH_RATE, BANK_RATE
        )
        for pitch, velocity in SLOT_NOTES
    ]
    return finish_slots(slots)


def finish_slots(slots: list[Floats]) -> RenderedPatch:
    """Level slots `[48000]` together, and check them. Raises SourceError if they are silent, not finite or noise."""
    if not all(np.isfinite(slot).all() for slot in slots):
        raise SourceError("holds NaN or infinite samples")
    peak = max(float(np.abs(slot).max()) for slot in slots)
    if peak < SILENT_PEAK:
        raise SourceError("is silent", value=peak, limit=SILENT_PEAK)
    slots = [slot * np.float32(FULL_LEVEL / peak) for slot in slots]
    peaks = tuple(round(float(np.abs(slot).max()), 4) for slot in slots)
    if sum(value >= SOUNDING_PEAK for value in peaks) < MIN_SHARED_SLOTS:
        raise SourceError(f"sounds at fewer than {MIN_SHARED_SLOTS} of the notes", limit=MIN_SHARED_SLOTS)
    found = [periodicity(slot, BANK_RATE) for slot in slots]
    if sum(strength >= MIN_PERIODICITY for _, strength in found) < MIN_SHARED_SLOTS:
        strengths = sorted(round(strength, 2) for _, strength in found)
        raise SourceError("is noise, without a period", value=strengths, limit=MIN_PERIODICITY)
    pitches = (
        round(69 + 12 * float(np.log2(hz / 440)), 2) if strength >= MIN_PERIODICITY else None
        for hz, strength in found
    )
    file = io.BytesIO()
    soundfile.write(file, np.concatenate(slots), BANK_RATE, format="FLAC", subtype="PCM_16")
    return RenderedPatch(file.getvalue(), peaks, tuple(pitches))


def periodicity(samples: Floats, sample_rate: int) -> tuple[float, float]:
    """Return the fundamental in Hz, and how alike two neighbouring periods are (0…1), after a note's attack.

    0 Hz with strength 0 for silence, and for what repeats at no lag between those of `PITCH_HZ`.
    """
    start, length = (round(seconds * sample_rate) for seconds in (START_SECONDS, FRAME_SECONDS))
    frame = samples[start : start + length].astype(np.float64)
    frame = frame - frame.mean() if len(frame) else frame
    power = np.concatenate([[0.0], np.cumsum(frame**2)])
    if power[-1] <= 1e-12:
        return 0.0, 0.0
    fine = np.fft.irfft(np.abs(np.fft.rfft(frame, 2 * len(frame))) ** 2, 2 * len(frame) * OVERSAMPLING)
    longest = min(len(frame) // 2, round(sample_rate / PITCH_HZ[0]))
    lags = np.arange(longest * OVERSAMPLING + 1) / OVERSAMPLING  # in samples
    places = np.arange(len(power))
    shared = np.interp(len(frame) - lags, places, power) + power[-1] - np.interp(lags, places, power)
    alike = (
        2 * OVERSAMPLING * fine[: len(lags)] / np.maximum(shared, 1e-12)
    )  # [lags], 1 where periods are equal
    below = np.flatnonzero(alike < 0)
    if not len(below):
        return 0.0, 0.0
    shortest = max(int(below[0]), int(OVERSAMPLING * sample_rate / PITCH_HZ[1]))
    inner = np.arange(shortest, len(lags) - 1)
    tops = inner[(alike[inner] > 0) & (alike[inner] >= alike[inner - 1]) & (alike[inner] > alike[inner + 1])]
    if not len(tops):
        return 0.0, 0.0
    first = int(tops[np.flatnonzero(alike[tops] >= FIRST_PEAK * alike[tops].max())[0]])
    left, top, right = alike[first - 1 : first + 2]
    shift = 0.5 * (left - right) / (left - 2 * top + right)
    return float(OVERSAMPLING * sample_rate / (first + shift)), float(min(1.0, alike[tops].max()))
