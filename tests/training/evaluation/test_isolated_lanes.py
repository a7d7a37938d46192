"""How well lanes are isolated: the ratio, the ceiling, and the medians of a table."""

import numpy as np
import pytest

from models.recognition.lane_notes import SoundingLane
from training.evaluation.isolated_lanes import (
    IDEAL,
    OWN,
    IsolatedLane,
    by_ratio_mask,
    isolated_lane,
    isolation_table,
    si_sdr_db,
)

RATE = 16_000


def tone(hz: float) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)).astype(np.float32)


def test_the_ratio_does_not_hear_gain() -> None:
    target, noise = tone(440.0), np.float32(0.1) * tone(1234.0)
    assert si_sdr_db(target + noise, target) == pytest.approx(20, abs=0.1)
    assert si_sdr_db(np.float32(3) * (target + noise), target) == pytest.approx(20, abs=0.1)


def test_the_stems_own_mask_parts_what_does_not_overlap() -> None:
    low, high = tone(440.0), tone(3000.0)
    assert si_sdr_db(by_ratio_mask(low, high), low) > 30


def test_gains_are_over_the_mixture() -> None:
    stems = np.stack([tone(440.0), tone(3000.0)])
    lanes = [SoundingLane((), ((0.0, 1.0),), {"bass": 1.0}), SoundingLane((), ((0.0, 1.0),), {"flute": 1.0})]
    found = isolated_lane(stems, 0, 0, lanes, (), RATE)
    assert found.number == 2
    assert found.ideal_lane_db > found.lane_db
    assert found.ideal_lane_db > 20


def test_a_table_tells_medians() -> None:
    lanes = [IsolatedLane(2, gain, 1.0, 10.0, 12.0) for gain in (1.0, 2.0, 9.0)]
    table = isolation_table([*lanes, IsolatedLane(3, 5.0, 5.0, 5.0, 5.0)], 2, 3, "valid")
    assert [row.name for row in table.rows] == [OWN, IDEAL]
    assert table.rows[0].figures["lane_db"].value == 2.0
    assert "3 lanes" in table.notes[0]
