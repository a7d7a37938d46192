"""Protocol `match`: does the service know whether the library holds what plays in a lane?

Half of each passage's instruments are left out of its library, as in protocol `library`. A lane's stem is the one that it
resembles: lanes and clean stems are matched one to one by cosine, as slots are in the training (Kim et al. 2022, section 3.2).
The lanes and their features come from the service's functions (`index/retrieval.py`); `training/match.py` fits to the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import linear_sum_assignment

from index.retrieval import QuerySlots, lane_evidence, retrieve
from index.search_space import SearchSpace
from models.family import FamilyModel
from models.match import FEATURES, WORDS, MatchModel
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import EvaluationContext
from training.evaluation.distractors import LibraryEntry, describe_entries
from training.evaluation.embeddings import ClipEmbeddings, unit
from training.evaluation.held_out import HeldOut
from training.evaluation.metrics import Bools, Floats, Values, auroc, calibration_error, ratio
from training.evaluation.mixtures import Places
from training.evaluation.report import ReportRow, Table
from training.evaluation.served import LENGTHS, SIZES, EncodedPassage, encode_passages, passage_numbers
from training.mixing import ABSENT

NAME = "match"


@dataclass(frozen=True)
class SearchedLibrary:
    """`embedding [n, dim]`, the place among the held-out instruments `instrument [n]` or ABSENT, `num_clips [n]`, families."""

    embedding: Floats
    instrument: Places
    num_clips: Places
    families: tuple[str | None, ...]

    def without(self, removed: Places) -> "SearchedLibrary":
        """Leave out the held-out instruments at the places `removed`."""
        kept = ~np.isin(self.instrument, removed)
        families = tuple(one for one, keep in zip(self.families, kept, strict=True) if keep)
        return SearchedLibrary(self.embedding[kept], self.instrument[kept], self.num_clips[kept], families)


@dataclass(frozen=True)
class KnownPassage:
    """An encoded passage with its truth: places of the instruments, their clean sound and their enrollment `[stems, dim]`."""

    slots: QuerySlots
    playing: Places
    stems: Floats
    enrolled: Floats


@dataclass(frozen=True)
class LabelledLanes:
    """Lanes of several answers. A lane has no stem where an answer has more lanes than its passage has instruments."""

    features: Values  # [lanes, FEATURES]
    passage: Places  # [lanes]
    has_stem: Bools
    owned: Bools  # the library holds the stem's instrument
    right: Bools  # the first hit plays in the passage
    reach: Floats  # highest cosine of an instrument of the library with the clean stem; −1 without a stem
    own_reach: (
        Floats  # cosine of the stem's instrument with the clean stem, whether the library holds it or not
    )


def known_passages(
    view: ClipEmbeddings, held: HeldOut, encoded: Sequence[EncodedPassage]
) -> list[KnownPassage]:
    """Add the single encoder's embeddings of the clean stems and of their instruments, which are of `view`."""
    library = view.enrolled(held.chosen, held.num_enrolled)
    return [
        KnownPassage(
            one.slots,
            one.playing,
            unit(view.of_rows(one.rows.ravel()).reshape(*one.rows.shape, -1).mean(axis=1)),
            library[one.playing],
        )
        for one in encoded
    ]


def label_lanes(
    number: int,
    passage: KnownPassage,
    library: SearchedLibrary,
    threshold: float,
    cohort: Floats,
    model: FamilyModel | None = None,
) -> LabelledLanes:
    """Answer passage `number` from the library as the service does with a family `model`, and label the lanes."""
    space = SearchSpace.of(library.embedding, library.families, model)
    found = retrieve(passage.slots, space, threshold)
    evidence = lane_evidence(found, passage.slots, space, library.num_clips)
    stem = np.full(len(found.tracks), ABSENT)
    lane, matched = linear_sum_assignment(-(evidence.embedding @ passage.stems.T))
    stem[lane] = matched
    held = np.isin(passage.playing, library.instrument)
    first = library.instrument[evidence.similarity.argmax(axis=1)]
    reach = (passage.stems @ library.embedding.T).max(axis=1)
    own_reach = (passage.stems * passage.enrolled).sum(axis=1)
    return LabelledLanes(
        evidence.features(cohort),
        np.full(len(stem), number),
        stem != ABSENT,
        np.append(held, False)[stem],  # ABSENT is the last place
        np.isin(first, passage.playing[held]),
        np.append(reach, np.float32(-1))[stem],
        np.append(own_reach, np.float32(-1))[stem],
    )


def join(parts: Iterable[LabelledLanes]) -> LabelledLanes:
    """Return the lanes of all parts, in order."""
    rows = list(parts)
    names = [item.name for item in fields(LabelledLanes)]
    return LabelledLanes(*(np.concatenate([getattr(row, name) for row in rows]) for name in names))


def figures(lanes: LabelledLanes, score: Values, reach: float, weights: Values) -> dict[str, Values]:
    """Return how well `score [lanes]` tells what the library holds; `weights [resample, passage]`.

    The AUROC for "in library" and "within reach" are of lanes with a stem, the one for the first hit of all lanes.
    """
    stems = lanes.has_stem
    by_stem, by_lane = weights[:, lanes.passage[stems]], weights[:, lanes.passage]
    ranked = score.astype(np.float32)
    return {
        "absence_auroc": auroc(lanes.owned[stems], ranked[stems], by_stem),
        "reach_auroc": auroc(lanes.reach[stems] >= reach, ranked[stems], by_stem),
        "right_auroc": auroc(lanes.right, ranked, by_lane),
    }


