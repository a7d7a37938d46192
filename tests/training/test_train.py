"""Training: the loss falls, user errors are named, and the checkpoints make a pair."""

from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest
import torch

from models.checkpoint import file_hash, load_checkpoint, load_single
from models.encoder_pair import MULTI_FILE, SINGLE_FILE, EncoderPair
from models.errors import TrainingError
from tests.training.small_bank import SmallBank
from tests.training.tiny_runs import (
    BANK,
    CPU,
    LONG_BANK,
    read_log,
    recipe,
    train_tiny_multi,
    train_tiny_single,
)
from training import train_single
from training.clip_store import ClipStore, family_numbers
from training.config import CONFIGS, MixingConfig, OptimizerConfig, SingleLossConfig, load_recipe
from training.loop import STATE_FILE, Trainer, learning_rate_factor
from training.nlakh.dataset import DatasetInstrument
from training.targets import Targets


def test_the_single_encoder_learns_to_tell_tones_apart(learned_single: Path) -> None:
    rows = read_log(learned_single.parent)
    assert rows[-1]["top1"] > 0.5 > rows[0]["top1"]
    assert rows[-1]["step"] == 80


def test_the_two_checkpoints_make_a_pair(tmp_path: Path, single: Path) -> None:
    copyfile(single, tmp_path / SINGLE_FILE)
    train_tiny_multi(single, tmp_path)
    pair = EncoderPair.load(tmp_path, "cpu")
    assert pair.num_slots == 3
    _, header = load_checkpoint(tmp_path / MULTI_FILE)
    assert header.training["instruments"] == BANK.num_instruments
    assert header.training["examples"] == recipe("multi").examples == 24


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    network = torch.nn.Linear(1, 1)
    trainer = Trainer(recipe("single"), network, CPU, tmp_path)
    with pytest.raises(TrainingError, match="nan"):
        trainer.run(lambda generator: {"loss": network(torch.ones(1, 1)).sum() * float("nan")})
    assert not (tmp_path / STATE_FILE).exists()


def test_every_shipped_recipe_reads() -> None:
    names = {path.stem for path in CONFIGS.glob("*.toml")}
    paper = {f"{size}-{data}" for size in ("small", "large") for data in ("nlakh", "random")}
    assert {"paper-single", "ours-single", "ours-multi", "tiny", *paper} <= names
    for name in names:
        assert load_recipe(Path(name)).steps > 0
    assert len({load_recipe(Path(name)).examples for name in paper}) == 1  # an equal budget


@pytest.mark.parametrize(
    "override", ["epochs = 3", "optimizer.momentum = 0.9", "encoder.depth = 2", "steps ="], ids=str
)
def test_unknown_keys_are_named(override: str) -> None:
    with pytest.raises(TrainingError, match=r"recipe tiny\.toml"):
        recipe("single", override)


def test_an_unknown_recipe_lists_the_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", "huge", "--bank", str(tmp_path), "--out", str(tmp_path / "run")]
    assert train_single.main(arguments) == 2
    assert "ours-single" in capsys.readouterr().err


def test_the_learning_rate_rises_once_and_falls_to_nothing() -> None:
    config = OptimizerConfig(schedule="one_cycle", warmup_fraction=0.1)
    factors = [learning_rate_factor(config, step, 100) for step in range(100)]
    assert max(factors) == factors[9] == factors[10] == 1.0
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] < 0.001


def test_the_curriculum_grows_mixtures_to_their_full_size() -> None:
    config = MixingConfig(1, 9, first_max_instruments=3, curriculum_steps=60)
    sizes = [config.max_at(step) for step in range(80)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[59], sizes[60]) == (3, 8, 9)
    assert MixingConfig(2, 5).max_at(0) == 5
    with pytest.raises(ValueError, match="first_max_instruments 1"):
        MixingConfig(2, 5, first_max_instruments=1, curriculum_steps=5)


def test_targets_are_computed_once_for_each_encoder(tmp_path: Path, single: Path) -> None:
    encoder, _ = load_single(single)
    store = ClipStore(BANK, CPU)
    first = Targets.compute(encoder, store, tmp_path / "targets.pt", "sha256:a")
    written = (tmp_path / "targets.pt").stat().st_mtime_ns
    again = Targets.compute(encoder, store, tmp_path / "targets.pt", "sha256:a")
    assert (tmp_path / "targets.pt").stat().st_mtime_ns == written
    assert torch.equal(first.embedding, again.embedding)
    Targets.compute(encoder, store, tmp_path / "targets.pt", "sha256:b")
    assert (tmp_path / "targets.pt").stat().st_mtime_ns > written
    with torch.inference_mode():
        direct = encoder(store.take(torch.tensor([5])))
    assert torch.allclose(first.embedding[5].float(), direct[0], atol=0.02)


