"""Decoding: formats, ranges, resampling, windows and previews. Every file is made here.

Range decodes are compared with slices of the whole decode.
"""

import errno
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from models import audio_tracks
from models.audio import Decoded, decode, split_windows, write_mp3
from tests.file_limit import files_of_at_most
from tests.models.audio_files import ALL_FORMATS, RATE, aac_file, file_of, sine


def whole(data: bytes) -> Decoded:
    return decode(io.BytesIO(data), sample_rate=RATE)


@pytest.mark.parametrize("kind", ALL_FORMATS)
def test_every_format_decodes_to_the_same_music(song: dict[str, bytes], kind: str) -> None:
    decoded = whole(song[kind])
    assert decoded.samples.dtype == np.float32
    assert decoded.samples.ndim == 1
    assert decoded.sample_rate == RATE
    assert decoded.duration_seconds == pytest.approx(8.0, abs=0.1)  # AAC counts its own padding
    assert decoded.range_seconds == (0.0, decoded.duration_seconds)
    rms = np.sqrt(np.mean(decoded.samples**2))
    assert rms == pytest.approx(0.75 * 0.5 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize("kind", ALL_FORMATS)
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.5), (0.5, 3.2), (2.123, 2.6), (5.0, 60.0)])
def test_a_range_is_a_slice_of_the_whole(song: dict[str, bytes], kind: str, start: float, end: float) -> None:
    full = whole(song[kind])
    part = decode(io.BytesIO(song[kind]), sample_rate=RATE, start_seconds=start, end_seconds=end)
    expected = full.samples[round(start * RATE) : round(end * RATE)]
    assert len(part.samples) == len(expected)
    if kind in ("m4a", "aac"):  # AAC fills some bands with noise, drawn anew from where decoding begins
        assert np.sqrt(np.mean((part.samples - expected) ** 2)) < 2e-3
    else:
        np.testing.assert_allclose(part.samples, expected, atol=1e-5)
    assert part.range_seconds == pytest.approx((start, min(end, full.duration_seconds)))


@given(
    sample_rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 44_056]),
    start=st.floats(0, 1.9),
    length=st.floats(0.001, 1.0),
    seed=st.integers(0, 100),
)
@settings(max_examples=40, deadline=None)
def test_ranges_at_any_rate(sample_rate: int, start: float, length: float, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, 2 * sample_rate).astype(np.float32)
    data = file_of(noise, sample_rate, "wav", "FLOAT").getvalue()
    part = decode(io.BytesIO(data), sample_rate=RATE, start_seconds=start, end_seconds=start + length)
    expected = whole(data).samples[round(start * RATE) :][: len(part.samples)]
    np.testing.assert_allclose(part.samples[: len(expected)], expected, atol=1e-5)
    assert len(part.samples) == max(1, round(min(start + length, 2.0) * RATE) - round(start * RATE))


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_the_block_size_does_not_matter(
    song: dict[str, bytes], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = whole(song[kind]).samples
    monkeypatch.setattr(audio_tracks, "BLOCK_FRAMES", 1000)
    np.testing.assert_allclose(whole(song[kind]).samples, reference, atol=1e-6)


def test_mono_is_the_mean_of_the_channels(rng: np.random.Generator) -> None:
    channels = rng.uniform(-0.9, 0.9, (4000, 8)).astype(np.float32)
    decoded = decode(file_of(channels, RATE, "wav", "FLOAT"), sample_rate=RATE)
    np.testing.assert_allclose(decoded.samples, channels.mean(axis=1), atol=1e-6)


def test_eight_channels_of_aac() -> None:
    channels = np.zeros((48_000, 8), np.float32)
    channels[:, 0] = sine(1.0, 48_000)
    decoded = decode(aac_file(channels, 48_000, "mp4"), sample_rate=RATE)
    assert np.sqrt(np.mean(decoded.samples[2000:14000] ** 2)) == pytest.approx(0.5 / np.sqrt(2) / 8, rel=0.02)


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100, 48_000, 192_000])
def test_resampling_keeps_pitch_level_and_time(sample_rate: int) -> None:
    decoded = decode(file_of(sine(1.0, sample_rate, 1000.0), sample_rate, "wav", "FLOAT"), sample_rate=RATE)
    middle = slice(1000, -1000)
    np.testing.assert_allclose(decoded.samples[middle], sine(1.0, RATE, 1000.0)[middle], atol=2e-3)
    assert decoded.duration_seconds == 1.0


