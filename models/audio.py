"""Decodes an audio file to the mono waveform of an encoder; cuts windows; writes mp3 previews.

Kim et al. 2022 use mono clips of five seconds at 16 kHz. Decoding reads only the requested range, in blocks, and never trusts
the length in a header.
"""

import io
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile as sf
import soxr

from models.atomic import write_atomically
from models.audio_tracks import AudioTrack, open_track
from models.errors import AudioError, AudioTooLarge, EmptyAudio, NonFiniteAudio, RangeOutsideAudio

MAX_SECONDS = 1800.0
# Decoded on both sides of a range, so that the resampling filter sees the same neighbours as in the whole file.
MARGIN_SECONDS = 0.05
MP3_SAMPLE_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # hz
LOUDEST = 1e9  # full scale is 1; beyond this, squares leave float32
MAX_REPEATS = 5  # of short audio in a window: once a second in one of five, since a click each few milliseconds is a tone
LATEST_SECONDS = 1e7  # longer than any recording; keeps sample numbers exact
WRITE_FRAMES = 8192
FIRST_SAMPLES = 1 << 18  # room for decoded samples, to begin with
Admit = Callable[[float], None]


@dataclass(frozen=True)
class Decoded:
    """A decoded range of a file.

    `duration_seconds` is the length of the whole file: counted if decoding reached its end, else the header's value, but never
    less than was decoded. `range_seconds` is the range of `samples`.
    """

    samples: np.ndarray  # [samples] float32, mono
    sample_rate: int
    duration_seconds: float
    range_seconds: tuple[float, float]


@dataclass(frozen=True)
class DecodedRange:
    """The place of a decoded range among the samples that were collected, and the figures of `Decoded`."""

    first_sample: int
    num_samples: int
    sample_rate: int
    duration_seconds: float
    range_seconds: tuple[float, float]


class SampleSink(Protocol):
    """Takes the samples of a file as they are decoded."""

    def add(self, block: np.ndarray) -> None:
        """Take the next `block [samples]`, float32 mono."""
        ...


