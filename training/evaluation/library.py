"""Protocol `library`: the paper's mixtures (Kim et al. 2022, section 5.2) against libraries of 53, 1,000 and 10,000.

R@k of every true stem, F1 of the retrieved set, count error, and whether "not in your library" can be told: for the last, a
random half of each mixture's instruments is taken out of the library that it meets, and the AUROC says how well the highest
cosine of a stem's own slot tells stems whose instrument is there from stems whose instrument was taken out. The half is drawn
anew for each mixture: some instruments resemble many others, and must not always stand on one side.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from index.families import FAMILIES
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import NUM_ENROLLED, EvaluationContext
from training.evaluation.distractors import in_words
from training.evaluation.metrics import Bools, Floats, Values
from training.evaluation.mixtures import (
    MAX_INSTRUMENTS,
    MIN_INSTRUMENTS,
    LabelledMixtures,
    encode_labelled,
    random_mixtures,
)
from training.evaluation.ranking import StemRanks, absence, rank_all_stems, recall, sets
from training.evaluation.report import ReportRow, Table
from training.evaluation.scoring import LibraryAnswers, chance_answers, search_all

NAME = "library"
WIDE_GAIN_DB = 12.0
COUNTS = (MIN_INSTRUMENTS, MAX_INSTRUMENTS)


def figures(
    context: EvaluationContext, labelled: LabelledMixtures, parts: Iterable[LibraryAnswers]
) -> dict[str, Estimate]:
    """All figures of one row, with intervals over mixtures."""
    removed = half_removed(labelled, context.seed)
    ranked = rank_all_stems(parts, labelled.instrument, removed)

    def measure(weights: Values) -> dict[str, Values]:
        return recall(ranked, weights) | sets(ranked, weights) | absence(ranked, removed, weights)

    return estimate(measure, len(ranked.found), context.seed)


def half_removed(labelled: LabelledMixtures, seed: int) -> Bools:
    """Marks stems `[K, stem]`, each with probability one half: their instruments are taken out of the mixture's library."""
    marked: Bools = np.random.default_rng([seed, 1]).random(labelled.instrument.shape) < 0.5
    return marked


def conditions(context: EvaluationContext) -> dict[str, LabelledMixtures]:
    """The same random mixtures dry, at wide levels and through effects; the rendered ones where there are some."""
    wide = random_mixtures(context.held, context.num_mixtures, context.seed, gain_db=WIDE_GAIN_DB)
    encoded = random_mixtures(context.held, context.num_mixtures, context.seed, effects=context.effects)
    labelled = {
        "±6 dB": context.random,
        "±12 dB": encode_labelled(context.pair, wide),
        "effects": encode_labelled(context.pair, encoded),
    }
    return labelled | ({"rendered": context.multitrack} if context.multitrack is not None else {})


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Every size and condition; then recall by number of instruments, and families confused, in the library of 53."""
    libraries = {
        size: context.distractors.of_size(size) for size in context.library_sizes
    }  # refused before hearing
    labelled_by = conditions(context)
    rows = []
    for size, entries in libraries.items():
        library = context.distractors.embeddings(entries)
        blind = chance_answers(context.random.encoded, size, COUNTS, context.seed)
        rows.append(ReportRow(f"{size:,} · chance", figures(context, context.random, blind), True))
        for name, labelled in labelled_by.items():
            rows.append(
                ReportRow(
                    f"{size:,} · {name}", figures(context, labelled, search_all(labelled.encoded, library))
                )
            )
    notes = [f"{size:,}: {in_words(entries)}" for size, entries in libraries.items()]
    notes.append(f"effects: those of {context.effects_recipe.stem}")
    title = f"mixtures of 2–9, libraries of {', '.join(f'{size:,}' for size in libraries)}"
    yield Table(NAME, context.split, "sizes", title, tuple(notes), tuple(rows))
    library = context.own.enrolled(context.held.chosen, NUM_ENROLLED)
    found = search_all(context.random.encoded, library)
    ranked = rank_all_stems(found, context.random.instrument)
    yield by_number(context, ranked)
    yield confusion(context, ranked)


def by_number(context: EvaluationContext, ranked: StemRanks) -> Table:
    """Recall in mixtures of two, three, … instruments."""
    size, rows = ranked.stems.sum(axis=1), []
    for number in np.unique(size):

        def measure(weights: Values, chosen: Bools = size == number) -> dict[str, Values]:
            return recall(ranked, weights * chosen)

        rows.append(ReportRow(f"{number} instruments", estimate(measure, len(size), context.seed)))
    title = f"recall by number of instruments, library of {len(context.held.chosen)}"
    return Table(NAME, context.split, "numbers", title, (), tuple(rows))


def confusion(context: EvaluationContext, ranked: StemRanks) -> Table:
    """Of the stems of each family (rows), the shares whose own slot retrieves an instrument of each family (columns)."""
    family = np.append(context.held.family, -1)  # the last stands for ABSENT
    true, named = family[ranked.instrument], family[ranked.own_nearest]
    names = (*FAMILIES, "unknown")
    present = [place for place in (*range(len(FAMILIES)), -1) if (family[:-1] == place).any()]
    rows = []
    for place in present:
        stems = ranked.stems & (true == place)
        shares: Floats = np.array([(named[stems] == other).mean() for other in present], np.float32)
        row = {names[other]: Estimate(float(share)) for other, share in zip(present, shares, strict=True)}
        rows.append(ReportRow(names[place], row))
    title = f"families confused by the own slot, library of {len(context.held.chosen)}"
    return Table(NAME, context.split, "confusion", title, (), tuple(rows))
