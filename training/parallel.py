"""Data-parallel training: one process a device, started by torchrun and joined by torch's own DistributedDataParallel.

Every rank draws its share of each batch with generators of its own. Rank 0 leads: it alone writes, and decides when to stop.
Without torchrun there is one rank, and nothing here costs anything.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
from torch import distributed, nn

from models.device import choose_device
from models.errors import TrainingError

PATIENCE = timedelta(hours=6)  # the others wait while the leader fills the caches
SEEDS_APART = 65_536


@contextmanager
def joined(device_name: str) -> Iterator[torch.device]:
    """The device of this process; where torchrun started it, its group is joined while the block lasts.

    Raises InvalidRequest for a device that is not there, TrainingError for more processes than GPUs.
    """
    device = choose_device(device_name)
    if not distributed.is_torchelastic_launched():
        yield device
        return
    backend = "gloo"
    if device.type == "cuda":
        device = _own_gpu(int(os.environ["LOCAL_RANK"]), torch.cuda.device_count())
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"  # what the leader tells the others does not wait for the GPU
    distributed.init_process_group(backend, timeout=PATIENCE)
    yield device
    distributed.destroy_process_group()  # not after an error: it would wait for the others, whom torchrun ends


def _own_gpu(local_rank: int, gpus: int) -> torch.device:
    if local_rank >= gpus:
        raise TrainingError(f"process {local_rank + 1} of this machine has {gpus} GPUs", limit=gpus)
    return torch.device("cuda", local_rank)


def num_ranks() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def leads() -> bool:
    """Whether this process is the one that writes."""
    return rank() == 0


def seed_of(seed: int, rank: int) -> int:
    """The seed of a rank's generators; the leader's is the recipe's own."""
    return seed + SEEDS_APART * rank


def share(batch_size: int) -> int:
    """The part of a batch that each rank draws. Raises TrainingError when it does not divide."""
    if batch_size % num_ranks():
        message = f"batch_size {batch_size} does not divide by {num_ranks()} processes"
        raise TrainingError(message, value=batch_size, limit=num_ranks())
    return batch_size // num_ranks()


def distribute(objective: nn.Module) -> nn.Module:
    """The same module, its gradients averaged over all ranks; on GPUs batch statistics are those of the whole batch."""
    if num_ranks() == 1:
        return objective
    if next(objective.parameters()).is_cuda:
        objective = nn.SyncBatchNorm.convert_sync_batchnorm(objective)
    # Running statistics play no part in training, and the leader's are the ones that are saved.
    return nn.parallel.DistributedDataParallel(objective, forward_sync_buffers=False)


def agreed(*flags: bool) -> tuple[bool, ...]:
    """The leader's flags, in every rank, so that all stop and save at the same step."""
    if num_ranks() == 1:
        return flags
    told = torch.tensor(flags)
    distributed.broadcast(told, src=0)
    return tuple(told.tolist())


@contextmanager
def leader_first() -> Iterator[None]:
    """The others enter when the leader is through: what it has written they find."""
    if not leads():
        agreed(True)
    yield
    if leads():
        agreed(True)


def gathered(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Every rank's state, by rank."""
    states = [state] * num_ranks()
    if num_ranks() > 1:
        distributed.all_gather_object(states, state)
    return states
