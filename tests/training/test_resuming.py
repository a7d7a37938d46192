"""A kill at any step changes nothing, for all kinds of input; only the same run is resumed, also from released versions."""

import json
from pathlib import Path

import pytest
import torch

from models.checkpoint import load_checkpoint
from models.encoder_pair import MULTI_FILE, SINGLE_FILE, WEIGHTS
from models.errors import TrainingError
from tests.training.small_bank import small_mixtures
from tests.training.tiny_runs import (
    BANK,
    MEL,
    multi_slice,
    recipe,
    single_slice,
    train_tiny_multi,
    train_tiny_single,
)
from training import train_multi, train_single
from training.config import Recipe, same_recipe
from training.loop import STATE_FILE

EFFECTS = tuple(
    f"effects.{where}.{name}.probability = 0.5"
    for where in ("stems", "mixture")
    for name in ("equaliser", "reverb", "compressor", "noise", "codec")
)
SHORT = ("steps = 4",)
RELEASED = Path(__file__).parent / "released_state.pt"  # made as its test says


@pytest.mark.parametrize("overrides", [(), EFFECTS], ids=["samples", "effects"])
def test_a_single_encoder_is_the_same_after_kills(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    whole = train_tiny_single(tmp_path / "whole", *SHORT, *overrides)
    slices = 1
    while (path := single_slice(tmp_path / "sliced", *SHORT, *overrides, seconds=0.0)) is None:
        slices += 1  # of one step
    assert slices == 4
    assert whole.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("overrides", "rendered"),
    [((), False), (EFFECTS, False), (MEL, False), ((), True), (MEL, True)],
    ids=["samples", "effects", "mel", "rendered", "rendered-mel"],
)
def test_a_multi_encoder_is_the_same_after_kills(
    tmp_path: Path, single: Path, overrides: tuple[str, ...], rendered: bool
) -> None:
    bank = small_mixtures(BANK) if rendered else BANK
    changed = (*SHORT, *overrides)
    whole = train_tiny_multi(single, tmp_path / "whole", *changed, bank=bank)
    while (path := multi_slice(single, tmp_path / "sliced", *changed, seconds=0.0, bank=bank)) is None:
        pass
    assert whole.read_bytes() == path.read_bytes()


def test_a_state_of_the_released_version_is_resumed(tmp_path: Path) -> None:
    """Version 0.2.0 wrote the state after one step of `tiny` as a single encoder, on the small bank."""
    (tmp_path / STATE_FILE).write_bytes(RELEASED.read_bytes())
    saved = torch.load(RELEASED, weights_only=True)
    assert saved["step"] == 1
    assert same_recipe(json.loads(saved["recipe"]), recipe("single"))
    single_slice(tmp_path, seconds=0.0)
    assert torch.load(tmp_path / STATE_FILE, weights_only=True)["step"] == 2


@pytest.mark.parametrize("name", [SINGLE_FILE, MULTI_FILE])
def test_recipes_of_earlier_versions_are_still_recipes(name: str) -> None:
    """Fields that are newer than a record have their defaults; one that is gone or renamed would lock out its runs."""
    _, header = load_checkpoint(WEIGHTS / name)
    recorded = header.training["recipe"]
    recipe = Recipe.from_dict(recorded)
    assert same_recipe(recorded, recipe)
    assert not same_recipe({**recorded, "single": {**recorded["single"], "family": 0.25}}, recipe)
    assert not same_recipe({**recorded, "gone": 1}, recipe)
    assert not same_recipe({**recorded, "effects": {"stems": {"gone": {}}}}, recipe)


def test_a_state_without_a_list_of_ranks_is_resumed(tmp_path: Path) -> None:
    """Early versions kept the generators of their one process at top level."""
    whole, old = train_tiny_single(tmp_path / "whole"), tmp_path / "old"
    assert single_slice(old, seconds=0.0) is None
    state = torch.load(old / STATE_FILE, weights_only=True)
    torch.save(state | state.pop("ranks")[0], old / STATE_FILE)
    assert whole.read_bytes() == train_tiny_single(old).read_bytes()


def test_a_run_of_another_recipe_is_not_resumed(single: Path) -> None:
    with pytest.raises(TrainingError, match="another recipe"):
        train_tiny_single(single.parent, "seed = 5")


def test_resume_wants_a_run_that_is_there(
    tmp_path: Path, single: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--config", "tiny", "--bank", str(tmp_path), "--out", str(tmp_path / "run"), "--resume"]
    assert train_single.main(arguments) == 2
    assert train_multi.main([*arguments, "--single", str(single)]) == 2
    assert capsys.readouterr().err.count("holds no run to resume") == 2
