"""Protocol `lanes`: count and check the lanes of the service's answer to 15 s of one, two, three and five instruments.

Users read one lane as one instrument, so a second lane for the same instrument is an error. Passages and answers come from
`training/evaluation/served.py`.
"""

from collections.abc import Iterator

import numpy as np

from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import NUM_ENROLLED, EvaluationContext
from training.evaluation.metrics import Values
from training.evaluation.mixtures import MAX_INSTRUMENTS, Places
from training.evaluation.report import ReportRow, Table
from training.evaluation.served import CLIPS, HITS, LaneHits, answer, encode_passages, lane_figures, lane_hits

NAME = "lanes"
NUMBERS = (1, 2, 3, 5)  # instruments in a passage
SHARE = 10  # one passage per ten mixtures of the other protocols


def random_lanes(playing: Places, num_instruments: int, rng: np.random.Generator) -> LaneHits:
    """Return 1–9 lanes of random instruments, the chance level; no two lanes share their first instrument."""
    most = min(MAX_INSTRUMENTS, num_instruments)
    first = rng.choice(num_instruments, rng.integers(1, most + 1), replace=False)
    rows = [
        np.append(place, rng.choice(np.delete(np.arange(num_instruments), place), HITS - 1))
        for place in first
    ]
    return LaneHits(np.stack(rows), playing)


def figures(lanes: list[LaneHits], seed: int) -> dict[str, Estimate]:
    """Return the figures of one table row, with intervals over passages."""

    def measure(weights: Values) -> dict[str, Values]:
        return lane_figures(lanes, weights)

    return estimate(measure, len(lanes), seed)


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Yield one table with a row for each number of instruments."""
    held = context.held
    library = context.held_space
    count = max(2, context.num_mixtures // SHARE)
    rng = np.random.default_rng(context.seed)
    rows = []
    for number in (number for number in NUMBERS if number <= len(held.chosen)):
        passages = encode_passages(context.pair, held, [number] * count, context.seed)
        chance = [random_lanes(one.playing, len(library), rng) for one in passages]
        found = [
            lane_hits(answer(one.slots, library, context.pair.presence_threshold), one.playing)
            for one in passages
        ]
        name = f"{number} instrument{'s' * (number > 1)}"
        rows += [ReportRow(name, figures(found, context.seed))]
        rows += [ReportRow(f"{name} · chance", figures(chance, context.seed), True)]
    seconds = CLIPS * held.clip_samples / context.pair.sample_rate
    note = f"{count} passages of {seconds:g} s in each row; library of {len(library)}, {NUM_ENROLLED} clips enrolled each"
    title = "lanes of the service's answer, by number of instruments"
    yield Table(
        NAME, context.split, NAME, title, (note, "chance: 1–9 lanes of random instruments"), tuple(rows)
    )
