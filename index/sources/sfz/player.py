"""Plays notes on the regions of an SFZ instrument: which regions answer, how loud, and their amplitude over time.

Round robins turn and random layers are drawn the same way in every phrase (sfzformat.com leaves the order to the player).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from index.sources.base import Floats, Note
from index.sources.sfz.region import Envelope, Region
from index.sources.sfz.samples import SfzSamples
from models.errors import AudioError

MAX_LAYERS = 64  # regions that answer one note
MIN_RELEASE_SECONDS = 0.005  # shorter ones click

_FALL = -9.0  # natural logarithm of the level at which a decay or release has ended: −78 dB
_KEPT_FALL = 200_000  # samples of a fall that is kept
_GOLDEN = 0.6180339887  # steps of this size fill 0…1 evenly


class SfzPlayer:
    """Renders phrases. Not for several threads at once: decoded samples and sounds are kept."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions
        self._low, self._high = np.array([region.keys for region in regions]).T
        self._soft, self._loud = np.array([region.velocities for region in regions]).T
        self._samples = SfzSamples()
        self._answers: dict[tuple[int, int], list[int]] = {}
        self._unusable: set[str] = set()
        self._faults: dict[str, str] = {}

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Samples that turned out to be unusable, as (file, reason)."""
        return tuple(self._faults.items())

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Mono samples `[round(seconds · sample_rate)]`; a note that no region answers is silent."""
        out = np.zeros(round(seconds * sample_rate), np.float32)
        turns: Counter[int] = Counter()
        ordered = sorted(notes, key=lambda note: (note.start_seconds, note.pitch, note.velocity))
        for number, note in enumerate(ordered):
            drawn = (0.5 + number * _GOLDEN) % 1.0
            for region in self._answering(note, turns, drawn):
                self._add(out, region, note, sample_rate)
        return out

    def _answering(self, note: Note, turns: Counter[int], drawn: float) -> Iterator[Region]:
        """The regions of a note's key and velocity whose turn it is."""
        num_layers = 0
        for index in self._answers_to(note.pitch, max(1, note.velocity)):
            region = self._regions[index]
            position, length = region.sequence
            turns[index] += 1
            low, high = region.random
            if (turns[index] - position) % length or not low <= drawn < high:
                continue
            num_layers += 1
            if num_layers > MAX_LAYERS:
                self._faults["regions"] = f"more than {MAX_LAYERS} answer one note; the others are left out"
                return
            yield region

    def _answers_to(self, pitch: int, velocity: int) -> list[int]:
        """The regions, by number, that a key and a velocity lie in."""
        if (pitch, velocity) not in self._answers:
            inside = (self._low <= pitch) & (pitch <= self._high)
            inside &= (self._soft <= velocity) & (velocity <= self._loud)
            self._answers[pitch, velocity] = np.flatnonzero(inside).tolist()
        return self._answers[pitch, velocity]

    def _add(self, out: Floats, region: Region, note: Note, sample_rate: int) -> None:
        """Add one note of one region to `out`."""
        begin = max(0, round((note.start_seconds + region.delay_seconds) * sample_rate))
        gain = region.gain_of(note.pitch, max(1, note.velocity))
        room = len(out) - begin
        name = str(region.sample)
        if room <= 0 or gain == 0.0 or name in self._unusable:
            return
        held = max(1, round((note.end_seconds - note.start_seconds) * sample_rate))
        if region.plays_to_its_end:
            held = room
        release = round(max(MIN_RELEASE_SECONDS, region.envelope.release_seconds) * sample_rate)
        length = min(room, held + release)
        try:
            sound = self._samples.sound(region, note.pitch, note.velocity, sample_rate, held, length)
        except (AudioError, OSError) as error:
            self._unusable.add(name)
            self._faults[name.rpartition("/")[2]] = str(error)
            return
        part = out[begin : begin + len(sound)]
        part += shaped(sound, gain, region.envelope, held, sample_rate)


def shaped(sound: Floats, gain: float, envelope: Envelope, held: int, sample_rate: int) -> Floats:
    """`sound [n]` at `gain` under its envelope, the key being let go at sample `held` ≥ 1.

    Attack rises in a straight line; decay and release fall evenly in decibels, decay as far as `sustain`.
    """
    out = sound * np.float32(gain)
    delay = round(envelope.delay_seconds * sample_rate)
    attack = round(envelope.attack_seconds * sample_rate)
    out[:delay] = 0.0
    out[delay : delay + attack] *= _rise(attack, len(out) - delay)
    level = float(held > delay) if held - 1 - delay >= attack else max(0, held - 1 - delay) / attack
    if envelope.sustain < 1.0:
        start = delay + attack + round(envelope.hold_seconds * sample_rate)
        decay = round(envelope.decay_seconds * sample_rate)
        falling = np.maximum(_fall(decay, len(out) - start), np.float32(envelope.sustain))
        out[start : start + decay] *= falling
        out[start + decay :] *= np.float32(envelope.sustain)
        if held > start:
            level = float(falling[held - 1 - start]) if held - 1 - start < len(falling) else envelope.sustain
    if held < len(sound):
        release = round(max(MIN_RELEASE_SECONDS, envelope.release_seconds) * sample_rate)
        fall = _fall(release, len(sound) - held)
        out[held : held + release] = sound[held : held + release] * (np.float32(gain * level) * fall)
        out[held + release :] = 0.0
    return out


def _rise(length: int, wanted: int) -> Floats:
    """The first `wanted` of `[length]` samples that rise from 0 to 1."""
    size = max(0, min(length, wanted))
    return np.arange(size, dtype=np.float32) * np.float32(1.0 / max(1, length))


def _fall(length: int, wanted: int) -> Floats:
    """The first `wanted` of `[length]` samples that fall from 1 by 78 dB."""
    size = max(0, min(length, wanted))
    if length <= _KEPT_FALL:
        return _whole_fall(length)[:size]
    return np.exp(np.arange(size, dtype=np.float32) * np.float32(_FALL / length))


@lru_cache(maxsize=32)  # the notes of an instrument share a few
def _whole_fall(length: int) -> Floats:
    return np.exp(np.arange(length, dtype=np.float32) * np.float32(_FALL / max(1, length)))
