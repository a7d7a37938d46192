"""Train solo recognition (Segal 2016) on the banks of single instruments, and keep the weights that validate best.

`showme train solo --bank banks/single --bank banks/real --out runs/solo`, or `python -m training.recognition.train_solo …`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch.nn import functional

from models.checkpoint import CheckpointHeader, save_checkpoint
from models.errors import TrainingError
from models.recognition.solo import SOLO_FILE, SoloNetwork
from training import parallel
from training.bank import Bank
from training.commands import cli_errors
from training.config import read_recipe
from training.loop import STATE_FILE, Losses, Trainer
from training.nlakh.dataset import TRAIN
from training.recognition.best_weights import BestWeights
from training.recognition.solo_pieces import FamilyClips, PieceSampler
from training.recognition.solo_recipe import SOLO_RECIPE, SoloRecipe
from training.recognition.solo_validation import ValidationSet
from training.run import git_commit, run_arguments


@dataclass(frozen=True)
class SoloRun:
    """One run: recipe, banks, folder and device; `max_seconds` ends the call early with a saved state."""

    recipe: SoloRecipe
    banks: Sequence[Path]
    out: Path
    device: torch.device
    max_seconds: float | None = None
    split: str = TRAIN


def train(run: SoloRun) -> Path | None:
    """Train or resume; return the checkpoint when the recipe is done, None when the time is up."""
    recipe, batch_size = run.recipe, parallel.per_rank_batch(run.recipe.batch_size)
    torch.manual_seed(recipe.seed)

    # Data and model
    clips = FamilyClips([Bank.open(folder, run.split) for folder in run.banks], recipe.clips_per_instrument)
    families = clips.families
    if len(families) < 2:
        raise TrainingError(f"{len(families)} families cannot be told apart", value=len(families), limit=2)
    network = SoloNetwork(replace(recipe.network, families=families))
    validation = [ValidationSet.open(folder, network, recipe.validation_clips) for folder in run.banks]
    with parallel.main_process_first():
        pieces = PieceSampler(clips, recipe, families, run.out)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast in bfloat16
    trainer = Trainer(recipe, network, run.device, run.out)
    classify = parallel.data_parallel(network.layers)

    # Loss
    def loss(generator: torch.Generator) -> Losses:
        image, family = pieces.draw(batch_size, generator)
        family = family.to(run.device)
        logits = classify(image.to(run.device, memory_format=torch.channels_last)).float()
        value = functional.cross_entropy(logits, family, label_smoothing=recipe.label_smoothing)
        return {"loss": value, "top1": (logits.argmax(dim=1) == family).float().mean()}

    # Loop
    best = BestWeights(run.out)

    def validate(step: int) -> None:
        is_due = step % recipe.validate_every == 0 or step == recipe.steps
        if is_due and parallel.is_main_process():
            scores = {one.name: one.measure(network) for one in validation}
            network.train()
            better = best.offer(step, network, scores)
            told = "  ".join(
                f"{name} F1 {one['f1_macro']:.3f} top-1 {one['top1']:.3f}" for name, one in scores.items()
            )
            print(f"validation at {step}: {told}{', the best so far' if better else ''}", flush=True)

    trainer.resume()
    if not trainer.run(loss, run.max_seconds, validate):
        return None
    return _finish(run, network, best, clips)


def _finish(run: SoloRun, network: SoloNetwork, best: BestWeights, clips: FamilyClips) -> Path:
    """Write the checkpoint of the best weights, in half precision; return its path, on every rank."""
    path = run.out / SOLO_FILE
    if parallel.is_main_process():
        best.load_into(network)
        record = {
            "recipe": asdict(run.recipe),
            "steps": best.step,
            "examples": best.step * run.recipe.batch_size,
            "banks": [folder.name for folder in run.banks],
            "instruments": len(clips.instruments),
            "clips": clips.num_clips,
            "commit": git_commit(),
        }
        header = CheckpointHeader("solo", network.config.to_dict(), metrics=best.metrics, training=record)
        save_checkpoint(network, header, path, dtype=torch.float16)
    parallel.broadcast(True)  # the other ranks wait until the file is there
    return path


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="showme train solo", description=(__doc__ or "").partition("\n\n")[0]
    )
    run_arguments(parser, SOLO_RECIPE)
    options = parser.parse_args(argv)
    recipe = read_recipe(SoloRecipe, options.config, options.set)
    if not options.bank:
        raise TrainingError("solo recognition learns from Nlakh-single: give --bank")
    if options.resume and not (options.out / STATE_FILE).exists():
        raise TrainingError(f"{options.out} holds no run to resume", value=str(options.out))
    seconds = options.minutes * 60 if options.minutes else None
    with parallel.process_group(options.device) as device:
        run = SoloRun(recipe, options.bank, options.out, device, seconds, options.split)
        path = train(run)
        if parallel.is_main_process():
            again = f"time is up; the same command continues the run in {run.out}"
            print(f"wrote {path}" if path else again)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
