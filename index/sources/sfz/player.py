"""Plays notes on the regions of an SFZ instrument: which regions answer, how loud, and their amplitude over time."""

from collections.abc import Sequence

import numpy as np

from index.sources.base import Floats, Note
from index.sources.sfz.region import Envelope, Region
from index.sources.sfz.samples import SfzSamples
from models.errors import AudioError

MAX_LAYERS = 64  # regions that answer one note
MIN_RELEASE_SECONDS = 0.005  # shorter ones click

_FALL = -9.0  # natural logarithm of the level at which a decay or release has ended: −78 dB


class SfzPlayer:
    """Renders phrases and caches decoded samples. Not for several threads at once."""

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = regions
        self._low, self._high = np.array([region.keys for region in regions]).T
        self._soft, self._loud = np.array([region.velocities for region in regions]).T
        self._samples = SfzSamples()
        self._unusable: set[str] = set()
        self._faults: dict[str, str] = {}

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Samples that turned out to be unusable, as (file, reason)."""
        return tuple(self._faults.items())

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[round(seconds · sample_rate)]`; a note that no region answers is silent."""
        out = np.zeros(round(seconds * sample_rate), np.float32)
        for note in notes:
            for region in self._answering(note.pitch, max(1, note.velocity)):
                self._add(out, region, note, sample_rate)
        return out

    def _answering(self, pitch: int, velocity: int) -> list[Region]:
        inside = (self._low <= pitch) & (pitch <= self._high)
        inside &= (self._soft <= velocity) & (velocity <= self._loud)
        found = [self._regions[index] for index in np.flatnonzero(inside).tolist()]
        if len(found) > MAX_LAYERS:
            self._faults["regions"] = f"more than {MAX_LAYERS} answer one note; the others are left out"
        return found[:MAX_LAYERS]

    def _add(self, out: Floats, region: Region, note: Note, sample_rate: int) -> None:
        """Add one note of one region to `out`."""
        begin = max(0, round((note.start_seconds + region.delay_seconds) * sample_rate))
        gain = region.gain_of(note.pitch, max(1, note.velocity))
        room = len(out) - begin
        name = str(region.sample)
        if room <= 0 or gain == 0.0 or name in self._unusable:
            return
        held = max(1, round((note.end_seconds - note.start_seconds) * sample_rate))
        if region.loop_mode == "one_shot":
            held = room
        release = round(max(MIN_RELEASE_SECONDS, region.envelope.release_seconds) * sample_rate)
        length = min(room, held + release)
        try:
            sound = self._samples.sound(region, note.pitch, note.velocity, sample_rate, length)
        except (AudioError, OSError) as error:
            self._unusable.add(name)
            self._faults[region.sample.name] = str(error)
            return
        level = amplitude(region.envelope, held, len(sound), sample_rate)
        out[begin : begin + len(sound)] += np.float32(gain) * level * sound


def amplitude(envelope: Envelope, held: int, length: int, sample_rate: int) -> Floats:
    """Return the envelope `[length]` of a key that is let go at sample `held` ≥ 1.

    Attack rises linearly; decay (down to `sustain`) and release fall exponentially, by 78 dB in their time.
    """
    stages = (envelope.attack_seconds, envelope.hold_seconds, envelope.decay_seconds)
    attack, hold, decay = (round(seconds * sample_rate) for seconds in stages)
    level = np.ones(length, np.float32)
    rise = min(attack, length)
    level[:rise] = np.arange(rise, dtype=np.float32) / np.float32(max(1, attack))
    if envelope.sustain < 1.0:
        falling = level[attack + hold :]
        falling[:] = np.maximum(_fall(decay, len(falling)), np.float32(envelope.sustain))
    if held < length:
        release = round(max(MIN_RELEASE_SECONDS, envelope.release_seconds) * sample_rate)
        level[held:] = level[held - 1] * _fall(release, length - held)
    return level


def _fall(duration: int, length: int) -> Floats:
    """Return `[length]` samples of a fall from 1 by 78 dB in `duration` samples, and on at the same rate."""
    return np.exp(np.arange(length, dtype=np.float32) * np.float32(_FALL / max(1, duration)))
