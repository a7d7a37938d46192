"""The families of a lane: votes of its first hits, and together with what the family model hears."""

import numpy as np
import pytest

from index.lane_families import (
    FAMILY_HITS,
    LEAST_VOTE,
    Families,
    families_of_lanes,
    family_votes,
    most_probable,
)
from index.search_space import SearchSpace
from models.family import FamilyModel
from models.match import NO_MATCH, Match

HEARD = ("bass", "guitar", "reed")
DIM = 4


def votes(*hits: tuple[str | None, float]) -> Families:
    return family_votes(np.array([score for _, score in hits], np.float32), [family for family, _ in hits])


def lanes(heard: str, families: list[str | None], similarity: list[float], match: float = 0.5) -> Families:
    """The families of one lane in which the model hears `heard`."""
    model = FamilyModel(HEARD, 4 * np.eye(3, DIM, dtype=np.float32), np.zeros(3, np.float32))
    space = SearchSpace.of(np.zeros((len(families), DIM), np.float32), families, model)
    embedding = np.eye(3, DIM, dtype=np.float32)[[HEARD.index(heard)]]
    hits = np.array([similarity], np.float32)
    [found] = families_of_lanes(embedding, hits, [Match(match, "fair")], families, space)
    return found


def test_the_first_hits_vote_with_the_weight_of_their_similarity() -> None:
    assert votes() == {}
    assert votes((None, 0.6)) == {}
    assert most_probable(votes(("bass", 0.5), ("reed", 0.45), ("mallet", 0.4), ("mallet", 0.4))) == "bass"
    assert most_probable(votes(("bass", 0.45), ("reed", 0.44), ("reed", 0.44))) == "reed"
    assert votes(("bass", 0.4), (None, 0.6), (None, 0.5)) == {
        "bass": 1.0
    }  # hits without a family do not vote
    assert (
        most_probable(votes(*[("bass", 0.9)] * 3, *[("reed", 0.89)] * 50)) == "bass"
    )  # only the first few vote
    assert most_probable(votes(("bass", 0.2), ("reed", -0.9))) == "bass"
    assert votes(*[("bass", -np.inf)] * FAMILY_HITS) == {}  # hidden instruments are no hits


def test_families_are_probabilities_and_the_highest_comes_first() -> None:
    found = lanes("guitar", ["reed", "reed", None], [0.6, 0.5, 0.4])
    assert sum(found.values()) == pytest.approx(1)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert set(found) == set(HEARD)


def test_what_is_heard_outweighs_strangers_and_hits_decide_between_neighbours() -> None:
    assert most_probable(lanes("guitar", ["reed"] * 5, [0.3] * 5)) == "guitar"  # a library without a guitar
    assert most_probable(lanes("guitar", ["guitar", "bass"], [0.5, 0.2])) == "guitar"
    unsure = FamilyModel(HEARD, np.eye(3, DIM, dtype=np.float32) * 0, np.array([0.2, 0.0, 0.0], np.float32))
    families = ["guitar", "guitar"]
    space = SearchSpace.of(np.zeros((2, DIM), np.float32), families, unsure)
    one = np.ones((1, DIM), np.float32)
    assert (
        most_probable(
            families_of_lanes(one, np.array([[0.7, 0.6]], np.float32), [NO_MATCH], families, space)[0]
        )
        == "guitar"
    )


def test_the_hits_decide_the_more_the_better_they_match() -> None:
    """An instrument that the library holds is told by its name, whatever the model hears."""
    told = [lanes("guitar", ["reed"] * 5, [0.6] * 5, match=match)["reed"] for match in (0.0, 0.5, 0.9, 1.0)]
    assert told == sorted(told)
    assert told[0] < 0.2
    assert told[-1] == pytest.approx(1 / (1 + 2 * LEAST_VOTE))


def test_without_a_family_model_the_hits_alone_decide() -> None:
    families = ["reed", "bass"]
    space = SearchSpace.of(np.zeros((2, DIM), np.float32), families)
    similarity = np.array([[0.5, 0.1], [0.0, 0.9]], np.float32)
    found = families_of_lanes(np.zeros((2, DIM), np.float32), similarity, [NO_MATCH] * 2, families, space)
    assert [most_probable(one) for one in found] == families
    assert families_of_lanes(np.zeros((0, DIM), np.float32), similarity[:0], [], families, space) == []
