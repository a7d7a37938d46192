"""Sampled notes played as an instrument: for each note of a phrase the nearest sample, resampled to its pitch.

Section 4 of Kim et al. 2022 renders MIDI from NSynth's notes in this way; velocity gains and releases are ours.
"""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from index.sources.base import Floats, Note
from index.sources.note_files import Samples, check_sounds, full_scale
from index.sources.playing import enrollment_clips, phrase_preview
from models.errors import SourceError

MAX_SHIFT = 3.5  # semitones that a sample may stand for on either side
VELOCITY_EXPONENT = 1.5  # amplitude follows (velocity / sampled velocity) to this power
RELEASE_SECONDS = (0.06, 0.20)
CLICK_SAMPLES = 64  # fade at the very end of a sample
MAX_SHIFTED_BYTES = 64 * 1024**2  # of resampled notes that an instrument keeps


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of an instrument before anything of it is heard."""

    id: str
    name: str
    family: str | None
    source: str
    licence: str | None


@dataclass(frozen=True, slots=True)
class SampledNote:
    """A note that was sampled: its MIDI pitch (fractional when measured) and velocity; `label` names it in faults."""

    pitch: float
    velocity: int
    label: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How far from its own pitch a sample may be used, in semitones.

    `edge` beyond the outermost samples belongs to the playable range; a note further than `gap` from every sample is
    left out. One step of velocity is worth `velocity_cost` in the choice: well below 1/127, the nearest pitch always wins.
    """

    edge: float
    gap: float
    velocity_cost: float


class _Sample:
    """A decoded note as it was stored, its end faded out in place; `raw` is what it was before."""

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
    """`samples` with its very end faded in place, so that it does not click."""
    end = samples[len(samples) - min(CLICK_SAMPLES, len(samples)) :]
    np.multiply(end, np.linspace(1, 0, len(end), dtype=np.float32), out=end, casting="unsafe")
    return samples


class SampledInstrument:
    """An instrument made of sampled notes, each decoded when it is first played. Not for several threads at once."""

    def __init__(
        self,
        identity: Identity,
        notes: Sequence[SampledNote],
        read: Callable[[int], tuple[Samples, int]],
        reach: Reach,
        faults: Sequence[tuple[str, str]] = (),
    ) -> None:
        """`read` gives the samples of a note by its place in `notes` (to keep) and their rate, or raises SourceError.

        `notes` are at least one. `faults` are those known from the start.
        """
        self.id, self.name, self.family = identity.id, identity.name, identity.family
        self.source, self.licence = identity.source, identity.licence
        self._notes = notes
        self._read = read
        self._reach = reach
        self._faults = dict(faults)
        self._pitches = np.array([note.pitch for note in notes], np.float64)
        self._velocities = np.array([note.velocity for note in notes], np.int64)
        spread = zlib.crc32(self.id.encode()) / 2**32  # an instrument always releases at the same speed
        self._release_seconds = RELEASE_SECONDS[0] + spread * (RELEASE_SECONDS[1] - RELEASE_SECONDS[0])
        self._usable = np.ones(len(notes), bool)
        self._samples: dict[int, _Sample] = {}
        self._shifted: OrderedDict[tuple[int, int, int], Samples] = OrderedDict()
        self._shifted_bytes = 0
        self._choices: dict[tuple[int, int], tuple[int, np.float32] | None] = {}

    @property
    def playable_range(self) -> tuple[int, int]:
        """From the notes that there should be: what is found damaged later does not change it."""
        low = int(np.ceil(self._pitches.min() - self._reach.edge))
        high = int(np.floor(self._pitches.max() + self._reach.edge))
        return max(low, 0), min(high, 127)

    @property
    def faults(self) -> tuple[tuple[str, str], ...]:
        """Notes that are missing or damaged; complete for those that were played."""
        return tuple(self._faults.items())

    def play(self, notes: Sequence[Note], seconds: float, sample_rate: int) -> Floats:
        """Mono samples `[seconds · sample_rate]`; a note that ends before its sample is released.

        Raises SourceError when no note of the instrument can be used.
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
        """Each note that can be used, as it was sampled: mono `[n]`."""
        for number, pitch in enumerate(self._pitches):
            if self._usable[number] and self._decode(number):
                samples, unit = self._sample(number, pitch, sample_rate)
                yield samples * unit

    def clips(self, sample_rate: int, clip_samples: int) -> Floats:
        """The enrollment phrases that sound, `[1…8, clip_samples]`. Raises SourceError if none does."""
        return enrollment_clips(self, sample_rate, clip_samples)

    def preview(self) -> tuple[Floats, int]:
        """Three to four seconds, mono at 44.1 kHz. Raises SourceError if nothing sounds."""
        return phrase_preview(self)

    def _choose(self, pitch: int, velocity: int) -> tuple[int, np.float32] | None:
        """The note to play and its gain; None when none is near enough."""
        key = (pitch, velocity)
        if key not in self._choices:
            self._choices[key] = self._find(pitch, velocity)
        return self._choices[key]

    def _find(self, pitch: int, velocity: int) -> tuple[int, np.float32] | None:
        """The usable note nearest in pitch, among near ones in velocity too, decoded now; and its gain.

        Which it is depends on the files alone, not on what was played before.
        """
        distance = np.abs(self._pitches - pitch)
        cost = distance + self._reach.velocity_cost * np.abs(self._velocities - velocity) * (
            distance <= MAX_SHIFT
        )
        while True:
            cost[~self._usable | (distance > self._reach.gap)] = np.inf
            number = int(cost.argmin())
            if not np.isfinite(cost[number]):
                return None
            if self._decode(number):
                return number, np.float32((velocity / self._velocities[number]) ** VELOCITY_EXPONENT)
            if not self._samples and not any(map(self._decode, np.flatnonzero(self._usable).tolist())):
                reasons = "; ".join(f"{label}: {reason}" for label, reason in self.faults[:3])
                raise SourceError(f"no note of {self.id} can be used ({reasons})", value=self.source)

    def _decode(self, number: int) -> bool:
        """Whether a note can be used; it is decoded once, and a fault from then on if it cannot."""
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
        """A decoded note's samples at `pitch` (band-limited, so that nothing aliases upward), and their unit."""
        sample = self._samples[number]
        cents = round(100 * (pitch - self._pitches[number]))
        if not cents and sample_rate == sample.sample_rate:
            return sample.samples, sample.unit
        key = (number, cents, sample_rate)
        shifted = self._shifted.get(key)
        if shifted is None:
            speed = 2.0 ** (cents / 1200)
            shifted = faded_out(soxr.resample(sample.raw(), sample.sample_rate * speed, sample_rate, "MQ"))
            self._shifted[key] = shifted
            self._shifted_bytes += shifted.nbytes
            while self._shifted_bytes > MAX_SHIFTED_BYTES and len(self._shifted) > 1:
                self._shifted_bytes -= self._shifted.popitem(last=False)[1].nbytes
        else:
            self._shifted.move_to_end(key)
        return shifted, np.float32(1)
