"""The sound of an SFZ region at one pitch, before its envelope: its sample decoded, looped, resampled and filtered.

Loops in WAV headers follow Microsoft's "New Multimedia Data Types" (the `smpl` chunk of RIFF WAVE). Filters are the
biquads of Bristow-Johnson's "Audio EQ Cookbook".
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soxr
from scipy.signal import lfilter

from index.sources.array_cache import ArrayCache
from index.sources.base import Floats
from index.sources.sfz.region import MAX_CENTS, MIDDLE_C, Filter, Region
from models.audio import decode
from models.audio_tracks import open_track

MAX_SECONDS = 60.0  # of a sample, from its offset on
CACHE_BYTES = 128 * 1024**2  # of decoded samples, and as much again of resampled ones
SHORTEST_SECONDS = 0.5  # sounds are rendered at this length, or two, four… times as long

_MARGIN = 128  # input samples beyond its output that the resampler reads
_HIGHEST_CUTOFF = 0.45  # of the sample rate
_HEADER_BYTES = 36
_LOOP_BYTES = 24
_FORWARD = 0
_MAX_CHUNKS = 1000


class SamplerInfo(NamedTuple):
    """The loop (start, end) in samples, end exclusive, and the key of a WAV header; None where it has none."""

    loop: tuple[int, int] | None
    keycenter: float | None  # MIDI pitch with its fraction


NO_SAMPLER_INFO = SamplerInfo(None, None)


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded sample `[n]` at its own rate, from an offset on, and the header of the whole file."""

    samples: Floats
    sample_rate: int
    header: SamplerInfo

    @property
    def nbytes(self) -> int:
        return self.samples.nbytes


class SfzSamples:
    """Renders and caches the sounds of regions. Not for several threads at once."""

    def __init__(self) -> None:
        self._recordings: ArrayCache[Recording] = ArrayCache(CACHE_BYTES)
        self._sounds: ArrayCache[Floats] = ArrayCache(CACHE_BYTES)

    def sound(self, region: Region, pitch: int, velocity: int, sample_rate: int, length: int) -> Floats:
        """Return mono samples `[≤ length]` at `sample_rate`, ending with the sample; empty beyond five octaves.

        Raises AudioError or OSError for a file that cannot be decoded.
        """
        source = (region.sample, region.start, region.end)
        recording = self._recordings.get(source, lambda: read_recording(*source))
        keycenter = region.keycenter if region.keycenter is not None else recording.header.keycenter
        centre = MIDDLE_C if keycenter is None else keycenter
        cents = round((pitch - centre) * region.keytrack + region.cents)
        if abs(cents) > MAX_CENTS:
            return np.zeros(0, np.float32)
        step = recording.sample_rate * 2.0 ** (cents / 1200.0) / sample_rate
        loop = loop_of(region, recording)
        cutoff_hz = _cutoff_hz(region.filter, velocity)
        size = _rendered_length(length, sample_rate)

        def render() -> Floats:
            sound = resampled(recording.samples, loop, step, size)
            if region.filter is None:
                return sound
            return filtered(sound, region.filter.kind, cutoff_hz, region.filter.resonance_db, sample_rate)

        key = (source, loop, cents, region.filter, cutoff_hz, sample_rate, size)
        return self._sounds.get(key, render)[:length]


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
    """Return the loop (start, end) in the recording's samples, None without one.

    The region's mode and points win over the file's; a loop without points covers the whole sample.
    """
    found = recording.header.loop
    mode = region.loop_mode or ("loop_continuous" if found else "no_loop")
    if mode not in ("loop_continuous", "loop_sustain"):
        return None
    first, last = found or (0, region.start + len(recording.samples))
    start = (first if region.loop_start is None else region.loop_start) - region.start
    end = (last if region.loop_end is None else region.loop_end) - region.start
    start, end = max(0, start), min(end, len(recording.samples))
    return (start, end) if start < end else None


