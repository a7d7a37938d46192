"""Ranks of the true stems in a library, by any slot and by their own slot, and figures over mixtures.

There are two rankings because the five instruments of a mixture cannot all have rank one. *Any slot* ranks by the library's
posterior over all slots. *Own slot* ranks by the slot matched with the stem: the matching is one to one and maximises the sum
of similarities to the true instruments, as in permutation-invariant training (Kim et al. 2022, section 3.2).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from training.evaluation.metrics import Bools, Floats, Values, auroc, ratio
from training.evaluation.scoring import LibraryAnswers
from training.mixing import ABSENT

DEPTHS = (1, 5, 10)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class StemRanks:
    """Ranks of the stems `[K, stem]` of K mixtures. A stem without a slot is ranked last, with resemblance -1."""

    instrument: Ints  # place in the library, ABSENT where there is no stem
    any_rank: Ints  # 0 is the top; ties count against the true instrument
    own_rank: Ints
    own_nearest: Ints  # the instrument that the own slot retrieves, ABSENT without a slot
    resemblance: Floats  # highest similarity of the own slot to an instrument that was not removed
    found: Ints  # [K] size of the retrieved set
    right: Ints  # [K] instruments of that set that play

    @property
    def stems(self) -> Bools:
        return self.instrument != ABSENT


def own_slots(similarity: Floats, instrument: Ints) -> Ints:
    """Match a slot with each stem: `similarity [K, slots, instruments]`, `instrument [K, stem]` → `[K, stem]`, or ABSENT."""
    out = np.full(instrument.shape, ABSENT)
    for row, played in enumerate(instrument):
        stems = np.flatnonzero(played != ABSENT)
        slot, place = linear_sum_assignment(-similarity[row][:, played[stems]])
        out[row, stems[place]] = slot
    return out


def rank_stems(answers: LibraryAnswers, instrument: Ints, removed: Bools | None = None) -> StemRanks:
    """Rank the true stems in the answers.

    `removed [K, stem]` marks stems whose instrument counts as removed from the mixture's library; only `resemblance` depends
    on it.
    """
    is_stem = instrument != ABSENT
    place = np.where(is_stem, instrument, 0)
    slot = own_slots(answers.similarity, instrument)
    own = np.take_along_axis(
        answers.similarity, np.maximum(slot, 0)[:, :, None], axis=1
    )  # [K, stem, instruments]
    any_rank = _rank(np.broadcast_to(answers.probability[:, None], own.shape), place)
    lost = slot == ABSENT
    found = answers.named
    left = (
        own if removed is None else np.where(_missing(instrument, removed, own.shape[2])[:, None], -1.0, own)
    )
    return StemRanks(
        instrument,
        any_rank,
        np.where(lost, own.shape[2], _rank(own, place)),
        np.where(lost, ABSENT, own.argmax(axis=2)),
        np.where(lost, -1.0, left.max(axis=2)).astype(np.float32),
        found.sum(axis=1),
        (np.take_along_axis(found, place, axis=1) & is_stem).sum(axis=1),
    )


def _missing(instrument: Ints, removed: Bools, num_instruments: int) -> Bools:
    """Return a mask `[K, num_instruments]` of the instruments of the removed stems `[K, stem]`."""
    out = np.zeros((len(instrument), num_instruments), dtype=bool)
    row, stem = np.nonzero(removed & (instrument != ABSENT))
    out[row, instrument[row, stem]] = True
    return out


def _rank(score: Floats, place: Ints) -> Ints:
    """Count the others that score at least as high: `score [K, stem, instruments]`, `place [K, stem]` → `[K, stem]`."""
    own = np.take_along_axis(score, place[:, :, None], axis=2)
    rank: Ints = (score >= own).sum(axis=2) - 1
    return rank


def rank_all_stems(
    parts: Iterable[LibraryAnswers], instrument: Ints, removed: Bools | None = None
) -> StemRanks:
    """Apply `rank_stems` to answers in chunks; return all ranks together."""
    rows, start = [], 0
    for part in parts:
        here = slice(start, start + len(part.probability))
        rows.append(rank_stems(part, instrument[here], None if removed is None else removed[here]))
        start = here.stop
    return StemRanks(
        *(np.concatenate([getattr(row, item.name) for row in rows]) for item in fields(StemRanks))
    )


def recall(ranks: StemRanks, weights: Values) -> dict[str, Values]:
    """Return R@k over all stems, by any slot and by the own slot."""
    out = {}
    for name, rank in (("any", ranks.any_rank), ("own", ranks.own_rank)):
        for k in DEPTHS:
            hits = ((rank < k) & ranks.stems).sum(axis=1)
            out[f"recall_{name}_{k}"] = ratio(hits, ranks.stems.sum(axis=1), weights)
    return out


def set_scores(ranks: StemRanks, weights: Values) -> dict[str, Values]:
    """Return the F1 of the retrieved set and the error in its size, averaged over mixtures."""
    size = ranks.stems.sum(axis=1)
    each = np.ones(len(size))
    return {
        "set_f1": ratio(2 * ranks.right / (ranks.found + size), each, weights),
        "count_error": ratio(np.abs(ranks.found - size), each, weights),
    }


def absence(ranks: StemRanks, removed: Bools, weights: Values) -> dict[str, Values]:
    """Return the AUROC with which resemblance separates stems in the library from `removed [K, stem]` ones."""
    mixture, stem = np.nonzero(ranks.stems)
    is_in = ~removed[mixture, stem]
    return {"absence_auroc": auroc(is_in, ranks.resemblance[mixture, stem], weights[:, mixture])}
