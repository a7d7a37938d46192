"""Training with effects: they change the trained weights, and rendered mixtures get none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.errors import TrainingError
from tests.training.nlakh.written import instruments, write_multi
from tests.training.tiny_runs import CPU, recipe, train_tiny_multi, train_tiny_single
from training.bank import Bank
from training.clip_store import ClipStore
from training.train_multi import open_mixer

ON = [
    f"effects.{part}.{effect}.probability = 0.5"
    for part in ("stems", "mixture")
    for effect in ("equaliser", "reverb", "compressor", "noise", "codec")
]


def train(kind: str, single: Path, out: Path, *overrides: str) -> dict[str, torch.Tensor]:
    """Train and return the weights."""
    if kind == "single":
        return load_file(train_tiny_single(out, *overrides))
    return load_file(train_tiny_multi(single, out, *overrides))


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_effects_change_what_is_learned_if_they_can_occur(tmp_path: Path, single: Path, kind: str) -> None:
    dry = train(kind, single, tmp_path / "dry")
    never = train(kind, single, tmp_path / "never", "effects.stems.reverb.wet_db = [-9, -9]")
    wet = train(kind, single, tmp_path / "wet", *ON)
    assert all(torch.equal(dry[name], never[name]) for name in dry)
    assert not all(torch.equal(dry[name], wet[name]) for name in dry)


def test_rendered_mixtures_are_given_no_effects(tmp_path: Path) -> None:
    stems = [[(1, np.ones(80, np.int16)), (2, np.ones(80, np.int16))]]
    write_multi(tmp_path, stems, instruments(2))
    bank = Bank.open(tmp_path, kind="multi")
    with pytest.raises(TrainingError, match="random mixtures only"):
        open_mixer(recipe("multi", *ON), bank, ClipStore(bank, CPU), tmp_path / "mel.pt")
