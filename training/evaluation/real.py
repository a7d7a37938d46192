"""Protocol `real`: recorded instruments, which no sound font made, alone and mixed.

Kim et al. 2022 ask for more realistic data in section 6. Alone, a clip is searched by the single encoder, and by the multi
encoder as a mixture of one.
"""

from collections.abc import Iterator

import numpy as np

from training.evaluation.bootstrap import Figure, estimate
from training.evaluation.judging import Judged, judge_all, recall
from training.evaluation.libraries import in_words
from training.evaluation.metrics import Floats, Values
from training.evaluation.mixtures import MAX_INSTRUMENTS, MIN_INSTRUMENTS, Asked, ask, single_clips
from training.evaluation.report import Row, Table
from training.evaluation.scoring import Heard, answers, guesses
from training.evaluation.setting import NUM_ENROLLED, Setting

NAME = "real"
SPLIT = "test-recorded"


def tables(setting: Setting) -> Iterator[Table]:
    """The split's own library, and a thousand where there are as many."""
    clips = setting.own.of_instruments(
        setting.held.chosen, NUM_ENROLLED, setting.own.bank.clips_per_instrument
    )  # [instruments, clips, dim]
    place = np.repeat(np.arange(len(clips)), clips.shape[1])[:, None]
    embedding = clips.reshape(-1, 1, clips.shape[2])
    alone = Asked(Heard(embedding, np.ones(embedding.shape[:2], np.float32)), place)
    conditions = {
        "alone, single encoder": alone,
        "alone, multi encoder": ask(
            setting.pair, single_clips(setting.held, setting.num_mixtures, setting.seed)
        ),
        "mixed": setting.random,
    }
    rows, notes = [], []
    for size in setting.library_sizes[:2]:
        entries = setting.shelf.of_size(size)
        library = setting.shelf.embeddings(entries)
        notes.append(f"{size:,}: {in_words(entries)}")
        for name, asked in conditions.items():
            rows += _rows(setting, f"{size:,} · {name}", asked, library)
    title = f"recorded instruments, alone and in random mixtures of 2–{min(MAX_INSTRUMENTS, len(clips))}"
    yield Table(NAME, setting.split, NAME, title, tuple(notes), tuple(rows))


def _rows(setting: Setting, name: str, asked: Asked, library: Floats) -> list[Row]:
    blind = guesses(asked.heard, len(library), (MIN_INSTRUMENTS, MAX_INSTRUMENTS), setting.seed)
    chance = judge_all(blind, asked.instrument)
    found = judge_all(answers(asked.heard, library), asked.instrument)
    return [
        Row(f"{name} · chance", _figures(chance, setting.seed), True),
        Row(name, _figures(found, setting.seed)),
    ]


def _figures(judged: Judged, seed: int) -> dict[str, Figure]:
    def measure(weights: Values) -> dict[str, Values]:
        return recall(judged, weights)

    return estimate(measure, len(judged.found), seed)
