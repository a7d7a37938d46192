"""A training run from its options to its checkpoint: `train_single` and `train_multi` open and finish a run here.

A run's folder holds `state.pt` and `log.jsonl` (`training/loop.py`), caches, and at the end the encoder's checkpoint.
"""

import argparse
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from models.checkpoint import (
    CheckpointHeader,
    Encoder,
    EncoderKind,
    file_hash,
    load_checkpoint,
    save_checkpoint,
)
from models.device import DEVICES
from models.encoder_pair import MULTI_FILE, SINGLE_FILE
from models.encoders import SingleInstrumentEncoder
from models.errors import TrainingError
from training import parallel
from training.bank import Bank, CombinedBank
from training.changed_bank import changed
from training.clip_store import ClipSource
from training.config import Recipe, load_recipe
from training.loop import STATE_FILE
from training.nlakh.dataset import TRAIN
from training.stored_mixtures import open_mixtures

ENCODER_FILES: dict[EncoderKind, str] = {"single": SINGLE_FILE, "multi": MULTI_FILE}


@dataclass(frozen=True)
class TrainingRun:
    """One run: recipe, data, folder and device.

    `max_seconds` ends the call early with a saved state; `start` is the checkpoint of a trained encoder of the same kind whose
    weights the run starts from. `rendered` are mixtures that a multi encoder hears beside the random ones of `bank`.
    """

    recipe: Recipe
    bank: ClipSource
    out: Path
    device: torch.device
    max_seconds: float | None = None
    start: Path | None = None
    rendered: ClipSource | None = None


def training_arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that both encoders' commands share."""
    parser = argparse.ArgumentParser(description=description)
    run_arguments(parser)
    parser.add_argument(
        "--changed",
        type=Path,
        action="append",
        default=[],
        help="Nlakh-single whose instruments are changed into others, beside --bank; repeatable",
    )
    parser.add_argument("--start", type=Path, help="checkpoint of a trained encoder to start from")
    return parser


def run_arguments(parser: argparse.ArgumentParser, config: Path | None = None) -> None:
    """Add the options of every training run; `config` is the recipe by default."""
    parser.add_argument(
        "--config",
        type=Path,
        default=config,
        required=config is None,
        help="a TOML file, or the name of a recipe in training/configs",
    )
    parser.add_argument(
        "--bank",
        type=Path,
        action="append",
        help="Nlakh-single, in either layout; given several times, all of them",
    )
    parser.add_argument("--split", default=TRAIN, help="split of the data set to train on")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; a run that it holds is resumed"
    )
    parser.add_argument("--resume", action="store_true", help="fail if the folder holds no run to resume")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument(
        "--minutes", type=float, help="save and stop after this time; the same command continues"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a value of the recipe, e.g. optimizer.name='\"adam\"'",
    )


@contextmanager
def open_run(kind: EncoderKind, options: argparse.Namespace) -> Iterator[TrainingRun]:
    """Read the recipe, open the data and join the process group; yield the run.

    Raises TrainingError for a bad recipe, missing or ambiguous data, or `--resume` without a run.
    """
    recipe = replace(load_recipe(options.config, options.set), kind=kind)
    if options.resume and not (options.out / STATE_FILE).exists():
        raise TrainingError(f"{options.out} holds no run to resume", value=str(options.out))
    bank, rendered = _open_data(kind, options, recipe)
    seconds = options.minutes * 60 if options.minutes else None
    with parallel.process_group(options.device) as device:
        yield TrainingRun(recipe, bank, options.out, device, seconds, options.start, rendered)


def _open_data(
    kind: EncoderKind, options: argparse.Namespace, recipe: Recipe
) -> tuple[ClipSource, ClipSource | None]:
    """Open the data to learn from, and the rendered mixtures beside random ones where the recipe wants both."""
    share, clip_samples = recipe.mixing.rendered_share, recipe.encoder.front_end.clip_samples
    banks = [Bank.open(folder, options.split) for folder in options.bank or ()]
    banks += [changed(Bank.open(folder, options.split), recipe.seed) for folder in options.changed]
    bank = CombinedBank(banks) if len(banks) > 1 else banks[0] if banks else None
    if kind == "single":
        if bank is None:
            raise TrainingError("the single encoder learns from Nlakh-single: give --bank")
        return bank, None
    mixtures = open_mixtures(options.mixtures, options.split, clip_samples) if options.mixtures else None
    if bank and mixtures and share:
        return bank, mixtures
    found = bank or mixtures
    if found is None or (bank and mixtures) or share:
        raise TrainingError(
            "the multi encoder learns from one of --bank and --mixtures, or with mixing.rendered_share from both",
            value=share,
        )
    return found, None


def finish_run(run: TrainingRun, encoder: Encoder, steps: int, target_encoder: str | None = None) -> Path:
    """Save the trained encoder with its training record; return the checkpoint's path, on every rank.

    `target_encoder` is the hash of the single encoder that a multi encoder learned from.
    """
    kind: EncoderKind = "single" if isinstance(encoder, SingleInstrumentEncoder) else "multi"
    record = {
        "recipe": asdict(run.recipe),
        "steps": steps,
        "examples": steps * run.recipe.batch_size,
        "ranks": parallel.num_ranks(),
        "instruments": len(run.bank.instruments),
        "clips": run.bank.num_clips,
        "commit": git_commit(),
    }
    if run.start is not None:
        record["start"] = file_hash(run.start)
        record["ancestors"] = [record["start"], *ancestors(load_checkpoint(run.start)[1])]
    path = run.out / ENCODER_FILES[kind]
    if parallel.is_main_process():
        header = CheckpointHeader(kind, encoder.config.to_dict(), target_encoder, training=record)
        save_checkpoint(encoder, header, path, dtype=torch.float16)
    parallel.broadcast(True)  # the other ranks wait until the file is there
    return path


def ancestors(header: CheckpointHeader) -> list[str]:
    """The hashes of the encoders that a trained encoder grew from, the last one first."""
    start = header.training.get("start")
    return list(header.training.get("ancestors", [start] if start else []))


def report_outcome(run: TrainingRun, checkpoint: Path | None) -> None:
    """Print, on the main process, whether the run is finished or can be continued."""
    if parallel.is_main_process():
        again = f"time is up; the same command continues the run in {run.out}"
        print(f"wrote {checkpoint}" if checkpoint else again)


def git_commit() -> str:
    """Return the checkout's commit, or "unknown" outside a checkout."""
    folder = Path(__file__).parent
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() if found.returncode == 0 else "unknown"
