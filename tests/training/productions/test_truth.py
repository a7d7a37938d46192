"""When a stem sounds: frame by frame, gaps closed, single clicks dropped."""

import numpy as np
import pytest

from training.productions.truth import sounding_spans

RATE = 16_000


def stem(*spans: tuple[float, float, float], seconds: float = 5.0) -> np.ndarray:
    """A tone in spans (start, end, level)."""
    time = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros(len(time))
    for start, end, level in spans:
        out[(time >= start) & (time < end)] = level
    return (out * 20_000 * np.sin(2 * np.pi * 500 * time)).astype(np.int16)


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([(1.0, 2.0, 1.0)], ((1.0, 2.0),)),
        ([(0.0, 5.0, 1.0)], ((0.0, 5.0),)),
        ([(0.0, 1.0, 1.0), (1.2, 2.0, 1.0)], ((0.0, 2.0),)),  # a short rest
        ([(0.0, 1.0, 1.0), (1.4, 2.0, 0.1)], ((0.0, 1.0), (1.4, 2.0))),
        ([(0.0, 1.0, 1.0), (2.0, 3.0, 0.005)], ((0.0, 1.0),)),  # 46 dB softer
        ([(0.0, 1.0, 1.0), (2.0, 2.04, 1.0)], ((0.0, 1.0),)),  # a click
        ([], ()),
    ],
)
def test_spans_of_tones(
    spans: list[tuple[float, float, float]], found: tuple[tuple[float, float], ...]
) -> None:
    assert sounding_spans(stem(*spans), RATE) == found
    assert sounding_spans(stem(*spans) // 50, RATE) == found  # at any level


def test_a_length_that_is_no_whole_number_of_frames_ends_with_the_audio() -> None:
    assert sounding_spans(stem((0.0, 1.0, 1.0), seconds=1.01), RATE)[0][1] == 1.0
    assert sounding_spans(stem((0.5, 2.0, 1.0), seconds=1.01), RATE) == ((0.5, 1.01),)
