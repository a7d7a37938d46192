"""The enrollment phrases, the silence rule and the post-processing of previews."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.sources.base import (
    MAX_PREVIEW_SECONDS,
    Note,
    enrollment_phrases,
    finish_preview,
    is_silent,
)


@given(st.floats(0.5, 20.0))
def test_phrases_fill_the_clip_and_scale_with_it(clip_seconds: float) -> None:
    phrases, five_seconds = enrollment_phrases(clip_seconds), enrollment_phrases(5.0)
    assert len(phrases) == 8
    for phrase, reference in zip(phrases, five_seconds, strict=True):
        assert phrase[0].start_seconds == 0.0
        for note, five in zip(phrase, reference, strict=True):
            assert 0.0 <= note.start_seconds < note.end_seconds <= clip_seconds * (1 + 1e-9)
            assert (note.pitch, note.velocity) == (five.pitch, five.velocity)
            assert note.end_seconds == pytest.approx(five.end_seconds * clip_seconds / 5.0)


def test_phrases_cover_registers_dynamics_and_textures() -> None:
    phrases = enrollment_phrases(5.0)
    pitches = [note.pitch for phrase in phrases for note in phrase]
    velocities = {note.velocity for phrase in phrases for note in phrase}
    assert min(pitches) <= 36
    assert max(pitches) >= 76
    assert min(velocities) == 45
    assert max(velocities) == 115
    assert any(_voices_at_start(phrase) >= 3 for phrase in phrases)  # chords
    assert any(_voices_at_start(phrase) == 1 for phrase in phrases)


def _voices_at_start(phrase: tuple[Note, ...]) -> int:
    return sum(note.start_seconds == 0.0 for note in phrase)


def test_silence_is_an_rms_below_minus_70_dbfs() -> None:
    tone = np.sin(np.arange(16_000)).astype(np.float32) * np.float32(np.sqrt(2.0))
    assert not is_silent(tone * np.float32(10 ** (-69 / 20)))
    assert is_silent(tone * np.float32(10 ** (-71 / 20)))
    assert is_silent(np.zeros((0, 2), np.float32))


@given(
    seconds=st.floats(0.0, 9.0),
    channels=st.sampled_from([None, 1, 2]),
    level=st.floats(1e-4, 4.0),
    seed=st.integers(0, 99),
)
def test_a_preview_is_short_fades_out_and_never_clips(
    seconds: float, channels: int | None, level: float, seed: int
) -> None:
    sample_rate = 1000
    shape = (int(seconds * sample_rate),) if channels is None else (int(seconds * sample_rate), channels)
    samples = (np.random.default_rng(seed).uniform(-level, level, shape)).astype(np.float32)
    before = samples.copy()
    preview = finish_preview(samples, sample_rate)
    assert np.array_equal(samples, before)
    assert len(preview) == min(len(samples), int(MAX_PREVIEW_SECONDS * sample_rate))
    assert np.abs(preview).max(initial=0.0) <= 10 ** (-3 / 20) + 1e-6
    if len(preview):
        assert np.abs(preview[-1]).max() == 0.0


def test_a_preview_that_rings_out_peaks_at_minus_3_dbfs() -> None:
    ringing = np.sin(np.arange(3000)).astype(np.float32) * np.exp(-np.arange(3000) / 500).astype(np.float32)
    assert np.abs(finish_preview(ringing, 1000)).max() == pytest.approx(10 ** (-3 / 20), rel=1e-5)
