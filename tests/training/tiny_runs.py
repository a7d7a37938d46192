"""Runs of the recipe `tiny` on the small bank: they train in seconds and suffice to test everything around training."""

import json
from pathlib import Path
from typing import Any

import torch

from tests.training.small_bank import SmallBank
from training import train_multi, train_single
from training.clip_store import ClipSource
from training.config import Recipe, load_recipe
from training.loop import LOG_FILE
from training.run import TrainingRun

CPU = torch.device("cpu")
BANK = SmallBank()
LONG_BANK = SmallBank(clip_samples=8_000)  # clips as long as the front end's
MEL = (
    'mixing.domain = "mel"',
    "encoder.front_end.clip_seconds = 0.25",  # as long as the bank's clips
    "mel_effects.equaliser_probability = 0.5",
    "mel_effects.noise_probability = 0.5",
)


def recipe(kind: str, *overrides: str) -> Recipe:
    return load_recipe(Path("tiny"), [f'kind = "{kind}"', *overrides])


def single_slice(
    out: Path,
    *overrides: str,
    seconds: float | None,
    bank: ClipSource = BANK,
    start: Path | None = None,
) -> Path | None:
    """Train a single encoder for some seconds, at least one step; return its checkpoint if the recipe is done."""
    return train_single.train(TrainingRun(recipe("single", *overrides), bank, out, CPU, seconds, start))


def multi_slice(
    single: Path,
    out: Path,
    *overrides: str,
    seconds: float | None,
    bank: ClipSource = BANK,
    start: Path | None = None,
) -> Path | None:
    """Train a multi encoder for some seconds, at least one step; return its checkpoint if the recipe is done."""
    run = TrainingRun(recipe("multi", *overrides), bank, out, CPU, seconds, start)
    return train_multi.train(run, single)


def train_tiny_single(out: Path, *overrides: str, bank: ClipSource = BANK, start: Path | None = None) -> Path:
    path = single_slice(out, *overrides, seconds=None, bank=bank, start=start)
    assert path is not None
    return path


def train_tiny_multi(
    single: Path, out: Path, *overrides: str, bank: ClipSource = BANK, start: Path | None = None
) -> Path:
    path = multi_slice(single, out, *overrides, seconds=None, bank=bank, start=start)
    assert path is not None
    return path


def read_log(run: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's log."""
    return [json.loads(line) for line in (run / LOG_FILE).read_text().splitlines()]
