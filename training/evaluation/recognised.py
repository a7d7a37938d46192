"""The families that the service hears in real music without any library (`index/recognition.py`), as a table of the protocol
`real`.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from index.recognition import PLAYS, families_of_windows, sustained
from models.family import FamilyModel
from training.evaluation.bootstrap import Estimate
from training.evaluation.family_scores import HITS, FamilyAnswer, FamilyAnswers, random_families
from training.evaluation.real_context import EncodedQuery
from training.evaluation.report import ReportRow, Table

NOTES = (
    "first and in five: the most probable families; found: playing families whose probability reaches "
    f"{PLAYS:g}; told right: of those that reach it, those that play",
    "chance: a random order of all families, of which as few as one or as many as all are told",
)


def recognised(
    protocol: str, split: str, sounds: Mapping[str, Sequence[EncodedQuery]], model: FamilyModel, seed: int
) -> Table:
    """Return a table with a row for each kind of sound, and one of chance before it."""
    rows = [row for name, queries in sounds.items() for row in _rows(name, queries, model, seed)]
    return Table(protocol, split, "recognised", "families heard without a library", NOTES, tuple(rows))


def heard_families(query: EncodedQuery, model: FamilyModel) -> FamilyAnswer:
    """All families by their probability, of which those that are told take the place of an answer's lanes."""
    probability = sustained(families_of_windows(query.slots.sounding(), model))
    order = np.argsort(-probability, kind="stable")
    ranked = tuple(model.families[place] for place in order)
    return FamilyAnswer(query.families, ranked[:HITS], ranked[: int((probability >= PLAYS).sum())])


def _rows(name: str, queries: Sequence[EncodedQuery], model: FamilyModel, seed: int) -> Iterator[ReportRow]:
    known = [one for one in queries if one.families]
    units: NDArray[np.int64] = np.unique([one.unit for one in known], return_inverse=True)[1].astype(np.int64)
    answers = FamilyAnswers(tuple(heard_families(one, model) for one in known), units)
    chance = random_families(answers, model.families, len(model.families), seed)
    yield ReportRow(f"{name} · chance", _figures(chance, seed), True)
    yield ReportRow(f"{name} · heard", _figures(answers, seed))


def _figures(answers: FamilyAnswers, seed: int) -> dict[str, Estimate]:
    told = answers.of_mixtures(seed)
    figures = {"family_recall": told["family_recall"], "families_right": told["lane_precision"]}
    if all(len(one.playing) == 1 for one in answers.answers):
        alone = answers.of_one_instrument(seed)
        figures = {key: alone[key] for key in ("family_first", "family_five")} | figures
    return figures | {"count_error": told["count_error"]}
