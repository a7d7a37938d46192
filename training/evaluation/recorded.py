"""Protocol `recorded`: retrieve instruments of recorded notes, which no SoundFont rendered, alone and mixed.

Kim et al. 2022 ask for more realistic data in section 6. A clip alone is searched by the single encoder, and by the multi
encoder as a mixture of one.
"""

from collections.abc import Iterator

import numpy as np

from index.search_space import SearchSpace
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.context import NUM_ENROLLED, EvaluationContext
from training.evaluation.distractors import describe_entries
from training.evaluation.metrics import Values
from training.evaluation.mixtures import (
    MAX_INSTRUMENTS,
    MIN_INSTRUMENTS,
    LabelledMixtures,
    encode_mixtures,
    single_clips,
)
from training.evaluation.ranking import StemRanks, rank_all_stems, recall
from training.evaluation.report import ReportRow, Table
from training.evaluation.scoring import EncodedMixtures, chance_answers, search_all

NAME = "recorded"
SPLIT = "test-recorded"


def tables(context: EvaluationContext) -> Iterator[Table]:
    """Yield one table with the two smallest library sizes that the data allow."""
    clips = context.own.of_instruments(
        context.held.chosen, NUM_ENROLLED, context.own.bank.clips_per_instrument
    )  # [instruments, clips, dim]
    place = np.repeat(np.arange(len(clips)), clips.shape[1])[:, None]
    embedding = clips.reshape(-1, 1, clips.shape[2])
    alone = LabelledMixtures(
        EncodedMixtures(embedding, np.ones(embedding.shape[:2], np.float32), context.pair.presence_threshold),
        place,
    )
    conditions = {
        "alone, single encoder": alone,
        "alone, multi encoder": encode_mixtures(
            context.pair, single_clips(context.held, context.num_mixtures, context.seed)
        ),
        "mixed": context.random,
    }
    rows, notes = [], []
    for size in context.library_sizes[:2]:
        entries = context.distractors.of_size(size)
        library = context.space(entries)
        notes.append(f"{size:,}: {describe_entries(entries)}")
        for name, labelled in conditions.items():
            rows += _rows(context, f"{size:,} · {name}", labelled, library)
    title = f"recorded instruments, alone and in random mixtures of 2–{min(MAX_INSTRUMENTS, len(clips))}"
    yield Table(NAME, context.split, NAME, title, tuple(notes), tuple(rows))


def _rows(
    context: EvaluationContext, name: str, labelled: LabelledMixtures, library: SearchSpace
) -> list[ReportRow]:
    random = chance_answers(labelled.encoded, len(library), (MIN_INSTRUMENTS, MAX_INSTRUMENTS), context.seed)
    chance = rank_all_stems(random, labelled.instrument)
    found = rank_all_stems(search_all(labelled.encoded, library), labelled.instrument)
    return [
        ReportRow(f"{name} · chance", _figures(chance, context.seed), True),
        ReportRow(name, _figures(found, context.seed)),
    ]


def _figures(ranks: StemRanks, seed: int) -> dict[str, Estimate]:
    def measure(weights: Values) -> dict[str, Values]:
        return recall(ranks, weights)

    return estimate(measure, len(ranks.found), seed)