def calibration(lanes: LabelledLanes, probability: Values, weights: Values) -> dict[str, Values]:
    """Return the Brier score and the calibration error of `probability [lanes]` that a lane's instrument is in the library."""
    by_lane = weights[:, lanes.passage]
    return {
        "brier": ratio((probability - lanes.owned) ** 2, np.ones(len(probability)), by_lane),
        "calibration_error": calibration_error(lanes.owned, probability, by_lane),
    }


def word_rows(
    name: str, lanes: LabelledLanes, words: Sequence[str], number: int, seed: int
) -> list[ReportRow]:
    """Return a row for each word: its share of the lanes, and how often their instrument is owned and their first hit plays.

    A word that no lane has been given has a share alone.
    """
    rows = []
    for word in WORDS:
        given = np.array([one == word for one in words])

        def measure(weights: Values, given: Bools = given) -> dict[str, Values]:
            by_lane = weights[:, lanes.passage]
            out = {"word_share": ratio(given, np.ones(len(given)), by_lane)}
            if given.any():
                out["word_owned"] = ratio(given & lanes.owned, given, by_lane)
                out["word_right"] = ratio(given & lanes.right, given, by_lane)
            return out

        rows.append(ReportRow(f"{name} · {word}", estimate(measure, number, seed)))
    return rows


def half_left_out(
    context: EvaluationContext,
    passages: Sequence[KnownPassage],
    entries: Sequence[LibraryEntry],
    model: MatchModel,
) -> LabelledLanes:
    """Answer each passage from a library that lacks a random half of its instruments."""
    chosen = len(context.held.chosen)
    place = np.array([i if i < chosen else ABSENT for i in range(len(entries))])
    clips = np.array([entry.number for entry in entries])
    pool = context.distractors
    library = SearchedLibrary(pool.embeddings(entries), place, clips, tuple(pool.families(entries)))
    rng = np.random.default_rng([context.seed, 1])
    return join(
        label_lanes(
            number,
            passage,
            library.without(passage.playing[rng.random(len(passage.playing)) < 0.5]),
            context.pair.presence_threshold,
            model.cohort,
            context.pair.family,
        )
        for number, passage in enumerate(passages)
    )


def match_rows(name: str, lanes: LabelledLanes, model: MatchModel, number: int, seed: int) -> list[ReportRow]:
    """Return the rows of one library: chance, the similarity of the best hit alone, and the match."""
    probability = model.probability(lanes.features)
    similarity = lanes.features[:, FEATURES.index("similarity")]

    def of_similarity(weights: Values) -> dict[str, Values]:
        return figures(lanes, similarity, model.reach, weights)

    def of_match(weights: Values) -> dict[str, Values]:
        return figures(lanes, probability, model.reach, weights) | calibration(lanes, probability, weights)

    chance = {key: Estimate(0.5) for key in ("absence_auroc", "reach_auroc", "right_auroc")}
    return [
        ReportRow(f"{name} · chance", chance | {"brier": Estimate(0.25)}, True),
        ReportRow(f"{name} · best similarity", estimate(of_similarity, number, seed)),
        ReportRow(f"{name} · match", estimate(of_match, number, seed)),
    ]


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Yield the figures of the match beside the similarity alone, then what each word is worth, by library and length."""
    model, title = context.pair.match, "is what plays in the library?"
    if model is None:
        note = "skipped: the encoders have no match model (python -m training.match)"
        yield Table(NAME, context.split, NAME, title, (note,), ())
        return
    numbers = passage_numbers(context.num_mixtures, len(context.held.chosen))
    entries_of_size = {size: context.distractors.of_size(size) for size in context.library_sizes[:SIZES]}
    rows, words = [], []
    for clips in LENGTHS:
        encoded = encode_passages(context.pair, context.held, numbers, context.seed, clips)
        passages = known_passages(context.own, context.held, encoded)
        seconds = clips * context.held.clip_samples / context.pair.sample_rate
        for size, entries in entries_of_size.items():
            lanes = half_left_out(context, passages, entries, model)
            name = f"{size:,} · {seconds:g} s"
            rows += match_rows(name, lanes, model, len(passages), context.seed)
            found = [model.word(one) for one in model.probability(lanes.features).tolist()]
            words += word_rows(name, lanes, found, len(passages), context.seed)
    notes = [f"{size:,}: {describe_entries(entries)}" for size, entries in entries_of_size.items()]
    notes += [
        f"{len(numbers)} passages of each length; a random half of the instruments of each is left out",
        f"within reach: a cosine of {model.reach:.2f} or more with the clean stem",
    ]
    yield Table(NAME, context.split, NAME, title, tuple(notes), tuple(rows))
    stated = ", ".join(f"{word} {model.precision[word]:g}" for word in WORDS[:-1])
    note = f"thresholds are chosen on validation, so that at each this share is in the library: {stated}"
    yield Table(NAME, context.split, "words", "what the words of the match are worth", (note,), tuple(words))
