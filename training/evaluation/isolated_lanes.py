"""How well a lane is isolated (`models/recognition/lane_isolation.py`): a part of `showme evaluate notes`.

Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019) of what a lane isolates against its stem, and of the mixture
without it against the other stems, each as a gain over the mixture itself. The stems' own ratio mask is the ceiling.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.signal import resample_poly

from models.recognition.lane_isolation import ISOLATED_SAMPLE_RATE, LaneMasks, isolated, masked, power
from models.recognition.lane_notes import SoundingLane
from models.recognition.notes import HeardNote
from training.evaluation.bootstrap import Estimate
from training.evaluation.metrics import Floats
from training.evaluation.report import ReportRow, Table

OWN, IDEAL = "what a lane isolates", "by the stems' own ratio mask"
LEAST = 1e-9


class IsolatedLane(NamedTuple):
    """The gains in decibels of a lane with a stem, and of the mixture without it: as served, and by the ideal mask."""

    number: int  # of the mixture's parts
    lane_db: float
    rest_db: float
    ideal_lane_db: float
    ideal_rest_db: float


def isolated_lane(
    stems: Floats, stem: int, lane: int, lanes: Sequence[SoundingLane], notes: Sequence[HeardNote], rate: int
) -> IsolatedLane:
    """Isolate a lane of the mixture of `stems [parts, samples]`, and compare it with its stem; times count from 0."""
    high = np.stack([resample_poly(one, ISOLATED_SAMPLE_RATE, rate).astype(np.float32) for one in stems])
    mixture, own = high.sum(axis=0), high[stem]
    others = mixture - own
    found = isolated(mixture, LaneMasks(notes, lanes, len(mixture)), lane)
    ideal = by_ratio_mask(own, others)
    before, before_rest = si_sdr_db(mixture, own), si_sdr_db(mixture, others)
    return IsolatedLane(
        len(stems),
        si_sdr_db(found, own) - before,
        si_sdr_db(mixture - found, others) - before_rest,
        si_sdr_db(ideal, own) - before,
        si_sdr_db(mixture - ideal, others) - before_rest,
    )


def by_ratio_mask(own: Floats, others: Floats) -> Floats:
    """The sum of two signals `[n]`, masked by the share of the first one's power in each cell."""
    one = power(own)
    share = one / np.maximum(one + power(others), LEAST)
    return masked(own + others, lambda first, last: share[first:last])


def si_sdr_db(estimate: Floats, target: Floats) -> float:
    """The scale-invariant signal-to-distortion ratio of an estimate `[n]` of a target `[n]`, in decibels."""
    aim, found = target.astype(np.float64), estimate.astype(np.float64)
    scaled = aim * (found @ aim) / max(float(aim @ aim), LEAST)
    error = found - scaled
    return float(10 * np.log10(max(float(scaled @ scaled), LEAST) / max(float(error @ error), LEAST)))


def isolation_table(lanes: Sequence[IsolatedLane], number: int, num_mixtures: int, split: str) -> Table:
    """The table of mixtures of `number` parts: medians over the lanes that have a stem."""
    gains = np.array([one[1:] for one in lanes if one.number == number]).reshape(-1, 4)
    median = np.median(gains, axis=0) if len(gains) else np.full(4, np.nan)
    rows = [
        ReportRow(name, {"lane_db": Estimate(float(lane)), "rest_db": Estimate(float(rest))})
        for name, (lane, rest) in zip((OWN, IDEAL), median.reshape(2, 2), strict=True)
    ]
    notes = (
        f"{num_mixtures} mixtures, {len(gains)} lanes with a stem; gain in SI-SDR over the mixture, median",
    )
    return Table("notes", split, f"isolation-{number}", f"isolated lanes, {number} parts", notes, tuple(rows))
