"""Protocol `real`: what a user meets. Real solos, duets and trios, drums, voices and sampled notes, as the service answers.

Kim et al. 2022, section 6 ask for real music. Fifteen seconds of each are asked of the default library and of a real one, made
of sampled instruments. Families are those of the libraries' instruments.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from training.evaluation.bootstrap import Estimate, estimate_ratios
from training.evaluation.enrolled_library import EnrolledLibrary
from training.evaluation.family_scores import FamilyAnswer, FamilyAnswers, random_families, served_families
from training.evaluation.real_context import TEST, EncodedQuery, RealContext
from training.evaluation.real_queries import GAIN_DB, SECONDS, RealQuery
from training.evaluation.recognised import recognised
from training.evaluation.report import ReportRow, Table
from training.evaluation.served import HITS, lane_hits, lane_matches

NAME = "real"
SHARE = 10  # one duet and one trio per ten mixtures of the other protocols
SOLO_GOALS = "goals for real solos: first hit's family .75, family among five .92, main lane's family .80"
MIXTURE_GOALS = "goals for real duets and trios: families found .75, lanes of a playing family .65"
MAIN_LANE = (
    "main lane: lane 0, whose presence has the largest sum over time, with the family that the service tells"
)
CHANCE = "chance: a random ranking, and lanes of random hits, as few as one and as many as there are slots"

Queries = Sequence[EncodedQuery]
FigureMaker = Callable[[FamilyAnswers, int], dict[str, Estimate]]  # answers, seed


def tables(context: RealContext) -> Iterator[Table]:
    """Yield solos and mixtures of them; on the test side also drums, voices and notes in phrases, and their retrieval.

    What is heard without a library comes last.
    """
    queries = context.queries.solos()
    solos, mixtures = {"solos": context.encode(queries)}, encoded_mixtures(context, queries)
    libraries = [library.describe() for library in context.libraries]
    title = "family of one real instrument"
    yield alone(context, "solos", title, solos, [SOLO_GOALS, *libraries])
    yield from mixed(context, mixtures)
    every: dict[str, Queries] = {**solos, **mixtures}
    if context.split == TEST:
        phrases = {
            "sampled notes": context.encode(context.queries.phrases(context.sampled)),
            "recorded notes": context.encode(context.queries.phrases(context.recorded)),
        }
        sounds = {
            "drum kits": context.encode(context.queries.beats()),
            "drum loops": context.encode(context.queries.drum_loops()),
            "voices": context.encode(context.queries.voices()),
        }
        title = "family of one drum kit, loop, voice or sampled instrument"
        yield alone(context, "sounds", title, sounds | phrases, [])
        yield instruments(context, phrases)
        every |= sounds | phrases
    if context.pair.family:
        every = {name: found for name, found in every.items() if any(one.families for one in found)}
        yield recognised(NAME, context.split, every, context.pair.family, context.seed)


def alone(
    context: RealContext, kind: str, title: str, sounds: Mapping[str, Queries], notes: Sequence[str]
) -> Table:
    """Return a table of queries in which one instrument plays, by sound and library."""
    rows: list[ReportRow] = []
    told = [*notes, MAIN_LANE, CHANCE]
    for name, every in sounds.items():
        queries = [one for one in every if one.families]
        units = len({one.unit for one in queries})
        told.append(f"{name}: {len(queries)} queries of {SECONDS:g} s, of {units} instruments")
        for library in context.libraries:
            families = {one.families[0] for one in queries}
            if lacking := families.difference(library.families):
                told.append(f"{name}: {library.name} has no {', '.join(sorted(lacking))}")
            if families == lacking:
                continue
            served = _served(context, queries, library)
            answers = {"served": served, "single encoder": _nearest(context, queries, library)}
            where = f"{name} · {library.name}"
            rows += _rows(context, where, answers, library, FamilyAnswers.of_one_instrument)
            told.append(f"{where}, main lane's most frequent mistakes: {served.mistakes()}")
    return Table(NAME, context.split, kind, title, tuple(told), tuple(rows))


def encoded_mixtures(context: RealContext, solos: Sequence[RealQuery]) -> dict[str, Queries]:
    """Mix solos to duets and trios and encode them; what there are not enough families for is left out."""
    count = max(2, context.num_mixtures // SHARE)
    encoded = {
        name: context.encode(context.queries.mixtures(solos, number, count))
        for name, number in (("duets", 2), ("trios", 3))
    }
    return {name: queries for name, queries in encoded.items() if queries}


def mixed(context: RealContext, encoded: Mapping[str, Queries]) -> Iterator[Table]:
    """Yield two tables of duets and trios of solos: families found and precision of the lanes, in all and by family."""
    rows: list[ReportRow] = []
    rows_by_family: list[ReportRow] = []
    for library in context.libraries if encoded else ():
        answers = {name: _served(context, queries, library) for name, queries in encoded.items()}
        together = FamilyAnswers.joined(list(answers.values()))
        for name, served in {**answers, "duets and trios": together}.items():
            where = f"{name} · {library.name}"
            rows += _rows(context, where, {"served": served}, library, FamilyAnswers.of_mixtures)
        rows_by_family += _family_rows(context, together, library)
    counts = ", ".join(f"{len(queries)} {name}" for name, queries in encoded.items()) or "no mixtures"
    notes = (
        MIXTURE_GOALS,
        f"{counts}: solos of different families, drawn evenly, at equal active loudness ±{GAIN_DB:g} dB, {SECONDS:g} s",
        "each family once: a second lane of a family that plays once counts as wrong",
        CHANCE,
    )
    title = "families of real duets and trios"
    yield Table(NAME, context.split, "mixtures", title, notes, tuple(rows))
    title = "families of real duets and trios, one by one"
    yield Table(NAME, context.split, "families", title, (counts,), tuple(rows_by_family))


def _family_rows(context: RealContext, served: FamilyAnswers, library: EnrolledLibrary) -> list[ReportRow]:
    """A row for each family that plays, with chance in columns of its own."""
    chance = random_families(served, library.shown_families, context.pair.num_slots, context.seed)
    rows = []
    for family in sorted({family for one in served.answers for family in one.playing}):
        blind = chance.of_family(family, context.seed)
        figures = served.of_family(family, context.seed)
        figures |= {f"{name}_chance": Estimate(figure.value) for name, figure in blind.items()}
        rows.append(ReportRow(f"{family} · {library.name}", figures))
    return rows


def instruments(context: RealContext, phrases: Mapping[str, Queries]) -> Table:
    """Return a table of retrieval in the real library: the instrument itself, enrolled from other phrases."""
    library, rows = context.real_library, []
    notes = [library.describe(), "R@k: of the library's ranking; found: by the lanes' hits"]
    for name, every in phrases.items():
        queries = [one for one in every if one.unit in library.place_of]
        units = len({one.unit for one in queries})
        notes.append(f"{name}: {len(queries)} queries of {SECONDS:g} s, of {units} instruments")
        if queries:
            rows.append(ReportRow(f"{name} · chance", _chance_of(library, context.pair.num_slots), True))
            rows += [
                ReportRow(f"{name} · {method}", figures)
                for method, figures in _recalls(context, queries, library).items()
            ]
    title = "instruments of the real library, by other phrases of theirs"
    return Table(NAME, context.split, "instruments", title, tuple(notes), tuple(rows))


def _recalls(
    context: RealContext, queries: Queries, library: EnrolledLibrary
) -> dict[str, dict[str, Estimate]]:
    """How often the queries' own instruments are found: by the service's ranking and lanes, and by the single encoder."""
    places = np.array([library.place_of[one.unit] for one in queries])
    found = [context.answer(one, library) for one in queries]
    lanes = [lane_hits(one, places[row : row + 1]).figures for row, one in enumerate(found)]
    ones = np.ones(len(queries), np.int64)
    first, five, _, _ = np.array(lanes).T
    by_lanes = {"lane_1": (first, ones), "lane_5": (five, ones)}
    rankings = {
        "served": [one.ranking() for one in found],
        "single encoder": [context.nearest(one, library) for one in queries],
    }
    out = {}
    for method, ranking in rankings.items():
        hits = np.stack([one[:HITS] for one in ranking]) == places[:, None]  # [query, hit]
        columns = {
            "instrument_1": (hits[:, 0].astype(np.int64), ones),
            "instrument_5": (hits.any(axis=1).astype(np.int64), ones),
        }
        columns |= by_lanes if method == "served" else {}
        out[method] = estimate_ratios(columns, _numbered(queries), context.seed)
    return out


def _served(context: RealContext, queries: Queries, library: EnrolledLibrary) -> FamilyAnswers:
    """The families of the service's answers."""
    space, answers = library.space(context.pair.family), []
    for one in queries:
        found = context.answer(one, library)
        matches = lane_matches(context.pair, found, one.slots, space, library)
        answers.append(served_families(found, matches, library.families, one.families, space))
    return FamilyAnswers(tuple(answers), _numbered(queries))


