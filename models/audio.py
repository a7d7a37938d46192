"""From an audio file to the mono waveform an encoder takes: decoding, resampling, windows, and mp3 previews.

Mono at the encoder's rate in five-second clips, as the audio of Kim et al. 2022 is; only the asked-for range
is decoded, in blocks, and a header's length is never trusted.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile as sf
import soxr

from models.atomic import atomic_path
from models.audio_tracks import AudioTrack, open_track
from models.errors import AudioError, AudioTooLarge, EmptyAudio, NonFiniteAudio, RangeOutsideAudio

MAX_SECONDS = 1800.0
MARGIN_SECONDS = (
    0.05  # decoded around a range, so that the resampling filter sees what it would see in the whole file
)
MP3_SAMPLE_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # hz
LOUDEST = 1e9  # full scale is 1; beyond this, squares leave float32
LATEST_SECONDS = 1e7  # no recording is that long; beyond it sample numbers lose their meaning
WRITE_FRAMES = 8192


@dataclass(frozen=True)
class Decoded:
    """A decoded range.

    `duration_seconds` is the length of the whole file: counted when decoding reached its end, else what the
    header declares (and never less than was decoded). `range_seconds` is the range that `samples` holds.
    """

    samples: np.ndarray  # [samples] float32, mono
    sample_rate: int
    duration_seconds: float
    range_seconds: tuple[float, float]


def decode(
    source: Path | BinaryIO,
    *,
    sample_rate: int,
    start_seconds: float = 0.0,
    end_seconds: float | None = None,
    max_seconds: float = MAX_SECONDS,
    name: str = "upload",
) -> Decoded:
    """Mono samples of `source` at `sample_rate` Hz from `start_seconds` to `end_seconds` (None: to its end).

    A range decodes to the same samples as that slice of the whole file; one that outlasts the file ends with
    it. A file cut short gives what decodes. `name` is how errors call the file. Binary files are read from
    their beginning and stay open.

    Raises NotAudio, UnsupportedAudio, EmptyAudio (nothing decodes), NonFiniteAudio, RangeOutsideAudio, and
    AudioTooLarge when the range holds more than `max_seconds` of decoded frames: decoding stops there.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _decode_file(file, sample_rate, start_seconds, end_seconds, max_seconds, name)
    return _decode_file(source, sample_rate, start_seconds, end_seconds, max_seconds, name)


def split_windows(
    samples: np.ndarray, *, clip_samples: int, hop_samples: int
) -> tuple[np.ndarray, list[int]]:
    """Overlapping windows, float32 [windows, clip_samples], and the sample at which each starts.

    The last window is aligned to the end of the audio; audio shorter than one window is padded with zeros.
    """
    assert 1 <= hop_samples <= clip_samples
    last = max(0, len(samples) - clip_samples)
    starts = [*range(0, last, hop_samples), last]
    windows = np.zeros((len(starts), clip_samples), np.float32)
    for row, start in zip(windows, starts, strict=True):
        part = samples[start : start + clip_samples]
        row[: len(part)] = part
    return windows, starts


