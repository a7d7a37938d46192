"""Bad audio: each broken, inconsistent or hostile file raises its specific error, or yields the part that decodes."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from models.audio import decode
from models.errors import (
    AudioError,
    AudioTooLarge,
    EmptyAudio,
    NonFiniteAudio,
    NotAudio,
    RangeOutsideAudio,
    UnsupportedAudio,
)
from tests.models.audio_files import ALL_FORMATS, RATE, file_of, sine

FLAC_TOTAL_BYTE = 8 + 13  # the 36-bit number of samples in STREAMINFO begins in this byte's low half


def flac_declaring(num_samples: int, seconds: float) -> bytes:
    """Return a FLAC of `seconds` whose header declares another length."""
    data = bytearray(file_of(sine(seconds, RATE), RATE, "flac").getvalue())
    data[FLAC_TOTAL_BYTE] = (data[FLAC_TOTAL_BYTE] & 0xF0) | num_samples >> 32
    data[FLAC_TOTAL_BYTE + 1 : FLAC_TOTAL_BYTE + 5] = struct.pack(">I", num_samples & 0xFFFFFFFF)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"hello, this is text" * 50,
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\xff\xfe" + "text".encode("utf-16-le"),
    ],
)
def test_other_files_are_not_audio(data: bytes) -> None:
    with pytest.raises(NotAudio) as error:
        decode(io.BytesIO(data), sample_rate=RATE, name="notes.wav")
    assert "notes.wav" in error.value.message
    assert "flac" in str(error.value.limit)


def test_a_playlist_that_points_at_other_files_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.flac"
    secret.write_bytes(file_of(sine(1.0, RATE), RATE, "flac").getvalue())
    for text in (
        f"ffconcat version 1.0\nfile {secret}\n",
        f"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n{secret}\n",
    ):
        playlist = tmp_path / "song.wav"
        playlist.write_text(text)
        with pytest.raises(NotAudio):
            decode(playlist, sample_rate=RATE)


@pytest.mark.parametrize("head", [b"MThd", b"\x1aE\xdf\xa3", b"wvpk", b"caff", b"0&\xb2u"])
def test_audio_of_other_formats_is_named(head: bytes) -> None:
    with pytest.raises(UnsupportedAudio) as error:
        decode(io.BytesIO(head + bytes(200)), sample_rate=RATE)
    assert error.value.value


def test_a_video_container_without_audio_is_not_audio() -> None:
    ftyp = struct.pack(">I4s4sI", 16, b"ftyp", b"isom", 0)
    with pytest.raises(AudioError):
        decode(io.BytesIO(ftyp + struct.pack(">I4s", 8, b"moov")), sample_rate=RATE)


@pytest.mark.parametrize("kind", ["wav", "aiff", "flac"])
def test_no_bytes_and_no_samples_are_empty(kind: str) -> None:
    nothing = file_of(np.zeros(0, np.float32), RATE, kind).getvalue()
    for data in (b"", nothing):
        with pytest.raises(EmptyAudio) as error:
            decode(io.BytesIO(data), sample_rate=RATE)
        assert error.value.value == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_samples_that_are_no_numbers_are_refused(bad: float) -> None:
    samples = np.zeros((RATE, 2), np.float32)
    samples[RATE // 2, 1] = bad
    data = file_of(samples, RATE, "wav", "FLOAT")
    with pytest.raises(NonFiniteAudio):
        decode(data, sample_rate=RATE)
    assert not decode(data, sample_rate=RATE, end_seconds=0.25).samples.any()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (8.0, None),
        (9.0, 10.0),
        (3.0, 3.0),
        (3.0, 2.0),
        (-1.0, None),
        (0.0, -1.0),
        (np.nan, None),
        (0.0, np.inf),
    ],
)
@pytest.mark.parametrize("kind", ["wav", "mp3", "ogg"])
def test_ranges_outside_the_audio(song: dict[str, bytes], kind: str, start: float, end: float | None) -> None:
    with pytest.raises(RangeOutsideAudio) as error:
        decode(io.BytesIO(song[kind]), sample_rate=RATE, start_seconds=start, end_seconds=end)
    assert error.value.limit is not None


def test_too_long_names_value_and_limit(song: dict[str, bytes]) -> None:
    for kind in ALL_FORMATS:
        with pytest.raises(AudioTooLarge) as error:
            decode(io.BytesIO(song[kind]), sample_rate=RATE, max_seconds=5)
        assert error.value.limit == 5
        assert error.value.value
    with pytest.raises(AudioTooLarge):
        decode(io.BytesIO(song["wav"]), sample_rate=RATE, start_seconds=1, end_seconds=7, max_seconds=5)
    assert len(decode(io.BytesIO(song["wav"]), sample_rate=RATE, max_seconds=8).samples) == 8 * RATE


def test_hours_of_silence_in_a_small_file_stop_at_the_limit() -> None:
    out = io.BytesIO()
    with sf.SoundFile(out, "w", RATE, 1, format="FLAC") as file:
        for _ in range(20):
            file.write(np.zeros(60 * RATE, np.int16))
    with pytest.raises(AudioTooLarge) as error:
        decode(out, sample_rate=RATE, max_seconds=30)
    assert (error.value.value, error.value.limit) == (1200.0, 30)
    part = decode(out, sample_rate=RATE, start_seconds=1100, end_seconds=1101, max_seconds=30)
    assert (len(part.samples), part.duration_seconds) == (RATE, 1200.0)


@pytest.mark.parametrize("declared", [0, 1_000_000_000, 2**36 - 1])
def test_a_flac_that_declares_hours_is_counted(declared: int) -> None:
    decoded = decode(io.BytesIO(flac_declaring(declared, 3.0)), sample_rate=RATE)
    assert len(decoded.samples) == 3 * RATE
    assert decoded.duration_seconds == 3.0
    with pytest.raises(RangeOutsideAudio):
        decode(io.BytesIO(flac_declaring(declared, 3.0)), sample_rate=RATE, start_seconds=100)


def test_an_mp3_without_a_length_or_with_a_wrong_one_is_counted(song: dict[str, bytes]) -> None:
    mp3 = song["mp3"]
    bare = mp3[mp3.index(mp3[:2], 4) :]  # without the first frame, which holds the number of frames
    doubled = mp3 + mp3
    for data, seconds in ((bare, 8.0), (doubled, 16.0), (mp3[: len(mp3) // 2], 4.0)):
        assert decode(io.BytesIO(data), sample_rate=RATE).duration_seconds == pytest.approx(seconds, abs=0.3)
        part = decode(io.BytesIO(data), sample_rate=RATE, start_seconds=2, end_seconds=3)
        full = decode(io.BytesIO(data), sample_rate=RATE)
        np.testing.assert_allclose(part.samples, full.samples[2 * RATE : 3 * RATE], atol=1e-4)


@pytest.mark.parametrize("kind", [kind for kind in ALL_FORMATS if kind != "m4a"])
def test_a_file_cut_short_gives_what_decodes(song: dict[str, bytes], kind: str) -> None:
    data = song[kind][: len(song[kind]) // 2]
    decoded = decode(io.BytesIO(data), sample_rate=RATE)
    assert 2.5 < decoded.duration_seconds < 5.0
    assert np.sqrt(np.mean(decoded.samples**2)) > 0.2
    with pytest.raises(RangeOutsideAudio):
        decode(io.BytesIO(data), sample_rate=RATE, start_seconds=7)


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("size", [4, 12, 24, 40, 100])
def test_a_file_of_a_few_bytes_is_a_clear_error_or_a_little_audio(
    song: dict[str, bytes], kind: str, size: int
) -> None:
    try:
        assert decode(io.BytesIO(song[kind][:size]), sample_rate=RATE).duration_seconds < 0.1
    except AudioError as error:
        raised = error
    else:
        return
    assert raised.message
    assert raised.limit is not None


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize("seed", range(4))
def test_damage_anywhere_never_escapes_as_another_error(song: dict[str, bytes], kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(song[kind], np.uint8).copy()
    at = rng.integers(0, len(data), 60) if seed % 2 else rng.integers(0, 300, 12)
    data[at] = rng.integers(0, 256, len(at))
    try:
        samples = decode(io.BytesIO(data.tobytes()), sample_rate=RATE, max_seconds=60).samples
    except AudioError:
        return
    assert np.isfinite(samples).all()


@pytest.mark.parametrize(("sample_rate", "channels"), [(500, 1), (400_000, 1), (RATE, 33)])
def test_absurd_formats_are_unsupported(sample_rate: int, channels: int) -> None:
    data = file_of(np.zeros((10, channels), np.float32), sample_rate)
    with pytest.raises(UnsupportedAudio) as error:
        decode(data, sample_rate=RATE)
    assert error.value.value in (sample_rate, channels)