def test_streamed_resampling_equals_resampling_at_once(rng: np.random.Generator) -> None:
    noise = rng.uniform(-0.5, 0.5, 200_000).astype(np.float32)
    decoded = decode(file_of(noise, 44_100, "wav", "FLOAT"), sample_rate=RATE)
    np.testing.assert_allclose(decoded.samples, soxr.resample(noise, 44_100, RATE), atol=1e-5)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100, 192_000])
def test_one_sample_is_audio(sample_rate: int) -> None:
    decoded = decode(file_of(np.full(1, 0.5, np.float32), sample_rate), sample_rate=RATE)
    assert len(decoded.samples) >= 1
    assert np.isfinite(decoded.samples).all()


def test_files_by_path_and_by_handle_agree(song: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "misnamed.jpg"
    path.write_bytes(song["flac"])
    with path.open("rb") as handle:
        handle.seek(100)
        by_handle = decode(handle, sample_rate=RATE)
        assert not handle.closed
    np.testing.assert_array_equal(decode(path, sample_rate=RATE).samples, by_handle.samples)


def test_a_range_of_a_longer_file_keeps_to_its_limit(song: dict[str, bytes]) -> None:
    part = decode(io.BytesIO(song["wav"]), sample_rate=RATE, start_seconds=4, end_seconds=5, max_seconds=1)
    assert len(part.samples) == RATE
    assert part.duration_seconds == 8.0


@given(
    num_samples=st.integers(0, 500),
    clip_samples=st.integers(1, 120),
    hop=st.floats(0.01, 1.0),
)
@settings(max_examples=80, deadline=None)
def test_windows_cover_everything(num_samples: int, clip_samples: int, hop: float) -> None:
    samples = np.arange(1, num_samples + 1, dtype=np.float32)
    hop_samples = max(1, int(hop * clip_samples))
    windows, starts = split_windows(samples, clip_samples=clip_samples, hop_samples=hop_samples)
    assert windows.shape == (len(starts), clip_samples)
    assert set(samples) <= set(windows.ravel())
    assert set(windows.ravel()) <= {0.0, *samples}
    assert starts == sorted(set(starts))
    assert all(later - earlier <= hop_samples for earlier, later in pairwise(starts))
    if num_samples >= clip_samples:
        assert starts[-1] + clip_samples == num_samples
    else:
        assert starts == [0]


def test_short_audio_is_repeated_over_the_window_but_a_click_makes_no_tone() -> None:
    def window(num_samples: int) -> list[float]:
        samples = np.arange(1, num_samples + 1, dtype=np.float32)
        windows, starts = split_windows(samples, clip_samples=10, hop_samples=5)
        assert starts == [0]
        row: list[float] = windows[0].tolist()
        return row

    assert window(6) == [1, 2, 3, 4, 5, 6, 1, 2, 3, 4]
    assert window(3) == [1, 2, 3] * 3 + [1]
    assert window(10) == [*range(1, 11)]
    assert window(1) == [1, 0] * 5  # at most five times: once a second in a window of five
    assert not any(window(0))


@pytest.mark.parametrize("sample_rate", [16_000, 44_100, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_preview_decodes_to_what_was_written(tmp_path: Path, sample_rate: int, channels: int) -> None:
    path = tmp_path / "preview.mp3"
    samples = sine(1.0, sample_rate)
    write_mp3(path, samples if channels == 1 else np.stack([samples, samples], axis=1), sample_rate)
    decoded = decode(path, sample_rate=RATE)
    assert decoded.duration_seconds == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(decoded.samples[2000:14000], sine(1.0, RATE)[2000:14000], atol=0.02)
    assert [file.name for file in tmp_path.iterdir()] == ["preview.mp3"]


def test_a_loud_preview_clips_instead_of_wrapping(tmp_path: Path) -> None:
    write_mp3(tmp_path / "loud.mp3", 4 * sine(0.5, 44_100), 44_100)
    assert 0.9 < np.abs(decode(tmp_path / "loud.mp3", sample_rate=RATE).samples).max() < 1.6


def test_a_failed_preview_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "preview.mp3"
    path.write_bytes(b"old")
    with pytest.raises(sf.LibsndfileError):
        write_mp3(path, np.zeros((100, 7), np.float32), 44_100)  # mp3 holds two channels at most
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_that_takes_no_mp3_says_why(tmp_path: Path) -> None:
    """As any file does: libsndfile itself only says that there was a system error."""
    path = tmp_path / "preview.mp3"
    with files_of_at_most(200), pytest.raises(OSError, match="large") as caught:
        write_mp3(path, sine(1.0, 44_100), 44_100)
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []
