"""Permutation-invariant training: the best injective assignment of targets to slots, and the cosine loss under it.

Kim et al. 2022, section 3.2, equation 1, with the Hungarian algorithm as in Dovrat et al. 2021.
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

UNMATCHED = -1


@torch.no_grad()
def assign(cost: Tensor, mask: Tensor) -> Tensor:
    """Return the cheapest injective assignment of targets to slots.

    Args:
        cost: `[batch, slot, target]`, finite.
        mask: `[batch, target]` bool, True where a target exists.

    Returns:
        `slot_of_target [batch, target]` int64, `UNMATCHED` where the mask is False.

    Raises:
        ValueError: if an example has more targets than slots.
    """
    num_targets = int(mask.sum(dim=1).max()) if mask.numel() else 0
    if num_targets > cost.shape[1]:
        raise ValueError(f"{num_targets} targets do not fit into {cost.shape[1]} slots")
    cost_rows, mask_rows = cost.float().cpu().numpy(), mask.cpu().numpy()
    slot_of_target = torch.full(mask.shape, UNMATCHED, dtype=torch.int64)
    for row, (example, present) in enumerate(zip(cost_rows, mask_rows, strict=True)):
        slots, targets = linear_sum_assignment(example[:, present])
        columns = present.nonzero()[0][targets]
        slot_of_target[row, torch.from_numpy(columns)] = torch.from_numpy(slots)
    return slot_of_target.to(cost.device)


def cosine_cost(embedding: Tensor, target: Tensor) -> Tensor:
    """`1 - cos` of every slot and target: `[batch, slot, dim]`, `[batch, target, dim]` → `[batch, slot, target]`."""
    with torch.autocast(embedding.device.type, enabled=False):
        slot = functional.normalize(embedding.float(), dim=-1)
        return 1 - slot @ functional.normalize(target.float(), dim=-1).transpose(1, 2)


def take_matched(values: Tensor, slot_of_target: Tensor) -> Tensor:
    """Return the `values [batch, slot, …]` of all matched slots, `[pairs, …]`, in the order of `slot_of_target`."""
    batch, target = (slot_of_target != UNMATCHED).nonzero(as_tuple=True)
    return values[batch, slot_of_target[batch, target]]


def pit_cosine_loss(embedding: Tensor, target: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of `1 - cos` over the matched pairs, and the assignment `slot_of_target [batch, target]`.

    Args:
        embedding: slots `[batch, slot, dim]`, any norm.
        target: `[batch, target, dim]`, any norm.
        mask: `[batch, target]` bool, True where a target exists.

    Only matched slots receive gradients.
    """
    cost = cosine_cost(embedding, target)
    slot_of_target = assign(cost, mask)
    batch, column = (slot_of_target != UNMATCHED).nonzero(as_tuple=True)
    matched = cost[batch, slot_of_target[batch, column], column]
    return matched.sum() / max(len(matched), 1), slot_of_target


def presence_target(slot_of_target: Tensor, num_slots: int) -> Tensor:
    """Return 1 for matched slots, 0 for the others: `[batch, target]` → float `[batch, num_slots]`."""
    used = torch.zeros(len(slot_of_target), num_slots, device=slot_of_target.device)
    batch, column = (slot_of_target != UNMATCHED).nonzero(as_tuple=True)
    used[batch, slot_of_target[batch, column]] = 1.0
    return used
