"""The demo track: the committed file is what its command renders, and its instruments enter one after another."""

import numpy as np
import soundfile as sf

from app.demo_track import BARS, BEATS_PER_BAR, DEMO_FILE, SAMPLE_RATE, parts, rendered
from index.sources.base import Floats


def loudness(samples: Floats) -> Floats:
    """RMS of each quarter of a second of `samples [n, 2]`, in the mean of both channels."""
    mono = samples.mean(axis=1)
    step = SAMPLE_RATE // 4
    return np.sqrt((mono[: len(mono) // step * step].reshape(-1, step) ** 2).mean(axis=1))


def test_the_committed_track_is_the_one_that_is_composed() -> None:
    kept, rate = sf.read(DEMO_FILE, dtype="float32")
    fresh = rendered()
    assert rate == SAMPLE_RATE
    assert abs(len(kept) - len(fresh)) < 0.1 * rate
    heard, wanted = loudness(kept)[:-1], loudness(fresh)[:-1]
    np.testing.assert_allclose(heard[: len(wanted)], wanted[: len(heard)], atol=0.01)


def test_its_instruments_enter_one_after_another_and_play_to_the_end() -> None:
    entries = [min(start for _, _, start, _ in part.notes) for part in parts()]
    assert entries == [0, 8, 16, 24]
    for part in parts():
        assert max(end for _, _, _, end in part.notes) >= BARS * BEATS_PER_BAR - 1
        assert all(0 < pitch < 128 and start < end for pitch, _, start, end in part.notes)
