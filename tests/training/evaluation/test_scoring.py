"""Scores, ranks and matches against plain loops: section 3.3, one slot at a time, and every permutation tried."""

from itertools import permutations

import numpy as np
import pytest

from index.retrieval import QuerySlots, retrieve
from index.search_space import SearchSpace
from models.posterior import library_posterior
from training.evaluation.metrics import unit_weights
from training.evaluation.paper import table_2
from training.evaluation.ranking import (
    DEPTHS,
    absence,
    own_slots,
    rank_all_stems,
    rank_stems,
    recall,
    set_scores,
)
from training.evaluation.scoring import (
    EncodedMixtures,
    LibraryAnswers,
    chance_answers,
    concatenate,
    search,
    search_all,
)
from training.mixing import ABSENT

THRESHOLD = 0.4


def random_slots(mixtures: int = 40, slots: int = 5, dim: int = 6) -> EncodedMixtures:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(mixtures, slots, dim)).astype(np.float32)
    return EncodedMixtures(
        vectors / np.linalg.norm(vectors, axis=-1, keepdims=True),
        rng.random((mixtures, slots), np.float32),
        THRESHOLD,
    )


def random_library(size: int = 7, dim: int = 6) -> np.ndarray:
    vectors = np.random.default_rng(4).normal(size=(size, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def random_stems(mixtures: int = 40, most: int = 4, library: int = 7) -> np.ndarray:
    """Return one to `most` different instruments for each mixture."""
    rng = np.random.default_rng(5)
    out = np.full((mixtures, most), ABSENT)
    for row in out:
        count = int(rng.integers(1, most + 1))
        row[:count] = rng.permutation(library)[:count]
    return out


def slow_published(found: LibraryAnswers) -> np.ndarray:
    """Apply section 3.3 one slot at a time."""
    out = np.zeros(found.probability.shape, bool)
    for mixture, slots in enumerate(found.cosine):
        for row in slots:
            out[mixture, next(place for place, value in enumerate(row) if value == max(row))] = True
    return out


def slow_rank(score: np.ndarray, place: int) -> int:
    return sum(value >= score[place] for other, value in enumerate(score) if other != place)


def test_the_published_set_is_section_3_3() -> None:
    found = search(random_slots(), SearchSpace.of(random_library()))
    assert np.array_equal(found.published(), slow_published(found))


def test_an_answer_holds_the_papers_score_and_the_served_ranking() -> None:
    encoded, library = random_slots(), random_library()
    found = search(encoded, SearchSpace.of(library))
    assert found.probability == pytest.approx(library_posterior(found.cosine, encoded.presence), abs=1e-6)
    assert found.highest[4, 2] == max(found.cosine[4, slot, 2] for slot in range(5))
    assert found.cosine[4, 1, 2] == pytest.approx(encoded.embedding[4, 1] @ library[2], abs=1e-6)
    for row in range(len(encoded)):
        slots = QuerySlots(encoded.embedding[row : row + 1], encoded.presence[row : row + 1])
        served = retrieve(slots, lambda embedding: embedding @ library.T, THRESHOLD)
        assert set(np.flatnonzero(found.named[row]).tolist()) == set(served.named.tolist())
        assert found.probability[row] == pytest.approx(served.probability, abs=1e-5)


def test_chunks_are_the_whole() -> None:
    encoded, library, stems = random_slots(70), random_library(), random_stems(70)
    whole = rank_stems(search(encoded, SearchSpace.of(library)), stems)
    parts = rank_all_stems(search_all(encoded, SearchSpace.of(library)), stems)
    for name in ("any_rank", "own_rank", "own_nearest", "found", "right"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_slots_are_matched_as_the_best_of_all_permutations() -> None:
    cosine, stems = search(random_slots(), SearchSpace.of(random_library())).cosine, random_stems()
    for slots, played, matched in zip(cosine, stems, own_slots(cosine, stems), strict=True):
        places = played[played != ABSENT]
        best = max(permutations(range(5), len(places)), key=lambda p: sum(slots[p, places]))
        assert tuple(matched[played != ABSENT]) == best
        assert (matched[played == ABSENT] == ABSENT).all()


def test_stems_beyond_the_slots_are_ranked_last() -> None:
    encoded = random_slots(slots=2)
    ranked = rank_stems(search(encoded, SearchSpace.of(random_library())), np.tile([0, 1, 2], (40, 1)))
    assert ((ranked.own_rank == 7).sum(axis=1) == 1).all()
    assert ((ranked.own_nearest == ABSENT).sum(axis=1) == 1).all()


def test_recall_counts_stems_one_at_a_time() -> None:
    stems, found = random_stems(), search(random_slots(), SearchSpace.of(random_library()))
    matched = own_slots(found.cosine, stems)
    got = recall(rank_stems(found, stems), unit_weights(len(stems)))
    for k in DEPTHS:
        any_slot, own_slot = [], []
        for row, played in enumerate(stems):
            for stem in np.flatnonzero(played != ABSENT):
                any_slot.append(slow_rank(found.probability[row], played[stem]) < k)
                own_slot.append(slow_rank(found.cosine[row, matched[row, stem]], played[stem]) < k)
        assert got[f"recall_any_{k}"] == pytest.approx([np.mean(any_slot)])
        assert got[f"recall_own_{k}"] == pytest.approx([np.mean(own_slot)])


def test_equal_scores_find_nothing() -> None:
    """An encoder that maps everything to one vector finds nothing."""
    encoded = EncodedMixtures(np.ones((10, 3, 1), np.float32), np.ones((10, 3), np.float32), THRESHOLD)
    got = recall(
        rank_stems(search(encoded, SearchSpace.of(np.ones((7, 1), np.float32))), random_stems(10)),
        unit_weights(10),
    )
    assert got["recall_any_1"] == got["recall_own_1"] == got["recall_any_5"] == 0


def test_sets_are_compared_mixture_by_mixture() -> None:
    stems, found = random_stems(), search(random_slots(), SearchSpace.of(random_library()))
    retrieved = found.named
    scores, errors = [], []
    for played, named in zip(stems, retrieved, strict=True):
        true, guessed = set(played[played != ABSENT].tolist()), set(np.flatnonzero(named).tolist())
        scores.append(2 * len(true & guessed) / (len(true) + len(guessed)))
        errors.append(abs(len(true) - len(guessed)))
    got = set_scores(rank_stems(found, stems), unit_weights(len(stems)))
    assert got["set_f1"] == pytest.approx([np.mean(scores)])
    assert got["count_error"] == pytest.approx([np.mean(errors)])


def test_perfect_slots_know_what_is_not_in_the_library() -> None:
    library, stems = np.eye(7, dtype=np.float32), random_stems()
    embedding = np.zeros((40, 4, 7), np.float32)
    row, stem = np.nonzero(stems != ABSENT)
    embedding[row, stem, stems[row, stem]] = 1
    removed = np.random.default_rng(1).random(stems.shape) < 0.5
    ranked = rank_stems(
        search(EncodedMixtures(embedding, np.ones((40, 4), np.float32), THRESHOLD), SearchSpace.of(library)),
        stems,
        removed,
    )
    assert absence(ranked, removed, unit_weights(40))["absence_auroc"] == 1
    assert (ranked.own_rank[ranked.stems] == 0).all()
    assert (ranked.resemblance[ranked.stems & ~removed] == 1).all()
    assert (ranked.resemblance[ranked.stems & removed] == 0).all()


def test_resemblance_is_to_the_instruments_left_for_each_mixture() -> None:
    stems, found = random_stems(), search(random_slots(), SearchSpace.of(random_library()))
    removed = np.random.default_rng(1).random(stems.shape) < 0.5
    ranked, matched = rank_stems(found, stems, removed), own_slots(found.cosine, stems)
    for row, played in enumerate(stems):
        gone = set(played[removed[row] & (played != ABSENT)].tolist())
        for stem in np.flatnonzero(played != ABSENT):
            left = [found.cosine[row, matched[row, stem], place] for place in range(7) if place not in gone]
            assert ranked.resemblance[row, stem] == max(left)


def test_blind_answers_are_as_good_as_chance() -> None:
    mixtures, size = 2_000, 50
    like = EncodedMixtures(
        np.zeros((mixtures, 9, 1), np.float32), np.zeros((mixtures, 9), np.float32), THRESHOLD
    )
    rng = np.random.default_rng(0)
    stems = rng.random((mixtures, size)).argsort(axis=1)[:, :4]
    ranked = rank_all_stems(chance_answers(like, size, (2, 9), seed=1), stems)
    got = recall(ranked, unit_weights(mixtures))
    for k in DEPTHS:
        assert got[f"recall_any_{k}"] == pytest.approx([k / size], abs=0.02)
    blind = concatenate(chance_answers(like, size, (2, 9), seed=1))
    slots = blind.named.sum(axis=1)
    assert (slots.min(), slots.max()) == (2, 9)


def test_a_perfect_answer_scores_one() -> None:
    true = np.random.default_rng(3).random((40, 7)) < 0.4
    row = table_2(true, true, true.astype(np.float32), np.arange(7) % 3, unit_weights(40))
    ones = {name for name in row if name.startswith(("family", "instrument", "map"))}
    assert len(ones) == 6
    assert all(row[name] == pytest.approx([1.0]) for name in ones)
    assert row["count_error"] == 0


def test_unknown_families_leave_their_columns_out() -> None:
    true = np.ones((4, 3), bool)
    row = table_2(true, true, true.astype(np.float32), np.full(3, -1), unit_weights(4))
    assert not [name for name in row if name.startswith("family")]