def write_mp3(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write float samples [samples] or [samples, channels] as mp3; the file appears complete or not at all.

    Samples beyond full scale are clipped; a rate that mp3 does not know is resampled to 44.1 kHz.
    """
    if sample_rate not in MP3_SAMPLE_RATES:
        samples, sample_rate = soxr.resample(samples, sample_rate, 44_100), 44_100
    samples = np.clip(samples, -1.0, 1.0).astype(np.float32, copy=False)
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with (
        atomic_path(path) as partial,
        sf.SoundFile(partial, "w", sample_rate, channels, format="MP3") as file,
    ):
        for start in range(0, len(samples), WRITE_FRAMES):
            file.write(samples[start : start + WRITE_FRAMES])


@dataclass(frozen=True)
class _Plan:
    """Which input frames to decode for a range, and where it lies in their resampled output."""

    rate_in: int
    rate_out: int
    start_frame: int
    begin_frame: int  # decoding starts here: a margin earlier, where input and output grids meet
    stop_frame: int  # and stops here: a margin later
    too_many_frames: (
        int | None
    )  # a position that means the range is over the limit (None: it ends before that)

    @property
    def output_offset(self) -> int:
        """The whole file's output sample that `begin_frame` becomes."""
        return self.begin_frame * self.rate_out // self.rate_in


def _plan(rate_in: int, rate_out: int, start: float, end: float | None, max_seconds: float) -> _Plan:
    margin = math.ceil(MARGIN_SECONDS * rate_in)
    start_frame = round(start * rate_in)
    too_many = start_frame + math.ceil(max_seconds * rate_in) + 1
    end_frame = too_many if end is None else min(math.ceil(end * rate_in), too_many)
    step = rate_in // math.gcd(rate_in, rate_out)
    begin_frame = max(0, start_frame - margin) // step * step
    limit = too_many if end_frame == too_many else None
    return _Plan(rate_in, rate_out, start_frame, begin_frame, end_frame + margin, limit)


def _decode_file(
    file: BinaryIO, sample_rate: int, start: float, end: float | None, max_seconds: float, name: str
) -> Decoded:
    _check_range(start, end)
    track = open_track(file, name)
    plan = _plan(track.sample_rate, sample_rate, start, end, max_seconds)
    parts: list[np.ndarray] = []
    position = plan.begin_frame
    resampler = soxr.ResampleStream(plan.rate_in, sample_rate, 1) if plan.rate_in != sample_rate else None
    for block in track.blocks(plan.begin_frame, plan.stop_frame):
        mono = _mono(block, position / plan.rate_in, name)
        position += len(mono)
        if plan.too_many_frames is not None and position >= plan.too_many_frames:
            raise _too_large(track, max_seconds, name)
        parts.append(resampler.resample_chunk(mono) if resampler else mono)
    if position <= plan.start_frame:
        raise _nothing_decoded(track, plan, position, start, name)
    if resampler:
        parts.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))

    duration = position / plan.rate_in
    if position == plan.stop_frame and track.declared_frames:
        duration = max(duration, track.declared_frames / plan.rate_in)
    stop = duration if end is None else min(end, duration)
    first = round(start * sample_rate)
    num_samples = max(1, round(stop * sample_rate) - first)
    samples = _take(np.concatenate(parts), first - plan.output_offset, num_samples)
    return Decoded(samples, sample_rate, duration, (float(start), float(stop)))


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
    says = f"its header says {declared:.1f} s" if declared > max_seconds else "counted while decoding"
    message = f"{name} is longer than the limit of {max_seconds:g} s ({says}); ask for a shorter range"
    return AudioTooLarge(
        message, value=declared if declared > max_seconds else f"more than {max_seconds:g}", limit=max_seconds
    )


def _nothing_decoded(track: AudioTrack, plan: _Plan, position: int, start: float, name: str) -> AudioError:
    """Why no sample of the range came out: the file has none, or it ends before the range begins."""
    if position == 0 or track.declared_frames == 0:
        message = f"no sample could be decoded from {name}: it has none, or is cut short or damaged"
        return EmptyAudio(message, value=0, limit="at least 1 sample")
    frames = position if position > plan.begin_frame else track.declared_frames
    seconds = None if frames is None else round(frames / plan.rate_in, 3)
    ends = (
        "nothing of it decodes there" if seconds is None or seconds > start else f"it is {seconds:g} s long"
    )
    return RangeOutsideAudio(
        f"the range of {name} starts at {start:g} s, but {ends}", value=start, limit=seconds
    )


def _take(samples: np.ndarray, start: int, size: int) -> np.ndarray:
    """`size` samples from `start`, completed with zeros where the resampler rounds a sample short."""
    part = samples[start : start + size]
    return np.ascontiguousarray(np.pad(part, (0, size - len(part))), dtype=np.float32)
