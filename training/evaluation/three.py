"""Protocol `three`: exactly one percussion, one bass and one lead instrument, the family of each given away or not.

The context of Kim et al.'s successors, who report top-1 with the family known: then only the part's instruments compete.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import NUM_ENROLLED, EvaluationContext
from training.evaluation.held_out import HeldOut
from training.evaluation.metrics import Values, ratio
from training.evaluation.mixtures import encode_labelled, part_mixtures
from training.evaluation.ranking import Ints, StemRanks, rank_all_stems
from training.evaluation.report import ReportRow, Table
from training.evaluation.scoring import LibraryAnswers, chance_answers, concatenate, search_all

NAME = "three"
PARTS = {"percussion": ("drum", "mallet"), "bass": ("bass",), "lead": ("synth_lead",)}
MIN_CHOICE = 2  # instruments of a part; among fewer there is nothing to search

Ranks = tuple[
    Ints, Ints, Ints
]  # [K] each: by any slot within the part, by the own slot and by any slot among all


def find_parts(held: HeldOut) -> dict[str, tuple[int, ...]]:
    """The places of each part's instruments."""
    return {
        part: tuple(place for place, item in enumerate(held.instruments) if item.family in families)
        for part, families in PARTS.items()
    }


def rank_parts(
    found: LibraryAnswers, parts: Mapping[str, tuple[int, ...]], ranked: StemRanks
) -> dict[str, Ranks]:
    """Ranks `[K]` of each part's instrument: by any slot among its part alone, by its own slot and by any among all."""
    ranks: dict[str, Ranks] = {}
    for stem, (part, places) in enumerate(parts.items()):
        mine = found.probability[:, list(places)]  # [K, instruments of the part]
        true = np.take_along_axis(found.probability, ranked.instrument[:, stem : stem + 1], axis=1)
        ranks[part] = ((mine >= true).sum(axis=1) - 1, ranked.own_rank[:, stem], ranked.any_rank[:, stem])
    return ranks


def figures(ranks: list[Ranks], seed: int) -> dict[str, Estimate]:
    """Top-1 and top-5 over the mixtures, all given parts together."""
    given, own, any_slot = (np.stack(column, axis=1) for column in zip(*ranks, strict=True))  # [K, part]

    def measure(weights: Values) -> dict[str, Values]:
        def top(rank: Ints, k: int) -> Values:
            return ratio((rank < k).mean(axis=1), np.ones(len(rank)), weights)

        named = {"given_1": (given, 1), "given_5": (given, 5), "open_1": (own, 1), "open_5": (own, 5)}
        return {name: top(*what) for name, what in (named | {"open_any_5": (any_slot, 5)}).items()}

    return estimate(measure, len(given), seed)


def tables(context: EvaluationContext) -> Iterator[Table]:
    """One table, or a sentence why there is none."""
    parts = find_parts(context.everyone)
    lacking = [part for part, places in parts.items() if len(places) < MIN_CHOICE]
    if lacking:
        words = ", ".join(f"{part} ({' or '.join(PARTS[part])}): {len(parts[part])}" for part in lacking)
        note = f"skipped: {context.split} has too few instruments to choose among; {words}, {MIN_CHOICE} are needed"
        yield Table(NAME, context.split, NAME, "percussion, bass and lead", (note,), ())
        return
    labelled = encode_labelled(
        context.pair,
        part_mixtures(context.everyone, list(parts.values()), context.num_mixtures, context.seed),
    )
    library = context.own.enrolled(context.everyone.chosen, NUM_ENROLLED)
    rows: list[ReportRow] = []
    for chance in (True, False):
        given = (
            chance_answers(labelled.encoded, len(library), (3, 3), context.seed)
            if chance
            else search_all(labelled.encoded, library)
        )
        found = concatenate(given)
        ranked = rank_all_stems(iter([found]), labelled.instrument)
        ranks = rank_parts(found, parts, ranked)
        groups = [("all parts", list(ranks.values())), *((part, [rank]) for part, rank in ranks.items())]
        rows += [
            ReportRow(name + " · chance" * chance, figures(own, context.seed), chance) for name, own in groups
        ]
    yield Table(NAME, context.split, NAME, "percussion, bass and lead", _notes(context, parts), tuple(rows))


def _notes(context: EvaluationContext, parts: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    rows = context.everyone.instruments
    families = {part: sorted({str(rows[place].family) for place in places}) for part, places in parts.items()}
    counted = [f"{part}: {len(places)} of {' and '.join(families[part])}" for part, places in parts.items()]
    others = f"not given: all {len(rows)} of the split, near-duplicates among them"
    return (f"{context.num_mixtures:,} mixtures; {', '.join(counted)}; {others}",)
