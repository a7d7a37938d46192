"""The sound of an SFZ region at one pitch, before its envelope: its sample decoded, looped, resampled and filtered.

What was made once is kept, within bounds, since a phrase repeats its pitches and regions share their samples.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from index.sources.base import Floats
from index.sources.sfz.region import MAX_CENTS, MIDDLE_C, Filter, Region
from index.sources.sfz.tones import filtered, generated, repeated, resampled
from index.sources.sfz.wav_loop import SamplerInfo, read_sampler_info
from models.audio import decode
from models.audio_tracks import open_track

MAX_SECONDS = 60.0  # of a sample, from its offset on
KEPT_BYTES = 128 * 1024**2  # of decoded samples, and as much again of what was made of them
SHORTEST_SECONDS = 0.5  # sounds are made this long, or twice, four times… as long
A4_HZ, A4 = 440.0, 69

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded sample `[n]` at its own rate, from an offset on, and what the file's header says of the whole."""

    samples: Floats
    sample_rate: int
    header: SamplerInfo


class Kept(Generic[T]):
    """Values by key, the ones least lately asked for given up when they pass `most_bytes` together."""

    def __init__(self, most_bytes: int) -> None:
        self._values: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._left = most_bytes

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of `key`, made if it is not there."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key][0]
        value = make()
        self._values[key] = value, size(value)
        self._left -= size(value)
        while self._left < 0 and len(self._values) > 1:
            self._left += self._values.popitem(last=False)[1][1]
        return value


class SfzSamples:
    """Makes the sound of regions, and keeps what it made. Not for several threads at once."""

    def __init__(self) -> None:
        self._recordings: Kept[Recording] = Kept(KEPT_BYTES)
        self._sounds: Kept[Floats] = Kept(KEPT_BYTES)

    def sound(
        self, region: Region, pitch: int, velocity: int, sample_rate: int, held: int, length: int
    ) -> Floats:
        """Mono `[≤ length]` at `sample_rate`: it ends with the sample, and is empty more than five octaves away from it.

        `held` is the output's sample at which the key is let go, which a `loop_sustain` loop does not outlast. Raises
        AudioError or OSError for a file that cannot be decoded.
        """
        cutoff_hz = _cutoff_hz(region.filter, pitch, velocity)
        if isinstance(region.sample, str):
            return self._generated(region, pitch, cutoff_hz, sample_rate, length)
        recording = self._recording(region.sample, region.start, region.end)
        keycenter = region.keycenter if region.keycenter is not None else recording.header.keycenter
        cents = _cents(region, pitch, MIDDLE_C if keycenter is None else keycenter)
        if abs(cents) > MAX_CENTS:
            return np.zeros(0, np.float32)
        tone = _Tone(region, recording, cents, cutoff_hz, sample_rate)
        loop = loop_of(region, recording)
        sound = self._resampled(tone, loop, length)
        if loop is None or region.loop_mode != "loop_sustain" or held >= length:
            return sound
        position = held * tone.step
        if position > loop[1]:
            position = loop[0] + (position - loop[0]) % (loop[1] - loop[0])
        at = round(position / tone.step)
        rest = self._resampled(tone, None, at + length - held)
        return np.concatenate([sound[:held], rest[at:]])

    def _generated(
        self, region: Region, pitch: int, cutoff_hz: float, sample_rate: int, length: int
    ) -> Floats:
        keycenter = MIDDLE_C if region.keycenter is None else region.keycenter
        hz = A4_HZ * 2.0 ** ((keycenter - A4) / 12.0 + _cents(region, pitch, keycenter) / 1200.0)
        size = _made_length(length, sample_rate)

        def make() -> Floats:
            return _behind_filter(
                region.filter, generated(str(region.sample), hz, size, sample_rate), cutoff_hz, sample_rate
            )

        key = (region.sample, hz, region.filter, cutoff_hz, sample_rate, size)
        return self._sounds.get(key, make, _num_bytes)[:length]

    def _resampled(self, tone: "_Tone", loop: tuple[int, int] | None, length: int) -> Floats:
        region, size = tone.region, _made_length(length, tone.sample_rate)

        def make() -> Floats:
            samples = tone.recording.samples
            if region.count:
                samples = repeated(samples, region.count, math.ceil((size + 1) * tone.step))
            sound = resampled(samples, loop, tone.step, size)
            return _behind_filter(region.filter, sound, tone.cutoff_hz, tone.sample_rate)

        sample = (region.sample, region.start, region.end, region.count, loop, tone.cents)
        key = (sample, region.filter, tone.cutoff_hz, tone.sample_rate, size)
        return self._sounds.get(key, make, _num_bytes)[:length]

    def _recording(self, path: Path, start: int, end: int | None) -> Recording:
        return self._recordings.get(
            (path, start, end),
            lambda: read_recording(path, start, end),
            lambda recording: recording.samples.nbytes,
        )


@dataclass(frozen=True, slots=True)
class _Tone:
    """A region's recording at one pitch; `step` samples of it make one of the output."""

    region: Region
    recording: Recording
    cents: int
    cutoff_hz: float
    sample_rate: int

    @property
    def step(self) -> float:
        return self.recording.sample_rate * 2.0 ** (self.cents / 1200.0) / self.sample_rate


def read_recording(path: Path, start: int, end: int | None) -> Recording:
    """Decode a file from sample `start` to `end` (None: to its end), at most 60 s. Raises AudioError and OSError."""
    with path.open("rb") as file:
        sample_rate = open_track(file, path.name).sample_rate
        last_seconds = start / sample_rate + MAX_SECONDS
        decoded = decode(
            file,
            sample_rate=sample_rate,
            start_seconds=start / sample_rate,
            end_seconds=last_seconds if end is None else min(last_seconds, max(end, start + 1) / sample_rate),
            name=path.name,
        )
    return Recording(decoded.samples, sample_rate, read_sampler_info(path))


def loop_of(region: Region, recording: Recording) -> tuple[int, int] | None:
    """The loop (start, end) that is played, in the recording's samples; None without one.

    The region's own mode and points come first, then the file's; a loop without points is the whole sample.
    """
    found = recording.header.loop
    mode = region.loop_mode or ("loop_continuous" if found else "no_loop")
    if region.count or mode not in ("loop_continuous", "loop_sustain"):
        return None
    first, last = found or (0, region.start + len(recording.samples))
    start = (first if region.loop_start is None else region.loop_start) - region.start
    end = (last if region.loop_end is None else region.loop_end) - region.start
    start, end = max(0, start), min(end, len(recording.samples))
    return (start, end) if start < end else None


def _cents(region: Region, pitch: int, keycenter: float) -> int:
    return round((pitch - keycenter) * region.keytrack + region.cents)


def _cutoff_hz(resting: Filter | None, pitch: int, velocity: int) -> float:
    if resting is None:
        return 0.0
    cents = resting.keytrack * (pitch - resting.keycenter) + resting.veltrack * velocity / 127.0
    return float(resting.cutoff_hz * 2.0 ** (max(-20_000.0, min(20_000.0, cents)) / 1200.0))


def _behind_filter(resting: Filter | None, samples: Floats, cutoff_hz: float, sample_rate: int) -> Floats:
    if resting is None:
        return samples
    return filtered(samples, resting.kind, cutoff_hz, resting.resonance_db, sample_rate)


def _made_length(length: int, sample_rate: int) -> int:
    """The next of a few lengths, so that notes of about the same length share what is made."""
    size = round(SHORTEST_SECONDS * sample_rate)
    while size < length:
        size *= 2
    return size


def _num_bytes(samples: Floats) -> int:
    return samples.nbytes