@pytest.mark.parametrize("domain", ["wave", "mel"])
def test_a_single_encoder_starts_as_a_trained_one(tmp_path: Path, learned_single: Path, domain: str) -> None:
    """At a negligible learning rate it keeps the trained weights, with more blocks too, and classifies by prototypes."""
    deeper = "encoder.backbone_options = { widths = [4, 8, 8], depths = [2, 1] }"
    still = ("batch_size = 24", deeper, "optimizer.learning_rate = 1e-9", f'mixing.domain = "{domain}"')
    again = train_tiny_single(tmp_path, *still, bank=LONG_BANK, start=learned_single)
    assert np.mean([row["top1"] for row in read_log(tmp_path)]) > 0.4
    deep, _ = load_single(again)
    shallow, _ = load_single(learned_single)
    theirs, ours = (encoder.head[0].get_parameter("weight") for encoder in (shallow, deep))
    assert torch.allclose(theirs, ours, atol=1e-3)


def test_a_single_encoder_starts_from_a_network_that_fits(tmp_path: Path, single: Path) -> None:
    with pytest.raises(TrainingError, match="another network"):
        train_tiny_single(tmp_path, "encoder.backbone_options = { widths = [4, 8, 16] }", start=single)


def test_a_margin_is_taken_off_the_true_instrument_alone() -> None:
    logits, instrument = torch.tensor([[4.0, 3.5, -1.0], [0.0, 1.0, 2.0]]), torch.tensor([0, 2])
    plain, harder = (
        train_single.classification_losses(logits, instrument, SingleLossConfig(scale=10.0, margin=margin))
        for margin in (0.0, 0.1)
    )
    lowered = logits - torch.eye(3)[instrument]
    assert harder["loss"] > plain["loss"]
    assert harder["loss"].item() == pytest.approx(
        torch.nn.functional.cross_entropy(lowered, instrument, label_smoothing=0.05).item()
    )
    assert harder["top1"] == plain["top1"] == 1.0
    for margin, classifier in ((1.5, "cosine"), (0.1, "linear")):
        with pytest.raises(TrainingError, match="margin"):
            recipe("single", f"single.margin = {margin}", f'single.classifier = "{classifier}"')


class TwoFamilies(SmallBank):
    """Every second tone is a bass."""

    @property
    def instruments(self) -> tuple[DatasetInstrument, ...]:
        return tuple(
            replace(row, family=("organ", "bass")[number % 2])
            for number, row in enumerate(super().instruments)
        )


def test_families_are_a_second_task_for_clips_whose_family_is_known() -> None:
    rows = [
        replace(row, family=family)
        for row, family in zip(BANK.instruments, ("reed", None, "bass"), strict=False)
    ]
    number, count = family_numbers(rows)
    assert (number.tolist(), count) == ([1, train_single.UNKNOWN, 0], 2)
    logits = torch.tensor([[0.0, 2.0], [9.0, -9.0], [1.0, 0.0]])
    start = {"loss": torch.tensor(1.0)}
    losses = train_single.add_family_loss(start, logits, number, weight=0.5)
    right = torch.nn.functional.cross_entropy(logits[[0, 2]], number[[0, 2]])
    assert losses["family"].item() == pytest.approx(right.item())
    assert losses["loss"].item() == pytest.approx(1 + 0.5 * right.item())
    assert losses["family_top1"] == 1.0
    nothing_known = train_single.add_family_loss(
        start, logits, torch.full((3,), train_single.UNKNOWN), weight=0.5
    )
    assert nothing_known["loss"] == start["loss"]


def test_a_single_encoder_learns_families_too(tmp_path: Path) -> None:
    longer = ("steps = 40", "batch_size = 12", "log_every = 10", "optimizer.learning_rate = 0.01")
    train_tiny_single(tmp_path, "single.family = 0.5", *longer, bank=TwoFamilies(clip_samples=8_000))
    log = read_log(tmp_path)
    assert log[-1]["family"] < log[0]["family"] / 2


def test_a_multi_encoder_follows_its_single_encoder(tmp_path: Path, single: Path) -> None:
    """A multi encoder may start from one whose targets' encoder this single encoder grew from, and from no other."""
    multi = train_tiny_multi(single, tmp_path / "multi")
    between = train_tiny_single(tmp_path / "between", "seed = 1", start=single)
    later = train_tiny_single(tmp_path / "later", "seed = 1", start=between)
    stranger = train_tiny_single(tmp_path / "stranger", "seed = 2")
    again = train_tiny_multi(later, tmp_path / "again", start=multi)
    _, header = load_checkpoint(again)
    assert header.target_encoder == file_hash(later)
    with pytest.raises(TrainingError, match="against another single encoder"):
        train_tiny_multi(stranger, tmp_path / "no", start=multi)
