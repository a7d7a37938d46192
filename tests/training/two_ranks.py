"""The code of the two processes that `test_parallel.py` starts with torchrun.

`python -m torch.distributed.run --nproc-per-node 2 -m tests.training.two_ranks FOLDER`
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from models.encoders import MultiInstrumentEncoder
from models.errors import TrainingError
from tests.training import tiny_runs
from tests.training.tiny_runs import BANK, CPU, multi_slice, recipe, train_tiny_multi, train_tiny_single
from training import parallel
from training.clip_store import ClipStore
from training.loop import Losses, Trainer
from training.mixing import Mixer, MixtureBatch
from training.targets import Targets
from training.train_multi import MultiObjective

BATCH_SIZE = 8
# Without batch statistics and with equally many pairs in both halves, the mean of the halves is that of the whole batch.
PLAIN = (
    'encoder.backbone = "convnext"',
    "encoder.backbone_options = { depths = [1, 1, 1, 1], widths = [8, 8, 8, 8], drop_path = 0.0 }",
    'encoder.head = "pooled"',
    "encoder.head_options = {}",
    "encoder.front_end.clip_seconds = 1.1",
    f"batch_size = {BATCH_SIZE}",
    "multi.presence = 0.5",
    "multi.prototype = 0.5",
    "multi.cell = 0.0",
    'optimizer.schedule = "constant"',
)
MEL = ("steps = 4", *tiny_runs.MEL)


class Plain:
    """A network, its losses and mixtures of two instruments, to be trained by one process or by two."""

    def __init__(self, out: Path) -> None:
        self.recipe = recipe("multi", *PLAIN)
        torch.manual_seed(self.recipe.seed)
        self.network = MultiInstrumentEncoder(self.recipe.encoder)
        store = ClipStore(BANK, CPU)
        generator = torch.Generator().manual_seed(3)
        embedding = torch.randn(store.num_clips, self.recipe.encoder.embedding_dim, generator=generator)
        self.objective = MultiObjective(self.network, self.recipe.multi)
        self.targets = Targets(embedding, store)
        self.mixer = Mixer(store, 2, 2)
        self.trainer = Trainer(self.recipe, self.network, CPU, out)

    def draw(self, batch_size: int, generator: torch.Generator) -> MixtureBatch:
        return self.mixer.draw(batch_size, generator)

    def weights(self) -> dict[str, Tensor]:
        return self.network.state_dict()


def train_plain(folder: Path) -> None:
    """Train the plain network on both ranks' halves of each batch and save each rank's weights."""
    plain = Plain(folder / "plain")
    objective = parallel.data_parallel(plain.objective)

    def loss(generator: torch.Generator) -> Losses:
        losses: Losses = objective(plain.draw(parallel.per_rank_batch(BATCH_SIZE), generator), plain.targets)
        return losses

    plain.trainer.run(loss)
    torch.save(plain.weights(), folder / f"rank{parallel.rank()}.pt")


def refuse_what_does_not_divide() -> None:
    try:
        parallel.per_rank_batch(3)
    except TrainingError:
        return
    raise AssertionError("three mixtures were shared by two processes")


def main(folder: Path) -> None:
    with parallel.process_group("cpu"):
        assert parallel.num_ranks() == 2
        refuse_what_does_not_divide()
        train_plain(folder)
        single = train_tiny_single(folder / "single")
        train_tiny_multi(single, folder / "whole", *MEL)
        while multi_slice(single, folder / "sliced", *MEL, seconds=0.0) is None:
            pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
