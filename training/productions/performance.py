"""Plays the parts of a production as people would: off the grid, uneven in velocity, slurred, bent in pitch.

MIDI files are mostly typed; Kim et al. 2022 play them as they are.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from index.sources.base import Floats, Note
from index.sources.playing import fit_range
from models.errors import SourceError
from training.effects.modulation import read_at
from training.midi import DRUM
from training.nlakh.single import musical_range
from training.phrases import MIN_NOTE_SECONDS, Phrase
from training.productions.arrangement import Part, VoicePart
from training.productions.roles import ENROLLED_SECONDS
from training.real.recordings import Excerpted

LATE_SECONDS, LOOSE_SECONDS = 0.008, (0.004, 0.016)  # of a whole part, and of each of its onsets
DRUM_LOOSE_SECONDS = (0.002, 0.008)
CHORD_SECONDS = 0.003  # between the notes of a chord
STRUM_SECONDS = (0.004, 0.018)  # from string to string, upwards
LOWEST_VELOCITY = 15
SWELL, SWELL_SECONDS, UNEVEN = (2.0, 12.0), (4.0, 12.0), (2.0, 9.0)  # velocities: a slow wave, and each note
SLUR_PROBABILITY, DETACH_PROBABILITY = 0.35, 0.15
SLUR_SECONDS, SLURRED_GAP_SECONDS = 0.04, 0.25
BENT_FAMILIES = ("brass", "flute", "reed", "string", "synth_lead", "vocal")
VIBRATO_PROBABILITY, SCOOP_PROBABILITY = 0.5, 0.3
VIBRATO_HZ, VIBRATO_CENTS, VIBRATO_AFTER_SECONDS, VIBRATO_RISE_SECONDS = (4.5, 6.5), (8.0, 35.0), 0.2, 0.3
SCOOP_CENTS, SCOOP_SECONDS = (15.0, 60.0), 0.04
SMOOTH_SECONDS = 0.04  # before an onset, in which the delay moves to that of the new note
VOICE_SECONDS = (5.0, 15.0)
FADE_SECONDS = 0.01


class Performance(NamedTuple):
    """A played part: mono `samples [n]`, and the notes that were played, none by a voice."""

    samples: Floats
    notes: Phrase


def perform(
    part: Part | VoicePart, generator: np.random.Generator, seconds: float, sample_rate: int
) -> Performance | None:
    """Play a part for `seconds`; None where no excerpt of a voice can be used."""
    if isinstance(part, VoicePart):
        excerpt = _excerpt(part.instrument, generator, seconds, sample_rate)
        return None if excerpt is None else Performance(excerpt, ())
    family = part.track.family
    notes = humanised(part.track.notes, generator, family, seconds)
    if not part.track.is_drum:
        notes = fit_range(notes, *musical_range(part.instrument))
    samples = part.instrument.play(notes, seconds, sample_rate)
    is_bent = family in BENT_FAMILIES
    return Performance(bent(samples, notes, generator, sample_rate) if is_bent else samples, notes)


def humanised(notes: Phrase, generator: np.random.Generator, family: str, seconds: float) -> Phrase:
    """Move onsets by milliseconds, strum chords of guitars, vary velocities, and slur or detach the notes.

    Notes keep their pitch and order of onsets within a chord; all of them still sound within `seconds`.
    """
    is_drum = family == DRUM
    onsets, chord = np.unique([note.start_seconds for note in notes], return_inverse=True)
    loose = generator.uniform(*(DRUM_LOOSE_SECONDS if is_drum else LOOSE_SECONDS))
    moved = onsets + generator.normal(0, loose, len(onsets)) + generator.normal(0, LATE_SECONDS)
    starts = moved[chord] + generator.normal(0, CHORD_SECONDS, len(notes))
    if family == "guitar":
        starts += generator.uniform(*STRUM_SECONDS) * _ranks(notes, chord)
    shift = np.clip(starts, 0.0, seconds - MIN_NOTE_SECONDS) - [note.start_seconds for note in notes]
    period, phase = generator.uniform(*SWELL_SECONDS), generator.uniform(0, 2 * math.pi)
    swell = generator.uniform(*SWELL) * np.sin(2 * math.pi * onsets / period + phase)
    velocity = swell[chord] + generator.normal(0, generator.uniform(*UNEVEN), len(notes))
    longer = np.ones(len(notes)) if is_drum else _articulation(generator, notes, onsets, chord)
    return tuple(
        _moved(note, float(by), float(louder), float(held), seconds)
        for note, by, louder, held in zip(notes, shift, velocity, longer, strict=True)
    )


def _moved(note: Note, by: float, louder: float, longer: float, seconds: float) -> Note:
    start = note.start_seconds + by
    length = max(MIN_NOTE_SECONDS, longer * (note.end_seconds - note.start_seconds))
    return replace(
        note,
        velocity=int(np.clip(round(note.velocity + louder), min(LOWEST_VELOCITY, note.velocity), 127)),
        start_seconds=start,
        end_seconds=min(seconds, start + length),
    )


def _ranks(notes: Phrase, chord: NDArray[np.intp]) -> NDArray[np.intp]:
    """The place of each note in its chord, the lowest first."""
    pitches = np.array([note.pitch for note in notes])
    order = np.lexsort((pitches, chord))
    ranks = np.empty(len(notes), np.intp)
    ranks[order] = np.arange(len(notes)) - np.searchsorted(chord[order], chord[order])
    return ranks


def _articulation(
    generator: np.random.Generator, notes: Phrase, onsets: NDArray[np.float64], chord: NDArray[np.intp]
) -> NDArray[np.float64]:
    """The factor of each note's length: as written, slurred into the next onset if it is near, or detached."""
    style = generator.random()
    length = np.array([note.end_seconds - note.start_seconds for note in notes])
    if style < SLUR_PROBABILITY:
        until = np.append(onsets[1:], np.inf)[chord] - onsets[chord]
        near = (until > length) & (until - length < SLURRED_GAP_SECONDS)
        return np.where(near, (np.where(near, until, 0.0) + SLUR_SECONDS) / length, 1.0)
    if style < SLUR_PROBABILITY + DETACH_PROBABILITY:
        return np.full(len(notes), generator.uniform(0.5, 0.85))
    return np.ones(len(notes))


