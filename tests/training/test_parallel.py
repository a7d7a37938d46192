"""Data-parallel training: two processes train the same weights as one, and a kill at any step changes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.encoder_pair import MULTI_FILE, SINGLE_FILE
from models.errors import TrainingError
from tests.training.tiny_runs import train_tiny_multi
from tests.training.two_ranks import BATCH_SIZE, MEL, Plain
from training import parallel
from training.loop import STATE_FILE, Losses
from training.mixing import MixtureBatch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train with two processes; return the folder they wrote to."""
    folder = tmp_path_factory.mktemp("two")
    run = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "tests.training.two_ranks",
    ]
    done = subprocess.run([sys.executable, *run, folder], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("budget 6 steps of 8 = 48 examples") == 1  # the main process alone prints
    return folder


def weights(path: Path) -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(path, weights_only=True)
    return loaded


def test_both_ranks_end_with_the_same_weights(trained: Path) -> None:
    first, second = (weights(trained / f"rank{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_two_halves_move_the_weights_as_the_whole_batch_does(trained: Path, tmp_path: Path) -> None:
    plain = Plain(tmp_path)
    before = {name: value.clone() for name, value in plain.weights().items()}
    generators = [
        torch.Generator().manual_seed(parallel.rank_seed(plain.recipe.seed, rank)) for rank in (0, 1)
    ]

    def loss(_: torch.Generator) -> Losses:
        losses: Losses = plain.objective(
            union([plain.draw(BATCH_SIZE // 2, own) for own in generators]), plain.targets
        )
        return losses

    plain.trainer.run(loss)
    two = weights(trained / "rank0.pt")
    for name, value in plain.weights().items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-4)
    assert max(float((value - before[name]).abs().max()) for name, value in plain.weights().items()) > 1e-2


def union(halves: list[MixtureBatch]) -> MixtureBatch:
    clip, instrument, gain_db, wave = (
        torch.cat([getattr(half, name) for half in halves])
        for name in ("clip", "instrument", "gain_db", "wave")
    )
    return MixtureBatch(clip, instrument, gain_db, wave=wave)


def test_the_ranks_draw_mixtures_of_their_own() -> None:
    drawn = [
        torch.rand(4, generator=torch.Generator().manual_seed(parallel.rank_seed(0, rank))) for rank in (0, 1)
    ]
    assert not torch.equal(*drawn)
    assert parallel.rank_seed(7, 0) == 7


def test_a_run_of_two_processes_is_resumed_as_if_never_stopped(trained: Path) -> None:
    whole, sliced = (trained / run / MULTI_FILE for run in ("whole", "sliced"))
    assert whole.read_bytes() == sliced.read_bytes()


def test_another_number_of_processes_is_refused(trained: Path) -> None:
    assert len(torch.load(trained / "whole" / STATE_FILE, weights_only=True)["ranks"]) == 2
    with pytest.raises(TrainingError, match="needs 2 processes to resume, not 1"):
        train_tiny_multi(trained / "single" / SINGLE_FILE, trained / "whole", *MEL)