def resampled(samples: Floats, loop: tuple[int, int] | None, step: float, length: int) -> Floats:
    """Return `samples [n]` as mono `[≤ length]`, `step` input samples for each output sample.

    At the end of `loop` (start, end) the input goes on at its start; without a loop the sample ends.
    """
    wanted = math.ceil(length * step + _MARGIN * max(step, 1.0))
    source = samples[:wanted]
    if loop is not None and wanted > loop[1]:
        turn = samples[loop[0] : loop[1]]
        rest = wanted - loop[1]
        source = np.concatenate([samples[: loop[1]], np.tile(turn, -(-rest // len(turn)))[:rest]])
    if step != 1.0:
        source = soxr.resample(source, step, 1.0, "MQ")
    return source[:length]


def filtered(samples: Floats, kind: str, cutoff_hz: float, resonance_db: float, sample_rate: int) -> Floats:
    """Filter `samples [n]` with one pole (`lpf_1p`, `hpf_1p`) or two (`lpf_2p`, `hpf_2p`)."""
    lowpass = kind.startswith("lpf")
    if cutoff_hz > _HIGHEST_CUTOFF * sample_rate:
        if lowpass:
            return samples
        cutoff_hz = _HIGHEST_CUTOFF * sample_rate
    omega = 2.0 * math.pi * max(cutoff_hz, 1.0) / sample_rate
    if kind.endswith("1p"):
        k = math.tan(omega / 2.0)
        b = [k, k] if lowpass else [1.0, -1.0]
        a = [1.0 + k, k - 1.0]
    else:
        cosine = math.cos(omega)
        alpha = math.sin(omega) / (math.sqrt(2.0) * 10.0 ** (resonance_db / 20.0))
        middle = 1.0 - cosine if lowpass else -(1.0 + cosine)
        b = [abs(middle) / 2.0, middle, abs(middle) / 2.0]
        a = [1.0 + alpha, -2.0 * cosine, 1.0 - alpha]
    return np.asarray(lfilter(b, a, samples), np.float32)


def _cutoff_hz(fixed: Filter | None, velocity: int) -> float:
    if fixed is None:
        return 0.0
    cents = max(-20_000.0, min(20_000.0, fixed.veltrack * velocity / 127.0))
    return float(fixed.cutoff_hz * 2.0 ** (cents / 1200.0))


def _rendered_length(length: int, sample_rate: int) -> int:
    """Round up to one of a few lengths, so that notes of similar length share a render."""
    size = round(SHORTEST_SECONDS * sample_rate)
    while size < length:
        size *= 2
    return size


def read_sampler_info(path: Path) -> SamplerInfo:
    """Return the first forward loop and the key of a WAV file; empty for other or damaged files. Raises OSError."""
    with path.open("rb") as file:
        chunk = _sampler_chunk(file)
    if len(chunk) < _HEADER_BYTES:
        return NO_SAMPLER_INFO
    unity_note, fraction = struct.unpack_from("<II", chunk, 12)
    keycenter = unity_note + fraction / 2**32 if 0 < unity_note < 128 else None  # editors leave 0 there
    (num_loops,) = struct.unpack_from("<I", chunk, 28)
    for number in range(min(num_loops, (len(chunk) - _HEADER_BYTES) // _LOOP_BYTES)):
        kind, start, last = struct.unpack_from("<III", chunk, _HEADER_BYTES + number * _LOOP_BYTES + 4)
        if kind == _FORWARD and start < last:
            return SamplerInfo((start, last + 1), keycenter)
    return SamplerInfo(None, keycenter)


def _sampler_chunk(file: BinaryIO) -> bytes:
    """Return the start of the chunk `smpl`, its first loops at least; empty if there is none."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return b""
    position = 12
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return b""
        kind, size = struct.unpack("<4sI", header)
        if kind == b"smpl":
            return file.read(min(size, _HEADER_BYTES + 16 * _LOOP_BYTES))
        position += 8 + size + size % 2
    return b""