def bent(samples: Floats, notes: Phrase, generator: np.random.Generator, sample_rate: int) -> Floats:
    """Add vibrato to held notes, and scoops into their pitch, as often as players do: `samples [n]` → `[n]`."""
    vibrato = generator.random() < VIBRATO_PROBABILITY
    scoop = generator.random() < SCOOP_PROBABILITY
    hertz, cents = generator.uniform(*VIBRATO_HZ), generator.uniform(*VIBRATO_CENTS)
    below = generator.uniform(*SCOOP_CENTS)
    if not notes or not (vibrato or scoop):
        return samples
    time = np.arange(len(samples)) / sample_rate
    onsets = np.unique([note.start_seconds for note in notes])
    last = np.searchsorted(onsets, time, side="right") - 1
    since = np.where(last >= 0, time - onsets[np.maximum(last, 0)], np.inf)
    late = np.zeros(len(samples))  # seconds; the pitch follows its slope
    if vibrato:
        swing = math.log(2) * cents / 1200 / (2 * math.pi * hertz)
        depth = np.clip((since - VIBRATO_AFTER_SECONDS) / VIBRATO_RISE_SECONDS, 0, 1)
        late += swing * depth * np.sin(2 * math.pi * hertz * time)
    if scoop:
        late -= SCOOP_SECONDS * (1 - 2 ** (-below / 1200)) * np.exp(-since / SCOOP_SECONDS)
    box = round(SMOOTH_SECONDS * sample_rate)
    total = np.cumsum(np.pad(np.pad(late, (0, box), mode="edge"), (1, 0)))
    smooth = (total[box : box + len(late)] - total[: len(late)]) / box * sample_rate
    delay = torch.from_numpy(
        smooth - min(0.0, float(smooth.min()))
    ).float()  # nothing is read ahead of its time
    return read_at(torch.from_numpy(samples)[None], delay[None])[0].numpy()


def _excerpt(
    voice: Excerpted, generator: np.random.Generator, seconds: float, sample_rate: int
) -> Floats | None:
    """An excerpt of a voice at a random time, silence around it; None where its recordings have none."""
    length = min(seconds, float(generator.uniform(*VOICE_SECONDS)))
    begin = round(generator.uniform(0, seconds - length) * sample_rate)
    try:
        found = voice.excerpt(generator, length, sample_rate, after_seconds=ENROLLED_SECONDS)
    except SourceError:  # a damaged file; the voice names it in its faults
        return None
    fade = np.linspace(0, 1, round(FADE_SECONDS * sample_rate), dtype=np.float32)
    found[: len(fade)] *= fade
    found[len(found) - len(fade) :] *= fade[::-1]
    out = np.zeros(round(seconds * sample_rate), np.float32)
    out[begin : begin + len(found)] = found[: len(out) - begin]
    return out
