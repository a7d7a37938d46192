"""How far down a library each true stem is found, by any slot and by the slot that is its own; then figures over mixtures.

Two rankings, since a mixture of five cannot have five instruments at rank one: *any slot* ranks by the library's
posterior over all slots, *own slot* by the slot that is matched with the stem: slots and stems are matched one to one so that
the cosines to the true instruments are highest in sum, as in permutation-invariant training (Kim et al. 2022, section 3.2).
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
    """Of K mixtures and their stems `[K, stem]`; a stem without a slot of its own is ranked last and resembles nothing."""

    instrument: Ints  # place in the library, ABSENT where there is no stem
    any_rank: Ints  # 0 is the first place; equal scores count against the true instrument
    own_rank: Ints
    own_nearest: Ints  # the instrument that the own slot retrieves, ABSENT where there is no slot
    resemblance: Floats  # of the own slot: its highest cosine to an instrument that was left in the library
    found: Ints  # [K] size of the retrieved set
    right: Ints  # [K] of them that play

    @property
    def stems(self) -> Bools:
        return self.instrument != ABSENT


def own_slots(cosine: Floats, instrument: Ints) -> Ints:
    """The slot matched with each stem: `cosine [K, slots, instruments]`, `instrument [K, stem]` → `[K, stem]`, or ABSENT."""
    out = np.full(instrument.shape, ABSENT)
    for row, played in enumerate(instrument):
        stems = np.flatnonzero(played != ABSENT)
        slot, place = linear_sum_assignment(-cosine[row][:, played[stems]])
        out[row, stems[place]] = slot
    return out


def rank_stems(answers: LibraryAnswers, instrument: Ints, removed: Bools | None = None) -> StemRanks:
    """Compare answers with who plays.

    `removed [K, stem]` marks stems whose instrument counts as not in the library that this mixture is held against; it matters
    for `resemblance` alone.
    """
    is_stem = instrument != ABSENT
    place = np.where(is_stem, instrument, 0)
    slot = own_slots(answers.cosine, instrument)
    own = np.take_along_axis(
        answers.cosine, np.maximum(slot, 0)[:, :, None], axis=1
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
    """The instruments of the removed stems `[K, stem]`: `[K, num_instruments]`."""
    out = np.zeros((len(instrument), num_instruments), dtype=bool)
    row, stem = np.nonzero(removed & (instrument != ABSENT))
    out[row, instrument[row, stem]] = True
    return out


def _rank(score: Floats, place: Ints) -> Ints:
    """How many others score at least as high: `score [K, stem, instruments]`, `place [K, stem]` → `[K, stem]`."""
    own = np.take_along_axis(score, place[:, :, None], axis=2)
    rank: Ints = (score >= own).sum(axis=2) - 1
    return rank


def rank_all_stems(
    parts: Iterable[LibraryAnswers], instrument: Ints, removed: Bools | None = None
) -> StemRanks:
    """`rank_stems` for answers that come in chunks."""
    rows, start = [], 0
    for part in parts:
        here = slice(start, start + len(part.probability))
        rows.append(rank_stems(part, instrument[here], None if removed is None else removed[here]))
        start = here.stop
    return StemRanks(
        *(np.concatenate([getattr(row, item.name) for row in rows]) for item in fields(StemRanks))
    )


def recall(ranked: StemRanks, weights: Values) -> dict[str, Values]:
    """R@k by any slot and by the own slot, over all stems."""
    out = {}
    for name, rank in (("any", ranked.any_rank), ("own", ranked.own_rank)):
        for k in DEPTHS:
            hits = ((rank < k) & ranked.stems).sum(axis=1)
            out[f"recall_{name}_{k}"] = ratio(hits, ranked.stems.sum(axis=1), weights)
    return out


def sets(ranked: StemRanks, weights: Values) -> dict[str, Values]:
    """F1 of each mixture's retrieved set, and the error in the number of instruments, averaged over mixtures."""
    size = ranked.stems.sum(axis=1)
    each = np.ones(len(size))
    return {
        "set_f1": ratio(2 * ranked.right / (ranked.found + size), each, weights),
        "count_error": ratio(np.abs(ranked.found - size), each, weights),
    }


def absence(ranked: StemRanks, removed: Bools, weights: Values) -> dict[str, Values]:
    """AUROC of "not in the library": does the own slot's resemblance tell the `removed [K, stem]` from those left in?"""
    mixture, stem = np.nonzero(ranked.stems)
    is_in = ~removed[mixture, stem]
    return {"absence_auroc": auroc(is_in, ranked.resemblance[mixture, stem], weights[:, mixture])}
