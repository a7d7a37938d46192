"""Reads audio files as blocks of samples at their own rate: libsndfile and PyAV behind one interface.

The first bytes of a file decide its format, never its name, and the file is opened with exactly that demuxer: FFmpeg, left to
guess, opens playlists that point at other files of the machine.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import BinaryIO, Protocol

import av
import numpy as np
import soundfile as sf
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from models.errors import EmptyAudio, NotAudio, UnsupportedAudio

ACCEPTED = "wav, aiff, flac, ogg, opus, mp3, m4a, aac"
MIN_SAMPLE_RATE = 1_000  # hz
MAX_SAMPLE_RATE = 384_000  # hz
MAX_CHANNELS = 32
BLOCK_FRAMES = 65_536
MIN_BLOCK_FRAMES = 64  # a damaged file is read up to this many frames before the damage
UNKNOWN_LENGTH = 2**62  # libsndfile declares more than this for streams of unknown length

DEMUXER = {"m4a": "mp4", "aac": "aac", "mp3": "mp3"}  # format → FFmpeg demuxer
CODECS = frozenset({"aac", "alac", "mp3", "mp3float", "flac", "opus"})  # FFmpeg decoders that may run
SETTLE_SECONDS = 0.5  # decoded and dropped before a range, so that the decoder's state settles

RECOGNISED_ONLY = {
    b"\x1aE\xdf\xa3": "Matroska or WebM",
    b"0&\xb2u": "Windows Media",
    b"MThd": "MIDI",
    b".snd": "AU",
    b"caff": "CAF",
    b"wvpk": "WavPack",
    b"MAC ": "Monkey's Audio",
    b"#!AM": "AMR",
    b"FLV\x01": "Flash video",
    b"DSD ": "DSD",
}


def missing_decoders() -> list[str]:
    """Return the names of the decoders that FFmpeg, as it is installed, lacks."""
    return sorted(CODECS - av.codecs_available)


class AudioTrack(Protocol):
    """The audio of one file, read once. `declared_frames` is the header's value, true or not; None if it has none."""

    sample_rate: int
    num_channels: int
    declared_frames: int | None

    def blocks(self, start_frame: int, stop_frame: int) -> Iterator[np.ndarray]:
        """Yield float32 [frames, channels] from start_frame to stop_frame, or to the last frame that decodes."""
        ...


def open_track(file: BinaryIO, name: str) -> AudioTrack:
    """Detect the format of `file` and open it.

    Raises EmptyAudio (no bytes, or nothing decodes), NotAudio, and UnsupportedAudio (format, codec, sample rate or number of
    channels).
    """
    size = file.seek(0, 2)
    if size == 0:
        raise EmptyAudio(f"{name} is empty: 0 bytes", value=0, limit="at least 1 sample")
    kind, offset = detect_format(file, name)
    by_ffmpeg = kind in ("m4a", "aac") or (kind == "mp3" and not _mp3_header_covers(file, offset, size))
    try:
        track: AudioTrack = _FfmpegTrack(file, kind, name) if by_ffmpeg else _SoundFileTrack(file)
    except (sf.LibsndfileError, av.FFmpegError) as error:
        reason = getattr(error, "error_string", None) or getattr(error, "strerror", None) or error
        message = f"{name} starts like {kind} but is damaged or encoded in an unsupported way: {reason}"
        raise UnsupportedAudio(message, value=kind, limit=ACCEPTED) from error
    if not MIN_SAMPLE_RATE <= track.sample_rate <= MAX_SAMPLE_RATE:
        raise UnsupportedAudio(
            f"{name} has a sample rate of {track.sample_rate} Hz",
            value=track.sample_rate,
            limit=f"{MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz",
        )
    if not 1 <= track.num_channels <= MAX_CHANNELS:
        raise UnsupportedAudio(
            f"{name} has {track.num_channels} channels", value=track.num_channels, limit=MAX_CHANNELS
        )
    return track


def detect_format(file: BinaryIO, name: str) -> tuple[str, int]:
    """The format according to the first bytes, and the byte at which it begins, after ID3 tags.

    Raises NotAudio and UnsupportedAudio.
    """
    offset = 0
    head = _read_at(file, 0, 64)
    while head[:3] == b"ID3" and len(head) >= 10:
        size = (head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]
        offset += 10 + size + (10 if head[5] & 0x10 else 0)
        head = _read_at(file, offset, 64)
    kind = _kind_of(head)
    if kind:
        return kind, offset
    if other := RECOGNISED_ONLY.get(head[:4]):
        raise UnsupportedAudio(f"{name} is {other}; send one of {ACCEPTED}", value=other, limit=ACCEPTED)
    raise NotAudio(
        f"{name} is not an audio file; send one of {ACCEPTED}", value=_printable(head[:8]), limit=ACCEPTED
    )


