"""Training with effects: they change what is learnt, a kill does not, and rendered mixtures are given none."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.errors import TrainingError
from tests.training.nlakh.written import instruments, write_multi
from tests.training.small_bank import SmallBank
from training import train_multi, train_single
from training.bank import Bank
from training.clip_store import ClipStore
from training.config import Recipe, load_recipe
from training.train_multi import open_mixer

CPU = torch.device("cpu")
BANK = SmallBank()
ON = [
    f"effects.{part}.{effect}.probability = 0.5"
    for part in ("stems", "mixture")
    for effect in ("equaliser", "reverb", "compressor", "noise", "codec")
]


def recipe(kind: str, *overrides: str) -> Recipe:
    return load_recipe(Path("tiny"), [f'kind = "{kind}"', *overrides])


def train(kind: str, single: Path, out: Path, seconds: float | None, *overrides: str) -> Path | None:
    if kind == "single":
        return train_single.train(recipe(kind, *overrides), BANK, out, CPU, seconds)
    return train_multi.train(recipe(kind, *overrides), BANK, single, out, CPU, seconds)


@pytest.fixture
def single(tmp_path: Path) -> Path:
    path = train_single.train(recipe("single"), BANK, tmp_path / "target", CPU, None)
    assert path is not None
    return path


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_effects_change_what_is_learnt_and_a_kill_does_not(tmp_path: Path, single: Path, kind: str) -> None:
    dry = train(kind, single, tmp_path / "dry", None)
    whole = train(kind, single, tmp_path / "whole", None, *ON)
    while (sliced := train(kind, single, tmp_path / "sliced", 0.0, *ON)) is None:
        pass
    assert whole is not None
    assert dry is not None
    assert whole.read_bytes() == sliced.read_bytes() != dry.read_bytes()


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_effects_that_never_occur_train_the_same_network(tmp_path: Path, single: Path, kind: str) -> None:
    plain = train(kind, single, tmp_path / "plain", None)
    never = train(kind, single, tmp_path / "never", None, "effects.stems.reverb.wet_db = [-9, -9]")
    assert plain is not None
    assert never is not None
    weights, same = load_file(plain), load_file(never)
    assert all(torch.equal(weights[name], same[name]) for name in weights)


def test_rendered_mixtures_are_given_no_effects(tmp_path: Path) -> None:
    stems = [[(1, np.ones(80, np.int16)), (2, np.ones(80, np.int16))]]
    write_multi(tmp_path, stems, instruments(2))
    bank = Bank.open(tmp_path, kind="multi")
    with pytest.raises(TrainingError, match="only random mixtures"):
        open_mixer(recipe("multi", *ON), bank, ClipStore(bank, CPU), tmp_path / "mel.pt")
