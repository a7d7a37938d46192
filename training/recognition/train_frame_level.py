"""Train frame-level recognition (Hung & Yang 2018): one network of the published table, or all of them in turn.

`showme train frame-level --data banks/scores --out runs/frames --network hsf-5-estimated`, or `--network all`. Each network has
a folder of its own below `--out`; levels and pitches are computed once for all.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from index.families import FAMILIES
from models.checkpoint import CheckpointHeader, save_checkpoint
from models.device import DEVICES
from models.encoder_pair import FRAME_LEVEL_FILE
from models.errors import TrainingError
from models.recognition.frame_level import POOLED_FRAMES, FrameLevelNetwork
from training import parallel
from training.commands import cli_errors
from training.config import read_recipe
from training.loop import Losses, Trainer
from training.musicnet import SEVEN
from training.nlakh.dataset import TRAIN, VALID
from training.recognition.best_weights import BestWeights
from training.recognition.frame_features import FrameSet
from training.recognition.frame_recipe import FRAME_RECIPE, NETWORKS, FrameRecipe
from training.recognition.frame_scores import best_thresholds, counts, mean_f1, predicted
from training.recognition.frame_variation import varied
from training.run import git_commit

ALL = "all"
CACHE = "features"  # a folder beside the data's


@dataclass(frozen=True)
class FrameRun:
    """One run: recipe with network and steps, frames of both sides, folder and device; `max_seconds` ends the call early."""

    recipe: FrameRecipe
    train: FrameSet
    valid: FrameSet
    out: Path
    device: torch.device
    max_seconds: float | None = None


def train(run: FrameRun) -> Path | None:
    """Train or resume; return the checkpoint when the recipe is done, None when the time is up."""
    recipe, source = run.recipe, run.recipe.network.source
    batch_size = parallel.per_rank_batch(recipe.batch_size)
    torch.manual_seed(recipe.seed)

    # Model
    network = FrameLevelNetwork(recipe.network)
    mean, deviation = run.train.moments()
    network.mean.copy_(torch.from_numpy(mean))
    network.deviation.copy_(torch.from_numpy(deviation))
    weight = positive_weight(run.train, recipe.balance).to(run.device)
    trainer = Trainer(recipe, network, run.device, run.out)
    classify = parallel.data_parallel(network)

    # Loss
    def loss(generator: torch.Generator) -> Losses:
        frames = run.train.segments(batch_size, generator)
        heard = varied(*run.train.inputs(frames, source), recipe.variation, generator)
        inputs = [one.to(run.device) for one in heard if one is not None]
        logits = classify(*inputs).float()  # [batch, classes, outputs]
        target = torch.from_numpy(run.train.target[frames]).to(run.device).float().transpose(1, 2)
        target = functional.max_pool1d(target, POOLED_FRAMES)
        return {
            "loss": functional.binary_cross_entropy_with_logits(logits, target, pos_weight=weight[:, None])
        }

    # Loop
    best = BestWeights(run.out)

    def validate(step: int) -> None:
        is_due = step % recipe.validate_every == 0 or step == recipe.steps
        if is_due and parallel.is_main_process():
            score, _ = validation(network, run.valid)
            better = best.offer(step, network, {VALID: {"f1_macro": score}})
            told = f"validation at {step}: mean F1 {score:.3f}"
            print(f"{told}, the best so far" if better else told, flush=True)

    trainer.resume()
    if not trainer.run(loss, run.max_seconds, validate):
        return None
    return _finish(run, network, best)


def positive_weight(frames: FrameSet, balance: float) -> torch.Tensor:
    """How much more a sounding frame of each class counts than a silent one, `[classes]`: (silent / sounding) ^ `balance`.

    Raises TrainingError for a class that never sounds.
    """
    sounding = frames.target.mean(axis=0, dtype=np.float64)
    if not sounding.all():
        place = int(sounding.argmin())
        raise TrainingError(f"class {place} of the training recordings never sounds", value=place)
    return torch.from_numpy(((1 - sounding) / sounding) ** balance).float()


def validation(network: FrameLevelNetwork, frames: FrameSet) -> tuple[float, tuple[float, ...]]:
    """The mean F1 on validation recordings with the best thresholds for them, and these thresholds."""
    probability = predicted(network, frames)
    target = [frames.targets(place) for place in range(len(frames.ids))]
    thresholds = best_thresholds(np.concatenate(probability), np.concatenate(target))
    totals = counts(probability, target, thresholds).sum(axis=0)
    return float(mean_f1(totals)), thresholds


def _finish(run: FrameRun, network: FrameLevelNetwork, best: BestWeights) -> Path:
    """Write the checkpoint of the best weights with their thresholds, in half precision; return its path, on every rank."""
    path = run.out / FRAME_LEVEL_FILE
    if parallel.is_main_process():
        best.load_into(network)
        _, thresholds = validation(network, run.valid)
        config = replace(network.config, thresholds=thresholds)
        record = {
            "recipe": asdict(run.recipe),
            "steps": best.step,
            "examples": best.step * run.recipe.batch_size,
            "recordings": len(run.train.ids),
            "commit": git_commit(),
        }
        header = CheckpointHeader("frame-level", config.to_dict(), metrics=best.metrics, training=record)
        save_checkpoint(network, header, path, dtype=torch.float16)
    parallel.broadcast(True)  # the other ranks wait until the file is there
    return path


def classes_that_sound(data: Path, cache: Path, names: Sequence[str], device: str) -> tuple[str, ...]:
    """Those of the classes that sound in the training recordings, in their order."""
    sounds = FrameSet.open(data, TRAIN, cache, names, device).target.max(axis=0)
    return tuple(names[place] for place in np.flatnonzero(sounds).tolist())


def run_network(name: str, options: argparse.Namespace, classes: Sequence[str], device: torch.device) -> None:
    """Train or resume one network of the table in its folder."""
    out = options.out / name
    cache = options.features or options.data / CACHE
    heard, held = (
        FrameSet.open(options.data, side, cache, classes, options.device) for side in (TRAIN, VALID)
    )
    recipe = read_recipe(FrameRecipe, options.config, options.set)
    steps = max(1, recipe.epochs * heard.num_segments // recipe.batch_size)
    network = replace(recipe.network, families=tuple(classes), **NETWORKS[name])
    seconds = options.minutes * 60 if options.minutes else None
    run = FrameRun(replace(recipe, steps=steps, network=network), heard, held, out, device, seconds)
    if (out / FRAME_LEVEL_FILE).exists():
        print(f"{out / FRAME_LEVEL_FILE} is there already", flush=True)
        return
    print(f"{name}: {heard.num_segments} segments of {len(heard.ids)} recordings", flush=True)
    path = train(run)
    if parallel.is_main_process():
        print(
            f"wrote {path}" if path else f"time is up; the same command continues the run in {out}",
            flush=True,
        )


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="showme train frame-level", description=(__doc__ or "").partition("\n\n")[0]
    )
    out.add_argument("--config", type=Path, default=FRAME_RECIPE, help="a TOML file, or a recipe's name")
    out.add_argument("--data", type=Path, required=True, metavar="DIR", help="recordings in MusicNet's form")
    out.add_argument(
        "--features", type=Path, metavar="DIR", help=f"keeps levels and pitches ({CACHE} in --data)"
    )
    out.add_argument(
        "--classes", choices=("families", "musicnet"), default="families", help="what is told apart"
    )
    out.add_argument("--network", choices=(ALL, *NETWORKS), default="hsf-5-estimated", help="of table 2")
    out.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the runs")
    out.add_argument("--device", choices=DEVICES, default="auto")
    out.add_argument("--minutes", type=float, help="save and stop each run after this time")
    out.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a recipe's value"
    )
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    names = tuple(SEVEN) if options.classes == "musicnet" else FAMILIES
    with parallel.process_group(options.device) as device:
        cache = options.features or options.data / CACHE
        with parallel.main_process_first():
            classes = classes_that_sound(options.data, cache, names, options.device)
        for name in NETWORKS if options.network == ALL else (options.network,):
            run_network(name, options, classes, device)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
