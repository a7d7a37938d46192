"""Protocol `library`: the paper's mixtures (Kim et al. 2022, section 5.2) against libraries of 53, 1,000 and 10,000.

R@k of every true stem, F1 of the retrieved set, count error, and whether "not in your library" can be told: for the last, a
random half of the held-out instruments counts as removed, and the AUROC says how well the highest cosine of a stem's own slot
to the instruments left tells stems whose instrument is among them from stems whose instrument was removed.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from index.families import FAMILIES
from training.evaluation.bootstrap import Figure, estimate
from training.evaluation.judging import Judged, absence, judge_all, recall, sets
from training.evaluation.libraries import in_words
from training.evaluation.metrics import Bools, Floats, Values
from training.evaluation.mixtures import MAX_INSTRUMENTS, MIN_INSTRUMENTS, Asked, ask, random_mixtures
from training.evaluation.report import Row, Table
from training.evaluation.scoring import Answers, answers, guesses
from training.evaluation.setting import Setting

NAME = "library"
WIDE_GAIN_DB = 12.0
COUNTS = (MIN_INSTRUMENTS, MAX_INSTRUMENTS)


def measured(judged: Judged, removed: Bools, seed: int) -> dict[str, Figure]:
    """All figures of one row, with intervals over mixtures."""

    def measure(weights: Values) -> dict[str, Values]:
        return recall(judged, weights) | sets(judged, weights) | absence(judged, removed, weights)

    return estimate(measure, len(judged.found), seed)


def half_removed(num_held: int, size: int, seed: int) -> Bools:
    """Marks a random half of the held-out instruments, which stand first in a library of `size`."""
    removed = np.zeros(size, dtype=bool)
    removed[np.random.default_rng(seed).permutation(num_held)[: num_held // 2]] = True
    return removed


def tables(setting: Setting) -> Iterator[Table]:
    """Every size, dry, at wide levels and through effects; then recall by number of instruments, and families confused."""
    shelves = {
        size: setting.shelf.of_size(size) for size in setting.library_sizes
    }  # refuses before anything is heard
    wide = random_mixtures(setting.held, setting.num_mixtures, setting.seed, gain_db=WIDE_GAIN_DB)
    heard = random_mixtures(setting.held, setting.num_mixtures, setting.seed, effects=setting.effects)
    conditions = {
        "±6 dB": setting.random,
        "±12 dB": ask(setting.pair, wide),
        f"effects of {setting.effects_recipe.stem}": ask(setting.pair, heard),
    }
    if setting.multitrack is not None:
        conditions["rendered"] = setting.multitrack
    rows, first = [], None
    for size, entries in shelves.items():
        library = setting.shelf.embeddings(entries)
        removed = half_removed(len(setting.held.chosen), size, setting.seed)
        blind = guesses(setting.random.heard, size, COUNTS, setting.seed)
        rows.append(Row(f"{size:,} · chance", _figures(setting, setting.random, blind, removed), True))
        for name, asked in conditions.items():
            parts = answers(asked.heard, library)
            rows.append(Row(f"{size:,} · {name}", _figures(setting, asked, parts, removed)))
        first = library if first is None else first
    notes = tuple(f"{size:,}: {in_words(entries)}" for size, entries in shelves.items())
    title = f"mixtures of 2–9, libraries of {', '.join(f'{size:,}' for size in shelves)}"
    yield Table(NAME, setting.split, "sizes", title, notes, tuple(rows))
    if first is not None and len(first) == len(setting.held.chosen):
        judged = judge_all(
            answers(setting.random.heard, first), setting.random.instrument, _threshold(setting)
        )
        yield by_number(setting, judged)
        yield confusion(setting, judged)


def _threshold(setting: Setting) -> float:
    return setting.pair.presence_threshold


def _figures(setting: Setting, asked: Asked, parts: Iterable[Answers], removed: Bools) -> dict[str, Figure]:
    return measured(judge_all(parts, asked.instrument, _threshold(setting), removed), removed, setting.seed)


def by_number(setting: Setting, judged: Judged) -> Table:
    """Recall in mixtures of two, three, … instruments."""
    size, rows = judged.stems.sum(axis=1), []
    for number in np.unique(size):

        def measure(weights: Values, chosen: Bools = size == number) -> dict[str, Values]:
            return recall(judged, weights * chosen)

        rows.append(Row(f"{number} instruments", estimate(measure, len(size), setting.seed)))
    title = f"recall by number of instruments, library of {len(setting.held.chosen)}"
    return Table(NAME, setting.split, "numbers", title, (), tuple(rows))


def confusion(setting: Setting, judged: Judged) -> Table:
    """Of the stems of each family (rows), the shares whose own slot retrieves an instrument of each family (columns)."""
    family = np.append(setting.held.family, -1)  # the last stands for ABSENT
    true, named = family[judged.instrument], family[judged.own_nearest]
    names = (*FAMILIES, "unknown")
    present = [place for place in (*range(len(FAMILIES)), -1) if (family[:-1] == place).any()]
    rows = []
    for place in present:
        stems = judged.stems & (true == place)
        shares: Floats = np.array([(named[stems] == other).mean() for other in present], np.float32)
        figures = {names[other]: Figure(float(share)) for other, share in zip(present, shares, strict=True)}
        rows.append(Row(names[place], figures))
    title = f"families confused by the own slot, library of {len(setting.held.chosen)}"
    return Table(NAME, setting.split, "confusion", title, (), tuple(rows))
