"""Protocol `paper`: Table 2 of Kim et al. 2022 on 53 held-out instruments.

Random mixtures of 2–9 and rendered ones; the library enrolled from one clip an instrument, as published, and from five;
every slot answers, as published (`paper`), those that are present (`present`), and the library's posterior (`posterior`).
"""

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from index.families import FAMILIES
from training.evaluation.bootstrap import estimate
from training.evaluation.metrics import Bools, Floats, Values, f1, mean_average_precision, ratio, to_families
from training.evaluation.mixtures import MAX_INSTRUMENTS, MIN_INSTRUMENTS, Asked
from training.evaluation.report import Row, Table
from training.evaluation.scoring import answers, guesses, joined
from training.evaluation.setting import NUM_ENROLLED, Setting

NAME = "paper"
NEEDS = "rendered mixtures: none are given for this split (--mixtures)"


def table_2(
    true: Bools, found: Bools, score: Floats, family: NDArray[np.int64], weights: Values
) -> dict[str, Values]:
    """The columns of Table 2 and the error in the number of instruments, all `[mixture, instrument]`, `[resample]` each.

    The family columns are left out where no instrument's family is known.
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
    asked: Asked, library: Floats, family: NDArray[np.int64], threshold: float, seed: int
) -> tuple[Row, ...]:
    """Chance, and each way of searching one library."""
    true = asked.true(len(library))
    counts = (MIN_INSTRUMENTS, MAX_INSTRUMENTS)
    blind = joined(guesses(asked.heard, len(library), counts, seed))
    ours = joined(answers(asked.heard, library))
    cases = {
        "chance": (blind.retrieved(0.5), blind.highest),
        "paper (every slot)": (ours.retrieved(0.0), ours.highest),
        "present slots": (ours.retrieved(threshold), ours.highest),
        "posterior": (ours.probable(), ours.posterior),
    }
    out = []
    for name, (found, score) in cases.items():

        def measure(weights: Values, found: Bools = found, score: Floats = score) -> dict[str, Values]:
            return table_2(true, found, score, family, weights)

        out.append(Row(name, estimate(measure, len(true), seed), name == "chance"))
    return tuple(out)


def tables(setting: Setting) -> Iterator[Table]:
    """Random and rendered mixtures, each against libraries of one and of five clips an instrument."""
    kinds = {"random": setting.random}
    if setting.multitrack is not None:
        kinds["rendered"] = setting.multitrack
    for kind, asked in kinds.items():
        for clips in (1, NUM_ENROLLED):
            library = setting.own.enrolled(setting.held.chosen, clips)
            title = f"{kind} mixtures, library of {len(library)} from {clips} clip{'s' * (clips > 1)} each"
            note = (
                f"{len(asked.heard):,} mixtures of {_sizes(asked)}; chance: random cosines, 2–9 slots present"
            )
            found = rows(asked, library, setting.held.family, setting.pair.presence_threshold, setting.seed)
            yield Table(NAME, setting.split, f"{kind}-{clips}", title, (note,), found)
    if setting.multitrack is None:
        yield Table(NAME, setting.split, "rendered", "rendered mixtures", (NEEDS,), ())


def _sizes(asked: Asked) -> str:
    count = (asked.instrument >= 0).sum(axis=1)
    return f"{count.min()}–{count.max()} instruments, {count.mean():.1f} on average"
