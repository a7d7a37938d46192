"""Protocol `paper`: Table 2 of Kim et al. 2022 on 53 held-out instruments.

Mixtures are random (2–9 instruments) or rendered. The library enrolls one clip of each instrument, as published, or five. Two
retrieval rules are compared: the published one (`paper`: every slot retrieves its nearest instrument) and that of the service
(`served`).
"""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from index.families import FAMILIES
from index.search_space import SearchSpace
from training.evaluation.bootstrap import estimate
from training.evaluation.context import NUM_ENROLLED, EvaluationContext
from training.evaluation.metrics import Bools, Floats, Values, f1, mean_average_precision, ratio, to_families
from training.evaluation.mixtures import MAX_INSTRUMENTS, MIN_INSTRUMENTS, LabelledMixtures
from training.evaluation.report import ReportRow, Table
from training.evaluation.scoring import chance_answers, concatenate, search_all

NAME = "paper"
NEEDS = "skipped: no rendered mixtures given for this split (--mixtures)"


def table_2(
    true: Bools, found: Bools, score: Floats, family: NDArray[np.int64], weights: Values
) -> dict[str, Values]:
    """Return the columns of Table 2 and the count error, `[resample]` each, from matrices `[mixture, instrument]`.

    If no family is known, the family columns are left out.
    """
    averages = {}
    if (family >= 0).any():
        true_families, found_families = (to_families(sets, family, len(FAMILIES)) for sets in (true, found))
        averages["family_f1"] = f1(true_families, found_families, weights)
    averages["instrument_f1"] = f1(true, found, weights)
    averages["map"] = mean_average_precision(true, score, weights)
    row = {f"{name}_{kind}": value for name, both in averages.items() for kind, value in asdict(both).items()}
    wrong = np.abs(found.sum(axis=1) - true.sum(axis=1))
    return row | {"count_error": ratio(wrong, np.ones(len(true)), weights)}


def rows(
    labelled: LabelledMixtures, library: SearchSpace, family: NDArray[np.int64], seed: int
) -> tuple[ReportRow, ...]:
    """Return the chance row and one row for each retrieval rule."""
    true = labelled.true(len(library))
    counts = (MIN_INSTRUMENTS, MAX_INSTRUMENTS)
    chance = concatenate(chance_answers(labelled.encoded, len(library), counts, seed))
    answers = concatenate(search_all(labelled.encoded, library))
    cases = {
        "chance": (chance.named, chance.highest),
        "paper (every slot)": (answers.published(), answers.highest),
        "served": (answers.named, answers.probability),
    }
    out = []
    for name, (found, score) in cases.items():

        def measure(weights: Values, found: Bools = found, score: Floats = score) -> dict[str, Values]:
            return table_2(true, found, score, family, weights)

        out.append(ReportRow(name, estimate(measure, len(true), seed), name == "chance"))
    return tuple(out)


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Yield tables of random and rendered mixtures, each with libraries of one and of five clips per instrument."""
    kinds = {"random": context.random}
    if context.multitrack is not None:
        kinds["rendered"] = context.multitrack
    for kind, labelled in kinds.items():
        for clips in (1, NUM_ENROLLED):
            library = context.space_of(context.held, clips)
            title = (
                f"{kind} mixtures, library of {len(library)}, {clips} clip{'s' * (clips > 1)} enrolled each"
            )
            note = f"{len(labelled.encoded):,} mixtures of {_sizes(labelled)}; chance: random cosines, 2–9 slots present"
            found = rows(labelled, library, context.held.family, context.seed)
            yield Table(NAME, context.split, f"{kind}-{clips}", title, (note,), found)
    if context.multitrack is None:
        yield Table(NAME, context.split, "rendered", "rendered mixtures", (NEEDS,), ())


def _sizes(labelled: LabelledMixtures) -> str:
    count = (labelled.instrument >= 0).sum(axis=1)
    return f"{count.min()}–{count.max()} instruments, {count.mean():.1f} on average"
