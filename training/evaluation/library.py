"""Protocol `library`: search the paper's mixtures (Kim et al. 2022, section 5.2) in libraries of 53, 1,000 and 10,000.

Measures R@k of every true stem, F1 of the retrieved set, the count error, and the detection of instruments that are not in the
library. For the last, a random half of each mixture's instruments is removed from its library. The AUROC states how well the
highest similarity of a stem's own slot separates stems whose instrument is in the library from the others. Each mixture draws
its own half: some instruments resemble many others and must not always be on the same side.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from index.families import FAMILIES
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import EvaluationContext
from training.evaluation.distractors import describe_entries
from training.evaluation.metrics import Bools, Floats, Values
from training.evaluation.mixtures import (
    MAX_INSTRUMENTS,
    MIN_INSTRUMENTS,
    LabelledMixtures,
    encode_mixtures,
    random_mixtures,
)
from training.evaluation.ranking import StemRanks, absence, rank_all_stems, recall, set_scores
from training.evaluation.report import ReportRow, Table
from training.evaluation.scoring import LibraryAnswers, chance_answers, search_all

NAME = "library"
WIDE_GAIN_DB = 12.0
COUNTS = (MIN_INSTRUMENTS, MAX_INSTRUMENTS)


def figures(
    context: EvaluationContext, labelled: LabelledMixtures, parts: Iterable[LibraryAnswers]
) -> dict[str, Estimate]:
    """Return the figures of one table row, with intervals over mixtures."""
    removed = half_removed(labelled, context.seed)
    ranks = rank_all_stems(parts, labelled.instrument, removed)

    def measure(weights: Values) -> dict[str, Values]:
        return recall(ranks, weights) | set_scores(ranks, weights) | absence(ranks, removed, weights)

    return estimate(measure, len(ranks.found), context.seed)


def half_removed(labelled: LabelledMixtures, seed: int) -> Bools:
    """Mark stems `[K, stem]` with probability one half; their instruments are removed from the mixture's library."""
    marked: Bools = np.random.default_rng([seed, 1]).random(labelled.instrument.shape) < 0.5
    return marked


def conditions(context: EvaluationContext) -> dict[str, LabelledMixtures]:
    """Return the random mixtures dry, at wide levels and with effects, and the rendered mixtures if given."""
    wide = random_mixtures(context.held, context.num_mixtures, context.seed, gain_db=WIDE_GAIN_DB)
    with_effects = random_mixtures(context.held, context.num_mixtures, context.seed, effects=context.effects)
    mixtures = {
        "±6 dB": context.random,
        "±12 dB": encode_mixtures(context.pair, wide),
        "effects": encode_mixtures(context.pair, with_effects),
    }
    return mixtures | ({"rendered": context.multitrack} if context.multitrack is not None else {})


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Yield all sizes and conditions; then recall by number of instruments and confused families, in the library of 53."""
    entries_by_size = {  # made first: an impossible size is refused before any mixture is encoded
        size: context.distractors.of_size(size) for size in context.library_sizes
    }
    mixtures_by_condition = conditions(context)
    rows = []
    for size, entries in entries_by_size.items():
        library = context.space(entries)
        chance = chance_answers(context.random.encoded, size, COUNTS, context.seed)
        rows.append(ReportRow(f"{size:,} · chance", figures(context, context.random, chance), True))
        for name, labelled in mixtures_by_condition.items():
            rows.append(
                ReportRow(
                    f"{size:,} · {name}", figures(context, labelled, search_all(labelled.encoded, library))
                )
            )
    notes = [f"{size:,}: {describe_entries(entries)}" for size, entries in entries_by_size.items()]
    notes.append(f"effects: from the recipe {context.effects_recipe.stem}")
    title = f"mixtures of 2–9, libraries of {', '.join(f'{size:,}' for size in entries_by_size)}"
    yield Table(NAME, context.split, "sizes", title, tuple(notes), tuple(rows))
    library = context.held_space
    found = search_all(context.random.encoded, library)
    ranks = rank_all_stems(found, context.random.instrument)
    yield by_number(context, ranks)
    yield confusion(context, ranks)


def by_number(context: EvaluationContext, ranks: StemRanks) -> Table:
    """Return a table of recall by the number of instruments in the mixture."""
    size, rows = ranks.stems.sum(axis=1), []
    for number in np.unique(size):

        def measure(weights: Values, chosen: Bools = size == number) -> dict[str, Values]:
            return recall(ranks, weights * chosen)

        rows.append(ReportRow(f"{number} instruments", estimate(measure, len(size), context.seed)))
    title = f"recall by number of instruments, library of {len(context.held.chosen)}"
    return Table(NAME, context.split, "numbers", title, (), tuple(rows))


def confusion(context: EvaluationContext, ranks: StemRanks) -> Table:
    """Return the confusion matrix: the share of stems of a family (row) whose own slot retrieves a family (column)."""
    family = np.append(context.held.family, -1)  # index -1: ABSENT, a stem without a slot
    true, named = family[ranks.instrument], family[ranks.own_nearest]
    names = (*FAMILIES, "unknown")
    present = [place for place in (*range(len(FAMILIES)), -1) if (family[:-1] == place).any()]
    rows = []
    for place in present:
        stems = ranks.stems & (true == place)
        shares: Floats = np.array([(named[stems] == other).mean() for other in present], np.float32)
        row = {names[other]: Estimate(float(share)) for other, share in zip(present, shares, strict=True)}
        rows.append(ReportRow(names[place], row))
    title = f"families retrieved by the own slot, library of {len(context.held.chosen)}"
    return Table(NAME, context.split, "confusion", title, (), tuple(rows))
