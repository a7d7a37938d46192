"""Permutation-invariant training: Hungarian equals brute force, every permutation costs the same, gradients."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.pit import UNMATCHED, assign, cosine_cost, pit_cosine_loss, presence_target, take_matched


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_force(embedding: Tensor, target: Tensor, mask: Tensor) -> float:
    """Equation 1 of the paper, by trying every injective assignment; the mean over all pairs of the batch."""
    best, pairs = 0.0, 0
    for slots, targets, present in zip(embedding, target, mask, strict=True):
        wanted = targets[present]
        cosine = torch.nn.functional.cosine_similarity(slots[:, None], wanted[None], dim=-1)  # [slot, target]
        costs = [
            sum(float(1 - cosine[slot, column]) for column, slot in enumerate(choice))
            for choice in permutations(range(len(slots)), len(wanted))
        ]
        best, pairs = best + min(costs), pairs + len(wanted)
    return best / max(pairs, 1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), slots=st.integers(1, 5), data=st.data())
def test_hungarian_equals_brute_force(seed: int, slots: int, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, slots), min_size=1, max_size=3))
    width = max(1, *counts)
    embedding, target = random(len(counts), slots, 6, seed=seed), random(len(counts), width, 6, seed=seed + 1)
    order = random(len(counts), width, seed=seed + 2).argsort(dim=1)
    mask = order < torch.tensor(counts)[:, None]  # holes anywhere, not only at the end
    loss, slot_of_target = pit_cosine_loss(embedding, target, mask)
    assert float(loss) == pytest.approx(brute_force(embedding, target, mask), abs=1e-5)
    assert ((slot_of_target == UNMATCHED) == ~mask).all()
    for row in slot_of_target:
        used = row[row != UNMATCHED].tolist()
        assert len(used) == len(set(used))


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(4)), scale=st.floats(0.1, 10))
def test_every_permutation_of_the_targets_costs_nothing(order: list[int], scale: float) -> None:
    embedding = random(1, 5, 8)
    target = embedding[:, order] * scale
    loss, slot_of_target = pit_cosine_loss(embedding, target, torch.ones(1, 4, dtype=torch.bool))
    assert float(loss) == pytest.approx(0, abs=1e-5)
    assert slot_of_target[0].tolist() == order


def test_gradients_reach_matched_slots_only() -> None:
    embedding = random(1, 4, 8).requires_grad_()
    target = embedding.detach()[:, [2, 0]] + 0.1 * random(1, 2, 8, seed=5)
    loss, _ = pit_cosine_loss(embedding, target, torch.ones(1, 2, dtype=torch.bool))
    loss.backward()
    assert embedding.grad is not None
    moved = embedding.grad[0].abs().sum(dim=1) > 0
    assert moved.tolist() == [True, False, True, False]


def test_masked_targets_have_no_say() -> None:
    embedding, target = random(2, 4, 8), random(2, 3, 8, seed=3)
    mask = torch.tensor([[True, False, True], [False, False, False]])
    loss, _ = pit_cosine_loss(embedding, target, mask)
    target[~mask] = 1e3
    again, slot_of_target = pit_cosine_loss(embedding, target, mask)
    assert float(loss) == float(again)
    assert presence_target(slot_of_target, 4).sum(dim=1).tolist() == [2, 0]


def test_presence_and_matched_values_follow_the_assignment() -> None:
    slot_of_target = torch.tensor([[2, UNMATCHED, 0]])
    assert presence_target(slot_of_target, 4).tolist() == [[1, 0, 1, 0]]
    values = torch.arange(4.0)[None, :, None]
    assert take_matched(values, slot_of_target).flatten().tolist() == [2, 0]


def test_the_cost_is_slots_by_targets() -> None:
    cost = cosine_cost(random(2, 5, 8), random(2, 3, 8))
    assert cost.shape == (2, 5, 3)
    assert ((cost >= -1e-6) & (cost <= 2 + 1e-6)).all()


def test_more_targets_than_slots_are_refused() -> None:
    with pytest.raises(ValueError, match="3 targets do not fit into 2 slots"):
        assign(torch.zeros(1, 2, 3), torch.ones(1, 3, dtype=torch.bool))
