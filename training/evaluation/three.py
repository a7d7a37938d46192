"""Protocol `three`: exactly one percussion, one bass and one lead instrument, the family of each given away or not.

The setting of Kim et al.'s successors, who report top-1 with the family known: then only the part's instruments compete.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from training.evaluation.bootstrap import Figure, estimate
from training.evaluation.held_out import HeldOut
from training.evaluation.judging import Ints, Judged, judge_all
from training.evaluation.metrics import Values, ratio
from training.evaluation.mixtures import ask, part_mixtures
from training.evaluation.report import Row, Table
from training.evaluation.scoring import Answers, answers, guesses, joined
from training.evaluation.setting import NUM_ENROLLED, Setting

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


def judge_parts(found: Answers, parts: Mapping[str, tuple[int, ...]], judged: Judged) -> dict[str, Ranks]:
    """Ranks `[K]` of each part's instrument: by any slot among its part alone, by its own slot and by any among all."""
    ranks: dict[str, Ranks] = {}
    for stem, (part, places) in enumerate(parts.items()):
        mine = found.posterior[:, list(places)]  # [K, instruments of the part]
        true = np.take_along_axis(found.posterior, judged.instrument[:, stem : stem + 1], axis=1)
        ranks[part] = ((mine >= true).sum(axis=1) - 1, judged.own_rank[:, stem], judged.any_rank[:, stem])
    return ranks


def figures(ranks: list[Ranks], seed: int) -> dict[str, Figure]:
    """Top-1 and top-5 over the mixtures, all given parts together."""
    given, own, any_slot = (np.stack(column, axis=1) for column in zip(*ranks, strict=True))  # [K, part]

    def measure(weights: Values) -> dict[str, Values]:
        def top(rank: Ints, k: int) -> Values:
            return ratio((rank < k).mean(axis=1), np.ones(len(rank)), weights)

        named = {"given_1": (given, 1), "given_5": (given, 5), "open_1": (own, 1), "open_5": (own, 5)}
        return {name: top(*what) for name, what in (named | {"open_any_5": (any_slot, 5)}).items()}

    return estimate(measure, len(given), seed)


def tables(setting: Setting) -> Iterator[Table]:
    """One table, or a sentence why there is none."""
    parts = find_parts(setting.everyone)
    lacking = [part for part, places in parts.items() if len(places) < MIN_CHOICE]
    if lacking:
        words = ", ".join(f"{part} ({' or '.join(PARTS[part])}): {len(parts[part])}" for part in lacking)
        note = f"skipped: {setting.split} has too few instruments to choose among; {words}, {MIN_CHOICE} are needed"
        yield Table(NAME, setting.split, NAME, "percussion, bass and lead", (note,), ())
        return
    asked = ask(
        setting.pair,
        part_mixtures(setting.everyone, list(parts.values()), setting.num_mixtures, setting.seed),
    )
    library = setting.own.enrolled(setting.everyone.chosen, NUM_ENROLLED)
    rows: list[Row] = []
    for chance in (True, False):
        given = (
            guesses(asked.heard, len(library), (3, 3), setting.seed)
            if chance
            else answers(asked.heard, library)
        )
        found = joined(given)
        judged = judge_all(iter([found]), asked.instrument)
        ranks = judge_parts(found, parts, judged)
        groups = [("all parts", list(ranks.values())), *((part, [rank]) for part, rank in ranks.items())]
        rows += [Row(name + " · chance" * chance, figures(own, setting.seed), chance) for name, own in groups]
    yield Table(NAME, setting.split, NAME, "percussion, bass and lead", _notes(setting, parts), tuple(rows))


def _notes(setting: Setting, parts: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    rows = setting.everyone.instruments
    families = {part: sorted({str(rows[place].family) for place in places}) for part, places in parts.items()}
    counted = [f"{part}: {len(places)} of {' and '.join(families[part])}" for part, places in parts.items()]
    others = f"not given: all {len(rows)} of the split, near-duplicates among them"
    return (f"{setting.num_mixtures:,} mixtures; {', '.join(counted)}; {others}",)