def _kind_of(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "ogg"
    if head[4:8] == b"ftyp":
        return "m4a"
    if len(head) >= 4 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"  # ADTS sync word, layer 0
    layer_3 = len(head) >= 4 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2
    reserved = layer_3 and (head[1] & 0x18 == 0x08 or head[2] >> 4 == 15 or head[2] & 0x0C == 0x0C)
    return "mp3" if layer_3 and not reserved else None


def _mp3_header_covers(file: BinaryIO, offset: int, size: int) -> bool:
    """Whether the Xing/Info tag of the first frame describes the whole file.

    libsndfile stops where the tag says, or, without a tag, where the first bit rate suggests. A file that has no tag, is
    truncated or is joined from several goes to FFmpeg, which walks the frames.
    """
    head = _read_at(file, offset, 256)
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or len(head) < at + 16:
        return False
    flags, _, num_bytes = struct.unpack(">III", head[at + 4 : at + 16])
    return flags & 3 == 3 and abs(num_bytes - (size - offset)) <= max(1024, 0.01 * size)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _printable(head: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in head)


class _ForwardFile(sf.SoundFile):
    """A SoundFile that never seeks by itself: soundfile's seek after each read loses the last block of endless streams."""

    def seekable(self) -> bool:
        return False


class _ClampedSeek:
    """A file whose impossible seeks stay in place: damaged files make libsndfile seek to before the beginning."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.tell, self._seek = file.read, file.tell, file.seek

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._seek(offset, whence)
        except (ValueError, OSError):
            return self.tell()


class _SoundFileTrack:
    """wav, aiff, flac, ogg, opus and mp3 by libsndfile. Seeking is exact, in mp3 after the decoder has settled."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self._file = _ForwardFile(_ClampedSeek(file))
        self._settle_seconds = SETTLE_SECONDS if self._file.format == "MP3" else 0.0
        self.sample_rate = int(self._file.samplerate)
        self.num_channels = int(self._file.channels)
        frames = int(self._file.frames)
        self.declared_frames = frames if frames < UNKNOWN_LENGTH else None

    def blocks(self, start_frame: int, stop_frame: int) -> Iterator[np.ndarray]:
        position = max(0, start_frame - round(self._settle_seconds * self.sample_rate))
        size, seek = BLOCK_FRAMES, position > 0
        while position < stop_frame and size >= MIN_BLOCK_FRAMES:
            try:
                if seek:
                    self._file.seek(position)
                block = self._file.read(min(size, stop_frame - position), dtype="float32", always_2d=True)
            except sf.LibsndfileError:
                size, seek = size // 2, True  # an error loses its whole block: approach it in smaller ones
                continue
            if len(block) == 0:
                return
            begin, position, seek = position, position + len(block), False
            if position > start_frame:
                yield block[max(0, start_frame - begin) :]


class _FfmpegTrack:
    """m4a and aac, which libsndfile cannot read, and mp3 whose header does not cover the file.

    FFmpeg's seek is not exact. So packets before the range are read without decoding, and the time stamp of the first decoded
    frame gives its position.
    """

    def __init__(self, file: BinaryIO, kind: str, name: str) -> None:
        file.seek(0)
        options = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,aac,mp3", "protocol_whitelist": "none"}
        container = av.open(
            file, "r", format=DEMUXER[kind], container_options=options, metadata_errors="replace"
        )
        if not container.streams.audio:
            raise NotAudio(f"{name} holds no audio track", value=kind, limit=ACCEPTED)
        self._stream = container.streams.audio[0]
        codec = self._stream.codec_context.name if self._stream.codec_context else "unknown"
        if codec not in CODECS:
            raise UnsupportedAudio(
                f"{name} holds {codec} audio; send one of {ACCEPTED}", value=codec, limit=ACCEPTED
            )
        self._origin = self._stream.start_time or 0
        self._packets = container.demux(self._stream)
        self._time_base = self._stream.time_base or Fraction(1, 1)
        first = next(self._frames(), None)
        if first is None:
            message = f"{name} contains no audio: it is empty, cut short or damaged"
            raise EmptyAudio(message, value=0, limit="at least 1 sample")
        self._first = first
        self._packer_kind: tuple[int, str, str] | None = None
        self.sample_rate = first.sample_rate  # HE-AAC decodes to twice the header's rate
        self.num_channels = first.layout.nb_channels
        duration = self._stream.duration
        self.declared_frames = self._frame_at(self._origin + duration) if duration else None

    def blocks(self, start_frame: int, stop_frame: int) -> Iterator[np.ndarray]:
        skip_seconds = start_frame / self.sample_rate - SETTLE_SECONDS
        frames = chain([self._first], self._frames()) if skip_seconds <= 0 else self._frames(skip_seconds)
        position = 0 if skip_seconds <= 0 else None
        for frame in frames:
            if position is None:
                position = self._frame_at(frame.pts or 0)
            for samples in self._samples(frame):
                begin, position = position, position + len(samples)
                if position > start_frame and begin < stop_frame:
                    yield samples[max(0, start_frame - begin) : stop_frame - begin]
            if position >= stop_frame:
                return

    def _samples(self, frame: AudioFrame) -> Iterator[np.ndarray]:
        """Convert a frame, whatever its own rate and channels, to float32 [frames, channels] at this track's rate.

        FFmpeg interleaves the channels first: PyAV's planes of frames with eight or more channels exceed the frame's memory.
        """
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if kind != self._packer_kind:
            self._packer, self._packer_kind = AudioResampler(format="flt", rate=self.sample_rate), kind
        with suppress(av.FFmpegError, ValueError):
            for part in self._packer.resample(frame):
                yield part.to_ndarray().reshape(-1, part.layout.nb_channels)

    def _frames(self, skip_seconds: float = 0.0) -> Iterator[AudioFrame]:
        """Decode frames; drop packets before `skip_seconds`, skip damaged ones."""
        first_pts = self._origin + int(skip_seconds / self._time_base) if skip_seconds > 0 else None
        with suppress(av.FFmpegError):  # a container cut short ends here
            for packet in self._packets:
                if first_pts is not None and packet.pts is not None and packet.pts < first_pts:
                    continue
                with suppress(av.FFmpegError):
                    yield from packet.decode()

    def _frame_at(self, pts: int) -> int:
        return round((pts - self._origin) * self._time_base * self.sample_rate)
