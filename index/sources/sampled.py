"""Plays sampled notes as an instrument: each note of a phrase is the nearest sample, resampled to its pitch.

Section 4 of Kim et al. 2022 renders MIDI from NSynth's notes in this way; velocity gains and releases are our own.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from index.sources.array_cache import ArrayCache
from index.sources.base import Floats, Note
from index.sources.note_files import Samples, check_sounds, full_scale
from index.sources.playing import enrollment_clips, phrase_preview
from models.errors import SourceError

MAX_SHIFT = 3.5  # semitones that a sample covers on either side
VELOCITY_EXPONENT = 1.5  # amplitude follows (velocity / sampled velocity) to this power
RELEASE_SECONDS = (0.06, 0.20)  # an instrument's release lies between these
CLICK_SAMPLES = 64  # fade at the very end of a sample
MAX_SHIFTED_BYTES = 64 * 1024**2  # of resampled notes that an instrument caches


@dataclass(frozen=True, slots=True)
class InstrumentIdentity:
    """An instrument's metadata, known before anything is decoded; `part` is its side of its source's own split."""

    id: str
    name: str
    family: str | None
    source: str
    licence: str | None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class SampledNote:
    """A sampled note: its MIDI pitch (fractional if measured) and velocity; `label` names it in faults."""

    pitch: float
    velocity: int
    label: str


@dataclass(frozen=True, slots=True)
class TranspositionLimits:
    """Limits, in semitones, of how far from its own pitch a sample is played.

    The playable range extends by `range_margin` beyond the outermost samples; a note further than `max_distance` from
    every sample is left out. One velocity step costs `velocity_cost` semitones in the choice of a sample; well below
    1/127, the nearest pitch always wins.
    """

    range_margin: float
    max_distance: float
    velocity_cost: float


class _Sample:
    """A decoded note with its end faded out in place; `raw` returns the samples before the fade."""

    def __init__(self, samples: Samples, sample_rate: int) -> None:
        fade = min(CLICK_SAMPLES, len(samples))
        self.samples, self.sample_rate, self.unit = samples, sample_rate, full_scale(samples)
        self._end = samples[len(samples) - fade :].copy()
        faded_out(samples)

    def raw(self) -> Floats:
        samples = self.samples * self.unit
        samples[len(samples) - len(self._end) :] = self._end * self.unit
        return samples


def faded_out(samples: Samples) -> Samples:
    """Fade the very end of `samples` in place, so that it does not click, and return them."""
    end = samples[len(samples) - min(CLICK_SAMPLES, len(samples)) :]
    np.multiply(end, np.linspace(1, 0, len(end), dtype=np.float32), out=end, casting="unsafe")
    return samples


class SampledInstrument:
    """An instrument made of sampled notes, each decoded on first use. Not for several threads at once."""

    def __init__(
        self,
        identity: InstrumentIdentity,
        notes: Sequence[SampledNote],
        read: Callable[[int], tuple[Samples, int]],
        limits: TranspositionLimits,
        faults: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`read` returns the samples (owned by the caller) and rate of the note at an index of `notes`, which is not empty.

        It raises SourceError for an unusable note. `faults` are those known from the start.
        """
        self.id, self.name, self.family = identity.id, identity.name, identity.family
        self.source, self.licence, self.part = identity.source, identity.licence, identity.part
        self._notes = notes
        self._read = read
        self._limits = limits
        self._faults = dict(faults)
        self._pitches = np.array([note.pitch for note in notes], np.float64)
        self._velocities = np.array([note.velocity for note in notes], np.int64)
        spread = zlib.crc32(self.id.encode()) / 2**32  # fixed for an instrument
        self._release_seconds = RELEASE_SECONDS[0] + spread * (RELEASE_SECONDS[1] - RELEASE_SECONDS[0])
        self._usable = np.ones(len(notes), bool)
        self._samples: dict[int, _Sample] = {}
        self._shifted: ArrayCache[Samples] = ArrayCache(MAX_SHIFTED_BYTES)
        self._choices: dict[tuple[int, int], tuple[int, np.float32] | None] = {}

    @property
    def playable_range(self) -> tuple[int, int]:
        """Derived from all notes; notes found damaged later do not change it."""
        low = int(np.ceil(self._pitches.min() - self._limits.range_margin))
        high = int(np.floor(self._pitches.max() + self._limits.range_margin))
        return max(low, 0), min(high, 127)

    def reaches(self, pitch: int) -> bool:
        """Return whether a sample is near enough to play a pitch."""
        return bool(np.abs(self._pitches - pitch).min() <= self._limits.max_distance)

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Missing or damaged notes; complete for the notes played so far."""
        return tuple(self._faults.items())

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Render mono samples `[seconds · sample_rate]`; a note that ends before its sample is released.

        Raises SourceError if no note of the instrument is usable.
        """
        out = np.zeros(round(seconds * sample_rate), np.float32)
        fade = np.linspace(1, 0, round(self._release_seconds * sample_rate), dtype=np.float32) ** 2
        for note in notes:
            choice = self._choose(note.pitch, note.velocity)
            if choice is None:
                continue
            number, gain = choice
            samples, unit = self._sample(number, note.pitch, sample_rate)
            level = gain * unit
            start = max(0, round(note.start_seconds * sample_rate))
            held = min(max(0, round((note.end_seconds - note.start_seconds) * sample_rate)), len(samples))
            held = max(0, min(held, len(out) - start))
            out[start : start + held] += level * samples[:held]
            tail = min(len(fade), len(samples) - held, len(out) - start - held)
            if tail > 0:
                out[start + held : start + held + tail] += level * samples[held : held + tail] * fade[:tail]
        return out

    def sampled_notes(self, sample_rate: int) -> Iterator[Floats]:
        """Yield each usable note as sampled: mono `[n]`."""
        for number, pitch in enumerate(self._pitches):
            if self._usable[number] and self._decode(number):
                samples, unit = self._sample(number, pitch, sample_rate)
                yield samples * unit

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """Render the enrollment phrases that sound: `[1…8, clip_samples]`. Raises SourceError if none does."""
        return enrollment_clips(self, sample_rate, clip_samples)

    def preview(self) -> tuple[Floats, int]:
        """Render three to four seconds, mono at 44.1 kHz. Raises SourceError if nothing sounds."""
        return phrase_preview(self)

    def _choose(self, pitch: int, velocity: int) -> tuple[int, np.float32] | None:
        """Return the note to play and its gain; None if none is near enough."""
        key = (pitch, velocity)
        if key not in self._choices:
            self._choices[key] = self._find(pitch, velocity)
        return self._choices[key]

    def _find(self, pitch: int, velocity: int) -> tuple[int, np.float32] | None:
        """Decode and return the usable note nearest in pitch (near ones compared by velocity too), and its gain.

        The choice depends on the files alone, not on earlier calls.
        """
        distance = np.abs(self._pitches - pitch)
        cost = distance + self._limits.velocity_cost * np.abs(self._velocities - velocity) * (
            distance <= MAX_SHIFT
        )
        while True:
            cost[~self._usable | (distance > self._limits.max_distance)] = np.inf
            number = int(cost.argmin())
            if not np.isfinite(cost[number]):
                return None
            if self._decode(number):
                return number, np.float32((velocity / self._velocities[number]) ** VELOCITY_EXPONENT)
            if not self._samples and not any(map(self._decode, np.flatnonzero(self._usable).tolist())):
                reasons = "; ".join(f"{label}: {reason}" for label, reason in self.faults[:3])
                raise SourceError(f"no note of {self.id} is usable ({reasons})", value=self.source)

    def _decode(self, number: int) -> bool:
        """Decode a note once and return whether it is usable; an unusable note becomes a fault."""
        if number in self._samples:
            return True
        try:
            samples, sample_rate = self._read(number)
            check_sounds(samples)
        except SourceError as error:
            self._faults[self._notes[number].label] = error.message
            self._usable[number] = False
            return False
        self._samples[number] = _Sample(samples, sample_rate)
        return True

    def _sample(self, number: int, pitch: float, sample_rate: int) -> tuple[Samples, np.float32]:
        """Return a decoded note's samples at `pitch` (band-limited against aliasing) and their unit."""
        sample = self._samples[number]
        cents = round(100 * (pitch - self._pitches[number]))
        if not cents and sample_rate == sample.sample_rate:
            return sample.samples, sample.unit

        def shift() -> Samples:
            speed = 2.0 ** (cents / 1200)
            return faded_out(soxr.resample(sample.raw(), sample.sample_rate * speed, sample_rate, "MQ"))

        return self._shifted.get((number, cents, sample_rate), shift), np.float32(1)
