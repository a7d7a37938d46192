"""Recognition without any library: which families of instruments a recording holds, and when each of them plays.

Every slot of a window is of each family by the family model's probability (`models/family.py`) times its presence. A family
plays in a window unless no slot is of it, and in the recording as surely as it does over the fifteen seconds in which it is
surest: the rule by which `index/retrieval.sustained_posterior` ranks instruments. Over real duets and trios it tells families
better than an attention head that was trained for it (docs/EXPERIMENTS.md).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from index.retrieval import SUSTAINED_WINDOWS, Floats, QuerySlots, encode_samples
from models.encoder_pair import EncoderPair
from models.family import FamilyModel
from models.tracks import Curve, Span, Timeline

PLAYS = 0.32  # least probability of a family that is said to play, chosen on real solos, duets and trios of validation


@dataclass(frozen=True, slots=True)
class HeardFamily:
    """A family, the probability that it plays at all, where it plays in seconds, and its probability over time.

    It is said to play where `plays`: if its probability reaches `PLAYS`, or in an answer if it is the family of a lane.
    """

    family: str
    probability: float
    active: tuple[Span, ...]
    curve: Curve
    plays: bool


def recognise(
    pair: EncoderPair, samples: Floats, range_start_seconds: float = 0.0
) -> tuple[HeardFamily, ...]:
    """Return all families of the family model, the most probable first, for `samples [n]` (mono, at the pair's rate).

    `range_start_seconds` is where the samples begin in their file; times count from the file's beginning. Raises SilentAudio,
    and CheckpointError for encoders without a family model.
    """
    model = pair.fitted_family()
    slots, starts = encode_samples(pair, samples)
    return heard_families(slots, timeline_of(pair, samples, starts, range_start_seconds), model)


def timeline_of(
    pair: EncoderPair, samples: Floats, starts: Sequence[int], range_start_seconds: float
) -> Timeline:
    """The places of windows that begin at the samples `starts`, in seconds of the file."""
    return Timeline(
        range_start_seconds + np.asarray(starts, np.float64) / pair.sample_rate,
        pair.clip_samples / pair.sample_rate,
        range_start_seconds + len(samples) / pair.sample_rate,
    )


def heard_families(slots: QuerySlots, timeline: Timeline, model: FamilyModel) -> tuple[HeardFamily, ...]:
    """Return all families of the model, the most probable first, from slots whose windows `timeline` places."""
    in_window = families_of_windows(slots, model)
    overall = sustained(in_window[slots.embedding.any(axis=(1, 2))])
    return tuple(
        HeardFamily(
            model.families[place],
            float(overall[place]),
            timeline.active_spans(set(np.flatnonzero(in_window[:, place] >= PLAYS).tolist())),
            timeline.curve(in_window[:, place]),
            bool(overall[place] >= PLAYS),
        )
        for place in np.argsort(-overall, kind="stable")
    )


def families_of_answer(
    heard: Sequence[HeardFamily], lanes: Collection[str | None]
) -> tuple[HeardFamily, ...]:
    """The families of an answer, of which those of its lanes play: these tell them better (docs/EXPERIMENTS.md), and once."""
    return tuple(replace(one, plays=one.family in lanes) for one in heard)


def families_of_windows(slots: QuerySlots, model: FamilyModel) -> Floats:
    """The probability that each family plays in each window, `[w, families]`; zero in silence."""
    num_windows, num_slots, dim = slots.embedding.shape
    share = model.probability(slots.embedding.reshape(-1, dim)).reshape(num_windows, num_slots, -1)
    playing: Floats = 1.0 - np.prod(1.0 - slots.presence[:, :, None] * share, axis=1)
    return playing


def sustained(in_window: Floats) -> Floats:
    """The mean over fifteen seconds where it is highest, of each column of `in_window [w, families]`."""
    span = min(SUSTAINED_WINDOWS, len(in_window))
    highest: Floats = sliding_window_view(in_window, span, axis=0).mean(axis=2).max(axis=0)
    return highest
