"""A kill at any step changes nothing, whatever the network hears; and only the same run is resumed."""

from pathlib import Path

import pytest
import torch

from models.errors import TrainingError
from tests.training.small_bank import SmallBank, small_mixtures
from training import train_multi, train_single
from training.config import Recipe, load_recipe
from training.loop import STATE_FILE

CPU = torch.device("cpu")
BANK = SmallBank()
EFFECTS = tuple(
    f"effects.{where}.{name} = {{ probability = 0.5 }}"
    for where in ("stems", "mixture")
    for name in ("noise", "equaliser")
)
MEL = (
    'mixing.domain = "mel"',
    "encoder.front_end.clip_seconds = 0.25",
    "mel_effects.equaliser_probability = 0.5",
    "mel_effects.noise_probability = 0.5",
)


def recipe(*overrides: str) -> Recipe:
    return load_recipe(Path("tiny"), list(overrides))


def train_one_single(out: Path, *overrides: str, seconds: float | None = None) -> Path | None:
    return train_single.train(recipe('kind = "single"', *overrides), BANK, out, CPU, seconds)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = train_one_single(tmp_path_factory.mktemp("single"))
    assert path is not None
    return path


@pytest.mark.parametrize("overrides", [(), EFFECTS], ids=["samples", "effects"])
def test_a_single_encoder_is_the_same_after_kills(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    whole = train_one_single(tmp_path / "whole", *overrides)
    slices = 1
    while (sliced := train_one_single(tmp_path / "sliced", *overrides, seconds=0.0)) is None:
        slices += 1  # of one step
    assert whole is not None
    assert slices == 6
    assert whole.read_bytes() == sliced.read_bytes()


@pytest.mark.parametrize(
    ("overrides", "rendered"),
    [((), False), (EFFECTS, False), (MEL, False), ((), True), (MEL, True)],
    ids=["samples", "effects", "mel", "rendered", "rendered-mel"],
)
def test_a_multi_encoder_is_the_same_after_kills(
    tmp_path: Path, single: Path, overrides: tuple[str, ...], rendered: bool
) -> None:
    bank = small_mixtures(BANK) if rendered else BANK

    def run(name: str, seconds: float | None) -> Path | None:
        return train_multi.train(recipe(*overrides), bank, single, tmp_path / name, CPU, seconds)

    whole = run("whole", None)
    while (sliced := run("sliced", 0.0)) is None:
        pass
    assert whole is not None
    assert whole.read_bytes() == sliced.read_bytes()


def test_a_run_of_an_earlier_version_is_resumed(tmp_path: Path) -> None:
    """Its state held the one process's generators among the rest."""
    whole, old = train_one_single(tmp_path / "whole"), tmp_path / "old"
    assert train_one_single(old, seconds=0.0) is None
    state = torch.load(old / STATE_FILE, weights_only=True)
    torch.save(state | state.pop("ranks")[0], old / STATE_FILE)
    resumed = train_one_single(old)
    assert whole is not None
    assert resumed is not None
    assert whole.read_bytes() == resumed.read_bytes()


def test_a_run_of_another_recipe_is_not_resumed(single: Path) -> None:
    with pytest.raises(TrainingError, match="another recipe"):
        train_one_single(single.parent, "seed = 5")


def test_resume_wants_a_run_that_is_there(
    tmp_path: Path, single: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--config", "tiny", "--bank", str(tmp_path), "--out", str(tmp_path / "run"), "--resume"]
    assert train_single.main(arguments) == 2
    assert train_multi.main([*arguments, "--single", str(single)]) == 2
    assert capsys.readouterr().err.count("holds no run to resume") == 2