class SampleBuffer:
    """Collects blocks of mono samples in one array, which grows in place, so that they are in memory once.

    Beyond the collected samples the array holds zeros.
    """

    def __init__(self) -> None:
        self._array = np.zeros(FIRST_SAMPLES, np.float32)
        self._size = 0

    def add(self, block: np.ndarray) -> None:
        """Append `block [samples]`."""
        self.grow(len(block))[:] = block

    def grow(self, num_samples: int) -> np.ndarray:
        """Append zeros `[num_samples]` and return them, to be written to before the next call."""
        start, self._size = self._size, self._size + num_samples
        if self._size > len(self._array):
            self._array.resize(max(self._size, len(self._array) * 5 // 4), refcheck=False)
        return self._array[start : self._size]

    def take(self, decoded: DecodedRange) -> Decoded:
        """Return the range, and let go of what follows; zeros where the resampler rounds a sample short."""
        start, end = decoded.first_sample, decoded.first_sample + decoded.num_samples
        self._array.resize(end, refcheck=False)
        return Decoded(
            self._array[start:], decoded.sample_rate, decoded.duration_seconds, decoded.range_seconds
        )


def decode(
    source: Path | BinaryIO,
    *,
    sample_rate: int,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    max_seconds: float = MAX_SECONDS,
    name: str = "upload",
    admit: Admit | None = None,
) -> Decoded:
    """Decode `source` to mono at `sample_rate` Hz, from `start_seconds` to `end_seconds` (None: the end of the file).

    A range gives the same samples as that slice of the whole file, and ends where the file ends. A truncated file gives what
    decodes of it. Errors call the file `name`. Binary files are read from their beginning and stay open.
    `admit(seconds)` is called with the length decoded so far, before it grows in memory, and may refuse it by an error.

    Raises NotAudio, UnsupportedAudio, EmptyAudio (nothing decodes), NonFiniteAudio, RangeOutsideAudio, and
    AudioTooLarge when the range holds more than `max_seconds` of decoded frames: decoding stops there.
    """
    collected = SampleBuffer()
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        decoded = decode_into(
            collected,
            file,
            sample_rate=sample_rate,
            start_seconds=start_seconds,
            end_seconds=end_seconds,
            max_seconds=max_seconds,
            name=name,
            admit=admit,
        )
    return collected.take(decoded)


def decode_into(
    sink: SampleSink,
    file: BinaryIO,
    *,
    sample_rate: int,
    start_seconds: float,
    end_seconds: float | None,
    max_seconds: float,
    name: str,
    admit: Admit | None = None,
) -> DecodedRange:
    """Decode a file as `decode` does, but give its samples to `sink`, and return which of them are the range."""
    start, end = start_seconds, end_seconds
    _check_range(start, end)
    track = open_track(file, name)
    frames = _frame_range(track.sample_rate, sample_rate, start, end, max_seconds)
    position = frames.begin_frame
    resampler = soxr.ResampleStream(frames.rate_in, sample_rate, 1) if frames.rate_in != sample_rate else None
    for block in track.blocks(frames.begin_frame, frames.stop_frame):
        mono = _mono(block, position / frames.rate_in, name)
        position += len(mono)
        if frames.too_many_frames is not None and position >= frames.too_many_frames:
            raise _too_large(track, max_seconds, name)
        if admit:
            admit((position - frames.begin_frame) / frames.rate_in)
        sink.add(resampler.resample_chunk(mono) if resampler else mono)
    if position <= frames.start_frame:
        raise _nothing_decoded(track, frames, position, start, name)
    if resampler:
        sink.add(resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    duration = position / frames.rate_in
    if position == frames.stop_frame and track.declared_frames:
        duration = max(duration, track.declared_frames / frames.rate_in)
    stop = duration if end is None else min(end, duration)
    first = round(start * sample_rate)
    num_samples = max(1, round(stop * sample_rate) - first)
    return DecodedRange(
        first - frames.output_offset, num_samples, sample_rate, duration, (float(start), float(stop))
    )


def expected_seconds(
    source: Path | BinaryIO, *, start_seconds: float, end_seconds: float | None, max_seconds: float, name: str
) -> float:
    """Return the length that `decode` will hold in memory if the file's header is true; `max_seconds` if it tells none.

    Raises NotAudio, UnsupportedAudio and EmptyAudio.
    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        track = open_track(file, name)
        declared = track.declared_frames
        rate = track.sample_rate
    ends = [
        math.inf if end_seconds is None else end_seconds,
        math.inf if declared is None else declared / rate,
    ]
    return min(max(0.0, min(ends) - start_seconds), max_seconds)


def window_starts(num_samples: int, *, clip_samples: int, hop_samples: int) -> list[int]:
    """Return the samples at which overlapping windows start; the last window ends with the audio."""
    assert 1 <= hop_samples <= clip_samples
    last = max(0, num_samples - clip_samples)
    return [*range(0, last, hop_samples), last]


def cut_window(samples: np.ndarray, start: int, clip_samples: int) -> np.ndarray:
    """Return the window `[clip_samples]` of `samples [n]` at `start`, float32: no copy, unless the audio is shorter.

    Audio shorter than one window is repeated until the window is full, at most `MAX_REPEATS` times: shorter audio is followed
    by silence each time.
    """
    samples = np.asarray(samples, np.float32)
    if len(samples) >= clip_samples:
        return samples[start : start + clip_samples]
    period = max(len(samples), -(-clip_samples // MAX_REPEATS))
    return np.resize(np.pad(samples, (0, period - len(samples))), clip_samples)


def split_windows(
    samples: np.ndarray, *, clip_samples: int, hop_samples: int
) -> tuple[np.ndarray, list[int]]:
    """Cut all overlapping windows: float32 [windows, clip_samples], and the sample at which each starts."""
    starts = window_starts(len(samples), clip_samples=clip_samples, hop_samples=hop_samples)
    return np.stack([cut_window(samples, start, clip_samples) for start in starts]), starts


def write_mp3(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write float samples [samples] or [samples, channels] as mp3, atomically.

    Samples beyond full scale are clipped. A sample rate that mp3 does not support is resampled to 44.1 kHz.
    """
    if sample_rate not in MP3_SAMPLE_RATES:
        samples, sample_rate = soxr.resample(samples, sample_rate, 44_100), 44_100
    _write(path, samples, sample_rate, "MP3")


def write_flac(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write samples as flac of 16 bits, as `write_mp3` does; unlike mp3 it begins without a delay."""
    _write(path, samples, sample_rate, "FLAC")


def _write(path: Path, samples: np.ndarray, sample_rate: int, kind: str) -> None:
    samples = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
    encoded = io.BytesIO()  # libsndfile does not tell why a file cannot be written, nor always that
    with sf.SoundFile(encoded, "w", sample_rate, int(np.prod(samples.shape[1:])), format=kind) as file:
        for start in range(0, len(samples), WRITE_FRAMES):
            file.write(samples[start : start + WRITE_FRAMES])
    write_atomically(path, encoded.getvalue())


@dataclass(frozen=True)
class _FrameRange:
    """The input frames to decode for a range of seconds, and their place in the resampled output."""

    rate_in: int
    rate_out: int
    start_frame: int
    begin_frame: int  # decoding starts here: a margin earlier, where input and output grids meet
    stop_frame: int  # and stops here: a margin later
    too_many_frames: int | None  # reaching this position exceeds the limit; None if the range ends before it

    @property
    def output_offset(self) -> int:
        """The output sample of the whole file that corresponds to `begin_frame`."""
        return self.begin_frame * self.rate_out // self.rate_in


def _frame_range(
    rate_in: int, rate_out: int, start: float, end: float | None, max_seconds: float
) -> _FrameRange:
    margin = math.ceil(MARGIN_SECONDS * rate_in)
    start_frame = round(start * rate_in)
    too_many = start_frame + math.ceil(max_seconds * rate_in) + 1
    end_frame = too_many if end is None else min(math.ceil(end * rate_in), too_many)
    step = rate_in // math.gcd(rate_in, rate_out)
    begin_frame = max(0, start_frame - margin) // step * step
    limit = too_many if end_frame == too_many else None
    return _FrameRange(rate_in, rate_out, start_frame, begin_frame, end_frame + margin, limit)


def _check_range(start: float, end: float | None) -> None:
    for label, value in (("start_seconds", start), ("end_seconds", end)):
        if value is not None and not 0 <= value <= LATEST_SECONDS:
            limit = f"0 to {LATEST_SECONDS:g} s"
            raise RangeOutsideAudio(f"{label} is {value}; it must be {limit}", value=value, limit=limit)
    if end is not None and end <= start:
        message = f"the range ends at {end:g} s, which is not after its start at {start:g} s"
        raise RangeOutsideAudio(message, value=end, limit=f"more than {start:g}")


def _mono(block: np.ndarray, seconds: float, name: str) -> np.ndarray:
    """Channel mean [frames] of a block [frames, channels] that begins at `seconds`."""
    with np.errstate(all="ignore"):
        mono = block[:, 0].copy()
        for channel in range(1, block.shape[1]):
            mono += block[:, channel]
        mono /= block.shape[1]
        if np.abs(mono).max() <= LOUDEST:  # false for NaN too
            return mono
    message = f"{name} holds NaN or infinite samples at about {seconds:.2f} s"
    raise NonFiniteAudio(message, value="NaN or infinite", limit=f"finite samples within ±{LOUDEST:g}")


def _too_large(track: AudioTrack, max_seconds: float, name: str) -> AudioTooLarge:
    declared = (track.declared_frames or 0) / track.sample_rate
    reason = f"its header says {declared:.1f} s" if declared > max_seconds else "counted while decoding"
    message = f"{name} is longer than the limit of {max_seconds:g} s ({reason}); choose a shorter range"
    return AudioTooLarge(
        message, value=declared if declared > max_seconds else f"more than {max_seconds:g}", limit=max_seconds
    )


def _nothing_decoded(
    track: AudioTrack, frames: _FrameRange, position: int, start: float, name: str
) -> AudioError:
    """The error for a range without samples: the file has none, or ends before the range begins."""
    if position == 0 or track.declared_frames == 0:
        message = f"{name} contains no audio: it is empty, cut short or damaged"
        return EmptyAudio(message, value=0, limit="at least 1 sample")
    length = position if position > frames.begin_frame else track.declared_frames
    seconds = None if length is None else round(length / frames.rate_in, 3)
    ends = (
        "no audio can be decoded there" if seconds is None or seconds > start else f"it is {seconds:g} s long"
    )
    return RangeOutsideAudio(
        f"the range of {name} starts at {start:g} s, but {ends}", value=start, limit=seconds
    )
