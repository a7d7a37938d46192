"""Protocol `library`: the paper's mixtures (Kim et al. 2022, section 5.2) against libraries of 53, 1,000 and 10,000.

R@k of every true stem, F1 of the retrieved set, count error, and whether "not in your library" can be told: for the last, a
random half of each mixture's instruments is taken out of the library that it meets, and the AUROC says how well the highest
cosine of a stem's own slot tells stems whose instrument is there from stems whose instrument was taken out. The half is drawn
anew for each mixture: some instruments resemble many others, and must not always stand on one side.
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
from training.evaluation.setting import NUM_ENROLLED, Setting

NAME = "library"
WIDE_GAIN_DB = 12.0
COUNTS = (MIN_INSTRUMENTS, MAX_INSTRUMENTS)


def figures(setting: Setting, asked: Asked, parts: Iterable[Answers]) -> dict[str, Figure]:
    """All figures of one row, with intervals over mixtures."""
    removed = half_removed(asked, setting.seed)
    judged = judge_all(parts, asked.instrument, removed)

    def measure(weights: Values) -> dict[str, Values]:
        return recall(judged, weights) | sets(judged, weights) | absence(judged, removed, weights)

    return estimate(measure, len(judged.found), setting.seed)


def half_removed(asked: Asked, seed: int) -> Bools:
    """Marks stems `[K, stem]`, each with probability one half: their instruments are taken out of the mixture's library."""
    marked: Bools = np.random.default_rng([seed, 1]).random(asked.instrument.shape) < 0.5
    return marked


def conditions(setting: Setting) -> dict[str, Asked]:
    """The same random mixtures dry, at wide levels and through effects; the rendered ones where there are some."""
    wide = random_mixtures(setting.held, setting.num_mixtures, setting.seed, gain_db=WIDE_GAIN_DB)
    heard = random_mixtures(setting.held, setting.num_mixtures, setting.seed, effects=setting.effects)
    asked = {"±6 dB": setting.random, "±12 dB": ask(setting.pair, wide), "effects": ask(setting.pair, heard)}
    return asked | ({"rendered": setting.multitrack} if setting.multitrack is not None else {})


def tables(setting: Setting) -> Iterator[Table]:
    """Every size and condition; then recall by number of instruments, and families confused, in the library of 53."""
    shelves = {size: setting.shelf.of_size(size) for size in setting.library_sizes}  # refused before hearing
    asked_by = conditions(setting)
    rows = []
    for size, entries in shelves.items():
        library = setting.shelf.embeddings(entries)
        blind = guesses(setting.random.heard, size, COUNTS, setting.seed)
        rows.append(Row(f"{size:,} · chance", figures(setting, setting.random, blind), True))
        for name, asked in asked_by.items():
            rows.append(Row(f"{size:,} · {name}", figures(setting, asked, answers(asked.heard, library))))
    notes = [f"{size:,}: {in_words(entries)}" for size, entries in shelves.items()]
    notes.append(f"effects: those of {setting.effects_recipe.stem}")
    title = f"mixtures of 2–9, libraries of {', '.join(f'{size:,}' for size in shelves)}"
    yield Table(NAME, setting.split, "sizes", title, tuple(notes), tuple(rows))
    library = setting.own.enrolled(setting.held.chosen, NUM_ENROLLED)
    found = answers(setting.random.heard, library)
    judged = judge_all(found, setting.random.instrument)
    yield by_number(setting, judged)
    yield confusion(setting, judged)


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
        row = {names[other]: Figure(float(share)) for other, share in zip(present, shares, strict=True)}
        rows.append(Row(names[place], row))
    title = f"families confused by the own slot, library of {len(setting.held.chosen)}"
    return Table(NAME, setting.split, "confusion", title, (), tuple(rows))
