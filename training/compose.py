"""Composes random phrases without any data: melodies, arpeggios, chords, repeated and sustained notes.

An addition to section 4 of Kim et al. 2022: they cover registers, tempi and velocities that MIDI files lack; single notes
teach the encoders one-shots.
"""

from collections.abc import Callable

import numpy as np

from index.sources.base import Note
from training.phrases import MIN_NOTE_SECONDS, PHRASE_SECONDS, Phrase

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10), tuple(range(12)))
CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 11), (0, 3, 7, 10), (0, 5, 7), (0, 7, 12), (0, 3, 6))
STEP_SECONDS = (0.12, 0.9)
LOWEST, HIGHEST = 28, 96

Maker = Callable[[np.random.Generator, int, float, int], list[Note]]


def _note(pitch: int, velocity: float, start: float, end: float) -> Note:
    return Note(pitch, int(np.clip(velocity, 20, 127)), max(0.0, start), min(PHRASE_SECONDS, end))


def _steps(generator: np.random.Generator, step: float) -> np.ndarray:
    """Onsets from a random start; some steps are twice or half as long."""
    lengths = step * generator.choice([1.0, 1.0, 1.0, 2.0, 0.5], size=64)
    onsets = generator.uniform(0.0, 0.4) + np.cumsum(lengths) - lengths[0]
    return np.asarray(onsets[onsets < PHRASE_SECONDS - 2 * MIN_NOTE_SECONDS])


def _melody(generator: np.random.Generator, centre: int, step: float, velocity: int) -> list[Note]:
    scale = SCALES[generator.integers(len(SCALES))]
    degree = 0
    notes = []
    onsets = _steps(generator, step)
    legato = generator.uniform(0.3, 1.1)
    for onset, until in zip(onsets, [*onsets[1:], PHRASE_SECONDS], strict=True):
        degree += int(generator.integers(-3, 4))
        degree = int(np.clip(degree, -9, 9))
        pitch = centre + 12 * (degree // len(scale)) + scale[degree % len(scale)]
        if generator.random() > 0.1:
            end = onset + legato * (until - onset)
            notes.append(_note(pitch, velocity + generator.normal(0, 10), onset, end))
    return notes


def _arpeggio(generator: np.random.Generator, centre: int, step: float, velocity: int) -> list[Note]:
    chord = CHORDS[generator.integers(len(CHORDS))]
    ladder = [centre + 12 * octave + tone for octave in range(2) for tone in chord]
    if generator.random() < 0.5:
        ladder = ladder + ladder[-2:0:-1]
    length = step * generator.uniform(0.4, 2.0)
    return [
        _note(ladder[i % len(ladder)], velocity + generator.normal(0, 8), onset, onset + length)
        for i, onset in enumerate(_steps(generator, step * 0.7))
    ]


def _chords(generator: np.random.Generator, centre: int, step: float, velocity: int) -> list[Note]:
    notes = []
    onset = float(generator.uniform(0.0, 0.3))
    while onset < PHRASE_SECONDS - 0.2:
        length = step * generator.uniform(1.0, 4.0)
        root = centre + int(generator.choice([0, 0, 5, 7, -3, -5]))
        for tone in CHORDS[generator.integers(len(CHORDS))]:
            notes.append(_note(root + tone, velocity + generator.normal(0, 6), onset, onset + 0.9 * length))
        onset += length
    return notes


def _repeated(generator: np.random.Generator, centre: int, step: float, velocity: int) -> list[Note]:
    length = step * generator.uniform(0.3, 1.0)
    other = centre + int(generator.choice([0, 0, 7, 12, -5]))
    return [
        _note(other if i % 4 == 3 else centre, velocity + generator.normal(0, 14), onset, onset + length)
        for i, onset in enumerate(_steps(generator, step))
    ]


def _sustained(generator: np.random.Generator, centre: int, step: float, velocity: int) -> list[Note]:
    onset, notes = float(generator.uniform(0.0, 0.3)), []
    while onset < PHRASE_SECONDS - 0.5:
        length = generator.uniform(1.2, 3.0)
        pitch = centre + int(generator.integers(-7, 8))
        notes.append(_note(pitch, velocity + generator.normal(0, 8), onset, onset + length))
        onset += length * generator.uniform(0.7, 1.1)
    return notes


MAKERS: tuple[Maker, ...] = (_melody, _melody, _arpeggio, _chords, _repeated, _sustained)


def compose(generator: np.random.Generator, low: int = LOWEST, high: int = HIGHEST) -> Phrase:
    """A phrase of random register (around `low`…`high`), tempo, note length and velocity."""
    centre = int(generator.integers(low, high + 1))
    step = float(np.exp(generator.uniform(*np.log(STEP_SECONDS))))
    velocity = int(generator.integers(45, 118))
    maker = MAKERS[generator.integers(len(MAKERS))]
    notes = maker(generator, centre, step, velocity)
    audible = (note for note in notes if note.end_seconds - note.start_seconds >= MIN_NOTE_SECONDS)
    return tuple(audible) or single_notes(generator, low, high)


def single_notes(generator: np.random.Generator, low: int = LOWEST, high: int = HIGHEST) -> Phrase:
    """One note, or two in turn, held for a random time, like the one-shots of sample folders."""
    velocity = int(generator.integers(40, 125))
    pitch = int(generator.integers(low, high + 1))
    start = float(generator.uniform(0.0, 0.4))
    if generator.random() < 0.6:
        return (_note(pitch, velocity, start, start + generator.uniform(0.3, 4.5)),)
    turn = start + float(generator.uniform(1.0, 2.2))
    other = int(np.clip(pitch + generator.integers(-12, 13), low, high))
    return (
        _note(pitch, velocity, start, turn - 0.02),
        _note(other, velocity + generator.normal(0, 15), turn, turn + generator.uniform(0.5, 2.5)),
    )