def _nearest(context: RealContext, queries: Queries, library: EnrolledLibrary) -> FamilyAnswers:
    """The families of the instruments that are nearest by the single encoder; there are no lanes."""
    answers = []
    for one in queries:
        hits = context.nearest(one, library)[:HITS]
        answers.append(FamilyAnswer(one.families, tuple(library.families[place] for place in hits)))
    return FamilyAnswers(tuple(answers), _numbered(queries))


def _rows(
    context: RealContext,
    where: str,
    answers: Mapping[str, FamilyAnswers],
    library: EnrolledLibrary,
    figures: FigureMaker,
) -> list[ReportRow]:
    """The rows of some methods, `served` among them, with the row of chance first."""
    chance = random_families(answers["served"], library.shown_families, context.pair.num_slots, context.seed)
    return [
        ReportRow(f"{where} · chance", figures(chance, context.seed), True),
        *(ReportRow(f"{where} · {name}", figures(found, context.seed)) for name, found in answers.items()),
    ]


def _chance_of(library: EnrolledLibrary, most_lanes: int) -> dict[str, Estimate]:
    """The expected recalls of a random ranking, and of one to `most_lanes` lanes of random hits."""
    number = np.arange(1, most_lanes + 1)
    share = {"1": 1 / len(library.shown_families), "5": min(1.0, HITS / len(library.shown_families))}
    return {f"instrument_{depth}": Estimate(value) for depth, value in share.items()} | {
        f"lane_{depth}": Estimate(float((1 - (1 - value) ** number).mean())) for depth, value in share.items()
    }


def _numbered(queries: Queries) -> NDArray[np.int64]:
    """Number the units of `queries` from 0, in the order of their names."""
    return np.unique([one.unit for one in queries], return_inverse=True)[1].astype(np.int64)
