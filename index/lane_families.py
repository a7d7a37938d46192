"""The families of a lane: what is heard in it, put together with what the library's nearest instruments are.

The family model (`models/family.py`) hears a lane without any library. What the library holds is told better by its hits, all
else by the model. So the hits' exponent in the weighted product of both grows with the probability of the match, as chosen on
validation (docs/EXPERIMENTS.md).
"""

from collections.abc import Sequence

import numpy as np

from index.search_space import Floats, SearchSpace
from models.match import Match
from models.posterior import SCALE

FAMILY_HITS = 5  # of a lane that vote for its family; more would favour the library's largest families
LEAST_VOTES_EXPONENT = 0.2  # of the votes, where nothing matches; at a sure match they decide alone
LEAST_VOTE = 0.03  # a family that none of the hits has is possible

Families = dict[str, float]  # probabilities, the highest first


def families_of_lanes(
    embedding: Floats,
    similarity: Floats,
    matches: Sequence[Match],
    families: Sequence[str | None],
    space: SearchSpace,
) -> list[Families]:
    """Return the families of each lane, by the lanes' `embedding [lanes, dim]`, `similarity [lanes, n]` and `matches`.

    `families [n]` are those of the library's instruments; hidden ones have a similarity of −inf. Without a family model the
    hits alone decide: there is no family where none of them has one.
    """
    votes = [family_votes(row, families) for row in similarity]
    if space.model is None or not len(embedding):
        return votes
    heard = space.model.probability(embedding)
    names = space.model.families
    return [
        _together(dict(zip(names, row.tolist(), strict=True)), vote, match.probability)
        for row, vote, match in zip(heard, votes, matches, strict=True)
    ]


def family_votes(similarity: Floats, families: Sequence[str | None]) -> Families:
    """The softmax-weighted shares of the families of the first `FAMILY_HITS` hits; hits without a family do not vote."""
    hits = np.argsort(-similarity, kind="stable")[:FAMILY_HITS]
    votes: Families = {}
    for place in hits[np.isfinite(similarity[hits])]:
        family = families[place]
        if family is not None:
            votes[family] = votes.get(family, 0.0) + float(np.exp(SCALE * similarity[place]))
    return _normalised(votes)


def most_probable(families: Families) -> str | None:
    """The first family, None where there is none."""
    return next(iter(families), None)


def _together(heard: Families, votes: Families, match: float) -> Families:
    """The weighted product of what is heard and what the hits are; `match` is the probability that one of them plays."""
    exponent = LEAST_VOTES_EXPONENT + (1 - LEAST_VOTES_EXPONENT) * match**2
    product = {
        family: probability ** (1 - exponent) * max(votes.get(family, 0.0), LEAST_VOTE) ** exponent
        for family, probability in heard.items()
    }
    return _normalised(product)


def _normalised(weights: Families) -> Families:
    total = sum(weights.values())
    return {
        family: weight / total
        for family, weight in sorted(weights.items(), key=lambda item: -item[1])
        if weight
    }
