"""Data-parallel training: torchrun starts one process per device, DistributedDataParallel averages their gradients.

Every rank draws its part of each batch with its own generator. Rank 0 is the main process: it alone writes files and decides
when to stop. Without torchrun there is one rank, and these functions cost nothing.
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

TIMEOUT = timedelta(hours=6)  # the other ranks wait this long while the main process fills the caches
SEED_STRIDE = 65_536  # between the seeds of two ranks


@contextmanager
def process_group(device_name: str) -> Iterator[torch.device]:
    """Yield this process's device; under torchrun, join the process group for the duration of the block.

    Raises InvalidRequest for a missing device, TrainingError for more processes than GPUs.
    """
    device = choose_device(device_name)
    if not distributed.is_torchelastic_launched():
        yield device
        return
    backend = "gloo"
    if device.type == "cuda":
        device = _local_gpu(int(os.environ["LOCAL_RANK"]), torch.cuda.device_count())
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"  # flags travel over gloo and do not wait for the GPU
    distributed.init_process_group(backend, timeout=TIMEOUT)
    yield device
    distributed.barrier()  # a rank that leaves while another still sends may abort it
    distributed.destroy_process_group()  # not after an error: it would wait for ranks that torchrun is ending


def _local_gpu(local_rank: int, gpus: int) -> torch.device:
    if local_rank >= gpus:
        raise TrainingError(f"process {local_rank + 1} of this machine has {gpus} GPUs", limit=gpus)
    return torch.device("cuda", local_rank)


def num_ranks() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_main_process() -> bool:
    """Return whether this process writes files and prints."""
    return rank() == 0


def rank_seed(seed: int, rank: int) -> int:
    """Return the seed of a rank's generators; rank 0 uses the recipe's own."""
    return seed + SEED_STRIDE * rank


def per_rank_batch(batch_size: int) -> int:
    """Return how many items each rank draws. Raises TrainingError if the batch does not divide evenly."""
    if batch_size % num_ranks():
        message = f"batch_size {batch_size} does not divide by {num_ranks()} processes"
        raise TrainingError(message, value=batch_size, limit=num_ranks())
    return batch_size // num_ranks()


def data_parallel(module: nn.Module) -> nn.Module:
    """Wrap a module so that gradients are averaged over all ranks; on GPUs, batch statistics cover the whole batch."""
    if num_ranks() == 1:
        return module
    if next(module.parameters()).is_cuda:
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    # Training does not read the running statistics, and only the main process saves its own.
    return nn.parallel.DistributedDataParallel(module, forward_sync_buffers=False)


def broadcast(*flags: bool) -> tuple[bool, ...]:
    """Return the main process's flags on every rank, so that all ranks stop and save at the same step."""
    if num_ranks() == 1:
        return flags
    shared = torch.tensor(flags)
    distributed.broadcast(shared, src=0)
    return tuple(shared.tolist())


@contextmanager
def main_process_first() -> Iterator[None]:
    """Run the block on rank 0 first, so that the other ranks find the caches that it writes."""
    if not is_main_process():
        broadcast(True)
    yield
    if is_main_process():
        broadcast(True)


def gather_states(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every rank's state, in the order of ranks."""
    states = [state] * num_ranks()
    if num_ranks() > 1:
        distributed.all_gather_object(states, state)
    return states
