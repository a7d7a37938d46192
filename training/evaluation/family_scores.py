"""Score the families that an answer of the service tells: those of its hits, and those of its lanes.

Kim et al. 2022, section 5.2 score families of retrieved sets; users read them in the first hits and, lane by lane, in the
answer. A hit or lane without a family is wrong. The main lane of an answer is its lane 0, whose presence has the largest sum
over time.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.lane_families import FAMILY_HITS, families_of_lanes, family_votes, most_probable
from index.retrieval import Retrieval
from index.search_space import SearchSpace
from models.match import Match
from training.evaluation.bootstrap import Estimate, estimate_ratios

HITS = 5  # of the library's ranking
MISTAKES = 5  # listed in the notes of a table
CHANCE_DRAWS = 20  # random answers to each query

Family = str | None
Counts = NDArray[np.int64]  # [answers]


@dataclass(frozen=True)
class FamilyAnswer:
    """The families that play; those of the first five of the library's ranking; those of the lanes, the main one first."""

    playing: tuple[str, ...]
    ranked: tuple[Family, ...]
    lanes: tuple[Family, ...] = ()

    @property
    def main_lane(self) -> Family:
        return self.lanes[0] if self.lanes else None

    def is_found(self, family: str) -> bool:
        return family in self.lanes

    def true_lanes(self, family: str | None = None) -> int:
        """The number of lanes whose family plays, or of those of one family."""
        return sum(lane in self.playing and family in (None, lane) for lane in self.lanes)


Count = Callable[[FamilyAnswer], int]  # True counts one


def _count_error(one: FamilyAnswer) -> int:
    return abs(len(one.lanes) - len(one.playing))


def served_families(
    found: Retrieval,
    matches: Sequence[Match],
    families: Sequence[Family],
    playing: tuple[str, ...],
    space: SearchSpace,
) -> FamilyAnswer:
    """The families of an answer from a library of `families [n]`, each lane's as the service tells it by its match."""
    embedding = np.array([track.embedding for track in found.tracks], np.float32)
    lanes = families_of_lanes(embedding, found.similarity, matches, families, space)
    told = tuple(map(most_probable, lanes))
    return FamilyAnswer(playing, tuple(families[place] for place in found.ranking()[:HITS]), told)


@dataclass(frozen=True)
class FamilyAnswers:
    """Answers to several queries; `unit_of_answer [answers]` numbers what is resampled together, from 0."""

    answers: tuple[FamilyAnswer, ...]
    unit_of_answer: Counts

    @classmethod
    def joined(cls, parts: Sequence["FamilyAnswers"]) -> "FamilyAnswers":
        """Join answers to different queries."""
        first = np.cumsum([0, *(part.unit_of_answer.max() + 1 for part in parts)])
        units = [part.unit_of_answer + start for part, start in zip(parts, first[:-1], strict=True)]
        return cls(tuple(one for part in parts for one in part.answers), np.concatenate(units))

    def of_one_instrument(self, seed: int) -> dict[str, Estimate]:
        """Figures of queries in which one instrument plays; without lanes, only those of the ranking."""
        columns = {
            "family_first": self._count(lambda one: one.ranked[:1] == one.playing),
            "family_five": self._count(lambda one: one.playing[0] in one.ranked),
        }
        if any(one.lanes for one in self.answers):
            columns |= {
                "lane_family": self._count(lambda one: one.main_lane == one.playing[0]),
                "lanes": self._count(lambda one: len(one.lanes)),
                "count_error": self._count(_count_error),
            }
        ones = np.ones(len(self.answers), np.int64)
        return estimate_ratios(
            {name: (column, ones) for name, column in columns.items()}, self.unit_of_answer, seed
        )

    def of_mixtures(self, seed: int) -> dict[str, Estimate]:
        """Recall of the playing families by the lanes, precision of the lanes, and the error in their number."""
        playing, lanes = self._count(lambda one: len(one.playing)), self._count(lambda one: len(one.lanes))
        found = self._count(lambda one: sum(map(one.is_found, one.playing)))
        columns = {
            "family_recall": (found, playing),
            "lane_precision": (self._count(FamilyAnswer.true_lanes), lanes),
            "lane_once": (found, lanes),
            "count_error": (self._count(_count_error), np.ones_like(lanes)),
        }
        return estimate_ratios(columns, self.unit_of_answer, seed)

    def of_family(self, family: str, seed: int) -> dict[str, Estimate]:
        """Recall and precision of one family by the lanes of mixtures."""
        plays = self._count(lambda one: family in one.playing)
        found = self._count(lambda one: family in one.playing and one.is_found(family))
        lanes = self._count(lambda one: one.lanes.count(family))
        true = self._count(lambda one: one.true_lanes(family))
        columns = {"family_recall": (found, plays), "lane_precision": (true, lanes)}
        return estimate_ratios(columns, self.unit_of_answer, seed)

    def mistakes(self) -> str:
        """The most frequent mistakes of the main lane's family, as text: `vocal as string 4, …`."""
        wrong = Counter(
            (one.playing[0], one.main_lane or ("no family" if one.lanes else "no lane"))
            for one in self.answers
            if one.main_lane != one.playing[0]
        )
        ordered = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:MISTAKES]
        return ", ".join(f"{true} as {told} {number}" for (true, told), number in ordered) or "none"

    def _count(self, count: Count) -> Counts:
        return np.array([int(count(one)) for one in self.answers], np.int64)


def random_families(
    answers: FamilyAnswers, families: Sequence[Family], most_lanes: int, seed: int
) -> FamilyAnswers:
    """Answers at the chance level: `CHANCE_DRAWS` to each query, of one to `most_lanes` lanes with random hits."""
    rng = np.random.default_rng(seed)
    alike = np.zeros(min(FAMILY_HITS, len(families)), np.float32)
    drawn: list[FamilyAnswer] = []
    for one in answers.answers:
        number = rng.integers(1, most_lanes + 1, CHANCE_DRAWS)
        order = rng.random((CHANCE_DRAWS, 1 + most_lanes, len(families)), np.float32).argsort(axis=2)
        for lanes, (ranked, *hits) in zip(number.tolist(), order.tolist(), strict=True):
            told = (
                most_probable(family_votes(alike, [families[place] for place in places]))
                for places in hits[:lanes]
            )
            first = tuple(families[place] for place in ranked[:HITS])
            drawn.append(FamilyAnswer(one.playing, first, tuple(told)))
    return FamilyAnswers(tuple(drawn), np.repeat(answers.unit_of_answer, CHANCE_DRAWS))
