"""Sounds of SFZ regions: loops, filters, WAV headers and the resampler, each against its definition."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.sources.base import Note
from index.sources.sfz.samples import NO_SAMPLER_INFO, filtered, read_sampler_info, resampled
from tests.index.tiny_sfz import (
    C4_HZ,
    RATE,
    hz_of,
    level_db,
    one_region,
    played,
    sine,
    write_looped_wav,
    write_sfz,
)


def write_loop(folder: Path, *, chunk: bool = True, opcodes: str = "") -> Path:
    """Write a click, forty whole periods of 100 samples and a fall; the loop is periods 11 to 30."""
    wave = np.concatenate(
        [np.linspace(0, 0.5, 100), 0.5 * np.sin(2 * np.pi * np.arange(4000) / 100), np.full(400, 0.25)]
    )
    write_looped_wav(
        folder / "loop.wav", wave.astype(np.float32), (1100, 3099) if chunk else None, unity_note=64
    )
    return write_sfz(folder, f"<region> sample=loop.wav pitch_keycenter=60 {opcodes}", {})


@pytest.mark.parametrize(
    ("chunk", "opcodes"),
    [
        (True, ""),
        (True, "loop_mode=loop_continuous"),
        (True, "loopmode=loop_continuous loop_end=2099"),
        (False, "loop_mode=loop_continuous loopstart=1100 loopend=3099"),
        (False, "loop_mode=loop_sustain loop_start=1100 loop_end=3099"),
        (True, "loop_mode=loop_continuous offset=50"),
    ],
)
def test_loops_go_on_without_a_seam(tmp_path: Path, chunk: bool, opcodes: str) -> None:
    path = write_loop(tmp_path, chunk=chunk, opcodes=opcodes)
    sound = played(path, Note(60, 127, 0.0, 2.0), seconds=2.0)
    start = 200 - (50 if "offset" in opcodes else 0)
    expected = 0.5 * np.sin(2 * np.pi * np.arange(32_000 - start) / 100 + np.pi * 2)
    assert np.allclose(sound[start:], expected, atol=1e-3)
    higher = played(path, Note(67, 127, 0.0, 2.0), seconds=2.0)[1000:]
    at = np.arange(len(higher)) * 2 ** (7 / 12) / 100
    waves = np.stack([np.sin(2 * np.pi * at), np.cos(2 * np.pi * at)], axis=1)
    rest = higher - waves @ np.linalg.lstsq(waves, higher, rcond=None)[0]
    assert level_db(rest) < level_db(higher) - 50


@pytest.mark.parametrize(
    ("chunk", "opcodes"),
    [
        (False, ""),
        (True, "loop_mode=no_loop"),
        (True, "loop_mode=one_shot"),
        (True, "loop_mode=loop_continuous loop_start=4450 loop_end=4400"),
    ],
)
def test_no_loop_is_played_where_there_is_none(tmp_path: Path, chunk: bool, opcodes: str) -> None:
    sound = played(write_loop(tmp_path, chunk=chunk, opcodes=opcodes), Note(60, 127, 0.0, 1.0))
    assert sound[4499] == pytest.approx(0.25, abs=1e-3)
    assert not sound[4500:].any()


def test_wav_headers_give_key_and_loop(tmp_path: Path) -> None:
    assert read_sampler_info(write_looped_wav(tmp_path / "a.wav", sine(), (10, 19))) == ((10, 20), 60.0)
    assert read_sampler_info(write_looped_wav(tmp_path / "a.wav", sine(), None, unity_note=0)) == (None, None)
    assert read_sampler_info(write_looped_wav(tmp_path / "a.wav", sine(), (20, 10))).loop is None
    (tmp_path / "b.flac").write_bytes(b"fLaC")
    assert read_sampler_info(tmp_path / "b.flac") == NO_SAMPLER_INFO
    path = write_sfz(tmp_path, "<region> sample=a.wav pitch_keycenter=sample", {})
    write_looped_wav(tmp_path / "a.wav", sine(), None, unity_note=72)
    assert hz_of(played(path, Note(72, 127, 0.0, 1.0))) == pytest.approx(C4_HZ, rel=1e-3)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "a.wav"


@pytest.fixture(scope="module")
def whole_wav(fuzzed: Path) -> bytes:
    return write_looped_wav(fuzzed, sine(seconds=0.001), (1, 9)).read_bytes()


@settings(max_examples=100)
@given(data=st.binary(max_size=200), cut=st.integers(0, 120))
def test_damaged_headers_are_read_or_ignored(fuzzed: Path, whole_wav: bytes, data: bytes, cut: int) -> None:
    fuzzed.write_bytes(whole_wav[:cut] + data)
    read_sampler_info(fuzzed)


@pytest.mark.parametrize(
    ("kind", "passed_hz", "stopped_hz", "slope_db"),
    [
        ("lpf_1p", 50, 4000, -12),
        ("lpf_2p", 50, 4000, -24),
        ("hpf_1p", 4000, 60, -24),
        ("hpf_2p", 4000, 60, -48),
    ],
)
def test_filters_pass_one_side_and_fall_on_the_other(
    kind: str, passed_hz: float, stopped_hz: float, slope_db: float
) -> None:
    def gain_db(hz: float) -> float:
        return level_db(filtered(sine(hz), kind, 1000.0, 0.0, RATE)[2000:]) - level_db(sine(hz)[2000:])

    assert gain_db(passed_hz) == pytest.approx(0.0, abs=0.3)
    assert gain_db(stopped_hz) == pytest.approx(slope_db, abs=5.0)
    assert gain_db(1000.0) == pytest.approx(-3.0, abs=0.1)


def test_cutoff_follows_velocity_and_open_filters_change_nothing(tmp_path: Path) -> None:
    dark = level_db(one_region(tmp_path, "cutoff=50"))
    assert dark < level_db(one_region(tmp_path, "")) - 25
    assert level_db(one_region(tmp_path, "cutoff=50 fil_veltrack=4800")) > dark + 20
    for opcodes in (
        "cutoff=20000",
        "cutoff=50 fileg_depth=9600",
        "cutoff=50 fil_type=pink",
        "cutoff=1 fil_type=hpf_1p",
    ):
        assert np.allclose(one_region(tmp_path, opcodes), one_region(tmp_path, ""), atol=0.01)
    assert np.isfinite(one_region(tmp_path, "cutoff=0 resonance=40 fil_type=hpf_2p fil_veltrack=12700")).all()


def test_resampling_a_loop_is_the_slow_twin_of_a_loop_by_hand() -> None:
    wave, loop = np.random.default_rng(0).normal(size=500).astype(np.float32), (100, 137)
    by_hand = np.array([wave[i] if i < 137 else wave[100 + (i - 100) % 37] for i in range(2000)])
    assert np.array_equal(resampled(wave, loop, 1.0, 2000), by_hand)
    assert len(resampled(wave, None, 1.0, 2000)) == 500
    assert np.allclose(resampled(wave, loop, 1.7, 900), resampled(by_hand, None, 1.7, 900), atol=1e-4)
