"""Composes beats for drum kits without any data: a bar that repeats with small changes, fills, and a crash after each.

An addition to sections 4 and 5.1 of Kim et al. 2022, which leaves drums out: kits train, and are enrolled, by beats. Keys are
those of General MIDI's percussion map.
"""

from functools import lru_cache

import numpy as np

from index.sources.base import Note

STEPS = 16  # of a bar of four beats
BEATS_A_MINUTE = (76.0, 168.0)
MAX_SWING = 0.3  # of a step, by which every other one is late
BARS_TO_FILL = 4
HIT_SECONDS = 0.1  # one-shots ring until they end; a note only needs a length
LEFT_OUT = 0.04  # probability with which a hit is left out
ENROLLMENT_BEATS = 8

KICKS, SNARES = (35, 36), (38, 40, 37, 39)
TIMEKEEPERS = (42, 42, 42, 46, 51, 70)  # closed and open hi-hat, ride, shaker
TOMS, CRASH = (50, 48, 47, 45, 43, 41), 49

Hit = tuple[int, int, int]  # step, key, velocity


def compose_beat(generator: np.random.Generator, seconds: float) -> tuple[Note, ...]:
    """Notes of a drum kit from 0 to `seconds`, at a random tempo and swing; they depend on the generator alone."""
    step_seconds = 60.0 / generator.uniform(*BEATS_A_MINUTE) / (STEPS / 4)
    swing = generator.uniform(0.0, MAX_SWING) if generator.random() < 0.4 else 0.0
    bar, notes = _bar(generator), []
    for number in range(int(np.ceil(seconds / (STEPS * step_seconds)))):
        hits = _with_fill(generator, bar) if number % BARS_TO_FILL == BARS_TO_FILL - 1 else list(bar)
        if number % BARS_TO_FILL == 0:
            hits.append((0, CRASH, 105))
        for step, key, velocity in hits:
            start = (number * STEPS + step + swing * (step % 2)) * step_seconds
            if start < seconds and (generator.random() >= LEFT_OUT or step == 0):
                loud = int(np.clip(velocity + generator.normal(0, 6), 20, 127))
                notes.append(Note(key, loud, start, min(start + HIT_SECONDS, seconds)))
    return tuple(notes)


@lru_cache(maxsize=8)
def enrollment_beats(clip_seconds: float) -> tuple[tuple[Note, ...], ...]:
    """The eight beats that enrol every drum kit, each `clip_seconds` long: slow and fast, straight and swung."""
    return tuple(compose_beat(np.random.default_rng(seed), clip_seconds) for seed in range(ENROLLMENT_BEATS))


def _bar(generator: np.random.Generator) -> list[Hit]:
    """One bar: kicks on the first beat and where it falls, snares on the second and fourth, and a timekeeper."""
    kick, snare = int(generator.choice(KICKS)), int(generator.choice(SNARES))
    timekeeper, every = int(generator.choice(TIMEKEEPERS)), int(generator.choice((1, 2, 2, 4)))
    kicks = {0} | {step for step in (3, 6, 7, 8, 10, 11, 14) if generator.random() < 0.3}
    ghosts = [step for step in (1, 7, 9, 15) if generator.random() < 0.25]
    hits = [(step, kick, 112) for step in sorted(kicks)]
    hits += [(step, snare, 108) for step in (4, 12)] + [(step, snare, 45) for step in ghosts]
    return hits + [(step, timekeeper, 88 if step % 4 == 0 else 68) for step in range(0, STEPS, every)]


def _with_fill(generator: np.random.Generator, bar: list[Hit]) -> list[Hit]:
    """The bar with its last beats given to snare and toms, from high to low."""
    begin = int(generator.choice((8, 12)))
    drums = (38, *sorted(generator.choice(TOMS, 3, replace=False).tolist(), reverse=True))
    fill = [
        (step, drums[(step - begin) * len(drums) // (STEPS - begin)], 100)
        for step in range(begin, STEPS)
        if generator.random() < 0.8
    ]
    return [hit for hit in bar if hit[0] < begin] + fill
