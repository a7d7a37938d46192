"""Protocol `three`: mixtures of one percussion, one bass and one lead instrument, with the family known or not.

Follow-up work to Kim et al. reports top-1 with the family known: then only instruments of that part compete.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import EvaluationContext
from training.evaluation.held_out import HeldOut
from training.evaluation.metrics import Values, ratio
from training.evaluation.mixtures import encode_mixtures, part_mixtures
from training.evaluation.ranking import Ints, StemRanks, rank_all_stems
from training.evaluation.report import ReportRow, Table
from training.evaluation.scoring import LibraryAnswers, chance_answers, concatenate, search_all

NAME = "three"
PARTS = {"percussion": ("drum", "mallet"), "bass": ("bass",), "lead": ("synth_lead",)}
MIN_CHOICE = 2  # instruments needed for a part

PartRanks = tuple[Ints, Ints, Ints]  # [K] each: any slot within the part; own slot and any slot among all


def find_parts(held: HeldOut) -> dict[str, tuple[int, ...]]:
    """Return the places of the instruments of each part."""
    return {
        part: tuple(place for place, item in enumerate(held.instruments) if item.family in families)
        for part, families in PARTS.items()
    }


def rank_parts(
    found: LibraryAnswers, parts: Mapping[str, tuple[int, ...]], ranks: StemRanks
) -> dict[str, PartRanks]:
    """Return the ranks of each part's instrument: by any slot within its part, by its own slot and by any among all."""
    part_ranks: dict[str, PartRanks] = {}
    for stem, (part, places) in enumerate(parts.items()):
        candidates = found.probability[:, list(places)]  # [K, instruments of the part]
        true = np.take_along_axis(found.probability, ranks.instrument[:, stem : stem + 1], axis=1)
        part_ranks[part] = (
            (candidates >= true).sum(axis=1) - 1,
            ranks.own_rank[:, stem],
            ranks.any_rank[:, stem],
        )
    return part_ranks


def figures(part_ranks: list[PartRanks], seed: int) -> dict[str, Estimate]:
    """Return top-1 and top-5 over the mixtures, for all given parts together."""
    given, own, any_slot = (np.stack(column, axis=1) for column in zip(*part_ranks, strict=True))  # [K, part]

    def measure(weights: Values) -> dict[str, Values]:
        def top(rank: Ints, k: int) -> Values:
            return ratio((rank < k).mean(axis=1), np.ones(len(rank)), weights)

        named = {"given_1": (given, 1), "given_5": (given, 5), "open_1": (own, 1), "open_5": (own, 5)}
        return {name: top(rank, k) for name, (rank, k) in (named | {"open_any_5": (any_slot, 5)}).items()}

    return estimate(measure, len(given), seed)


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Yield one table; if the split lacks instruments, its note gives the reason and it has no rows."""
    parts = find_parts(context.whole_split)
    missing = [part for part, places in parts.items() if len(places) < MIN_CHOICE]
    if missing:
        words = ", ".join(f"{part} ({' or '.join(PARTS[part])}): {len(parts[part])}" for part in missing)
        note = (
            f"skipped: {context.split} has too few instruments: {words}; {MIN_CHOICE} of each part are needed"
        )
        yield Table(NAME, context.split, NAME, "percussion, bass and lead", (note,), ())
        return
    labelled = encode_mixtures(
        context.pair,
        part_mixtures(context.whole_split, list(parts.values()), context.num_mixtures, context.seed),
    )
    library = context.space_of(context.whole_split)
    rows: list[ReportRow] = []
    for chance in (True, False):
        given = (
            chance_answers(labelled.encoded, len(library), (3, 3), context.seed)
            if chance
            else search_all(labelled.encoded, library)
        )
        found = concatenate(given)
        ranks = rank_all_stems(iter([found]), labelled.instrument)
        part_ranks = rank_parts(found, parts, ranks)
        groups = [
            ("all parts", list(part_ranks.values())),
            *((part, [rank]) for part, rank in part_ranks.items()),
        ]
        rows += [
            ReportRow(name + " · chance" * chance, figures(own, context.seed), chance) for name, own in groups
        ]
    yield Table(NAME, context.split, NAME, "percussion, bass and lead", _notes(context, parts), tuple(rows))


def _notes(context: EvaluationContext, parts: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    rows = context.whole_split.instruments
    families = {part: sorted({str(rows[place].family) for place in places}) for part, places in parts.items()}
    counted = [f"{part}: {len(places)} of {' and '.join(families[part])}" for part, places in parts.items()]
    others = f"family not given: all {len(rows)} of the split compete, including near-duplicates"
    return (f"{context.num_mixtures:,} mixtures; {', '.join(counted)}; {others}",)
