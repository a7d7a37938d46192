"""Train the shipped pair of encoders: all stages of `configs/shipped/` in order, then the release.

`python -m training.weights --bank banks/single --runs runs`, or `make weights`. Finished stages are skipped and an interrupted
stage resumes. This repeats the recipes of the shipped weights, not their bytes: their first stages saw clips of an earlier
renderer, and some schedules were shortened while they ran.
"""

import argparse
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from models.checkpoint import file_hash, load_checkpoint
from models.device import DEVICES
from models.encoder_pair import FAMILY_FILE, INSTRUMENT_FAMILY_FILE, MATCH_FILE, MULTI_FILE, SINGLE_FILE
from models.errors import TrainingError
from training import parallel
from training.bank import Bank, CombinedBank
from training.changed_bank import changed
from training.clip_store import ClipSource
from training.commands import cli_errors
from training.config import CONFIGS, Recipe, load_recipe, same_recipe
from training.nlakh.dataset import TRAIN, VALID
from training.release import ReleaseData, release
from training.run import ENCODER_FILES, TrainingRun
from training.train_multi import train as train_multi
from training.train_single import train as train_single

SHIPPED = CONFIGS / "shipped"
STAGES_FILE = "stages.toml"


@dataclass(frozen=True)
class TrainingStage:
    """One stage of a chain.

    `start` is the stage whose encoder it continues from, `single` the stage whose encoder gives a multi encoder its targets.
    Beside renderings it learns from the banks `also`, and from instruments made by changing those of the banks `changed`
    (`training/changed_bank.py`); both name fields of `TrainingBanks`.
    """

    name: str
    recipe: Recipe
    start: str | None = None
    single: str | None = None
    also: Sequence[str] = ()
    changed: Sequence[str] = ()


def read_stages(folder: Path = SHIPPED) -> tuple[TrainingStage, ...]:
    """Read `stages.toml` and the recipes that it names, in order.

    Raises TrainingError for a file that cannot be read, or a stage whose inputs are not earlier stages of the right kind.
    """
    path = folder / STAGES_FILE
    try:
        table = tomllib.loads(path.read_text())
        stages = tuple(
            TrainingStage(name, load_recipe(folder / f"{name}.toml"), **inputs)
            for name, inputs in table.items()
        )
    except (OSError, TypeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {error}", value=str(path)) from error
    kinds: dict[str | None, str | None] = {None: None}  # of earlier stages
    for stage in stages:
        kind = stage.recipe.kind
        needed = {"start": {None, kind}, "single": {"single"} if kind == "multi" else {None}}
        for key, allowed in needed.items():
            name = getattr(stage, key)
            if kinds.get(name, "missing") not in allowed:
                raise TrainingError(f"{path}: {stage.name} cannot have {key} = {name!r}", value=name)
        for name in (*stage.also, *stage.changed):
            if name not in BANKS:
                raise TrainingError(
                    f"{path}: {stage.name} names the bank {name!r}, not {', '.join(BANKS)}", value=name
                )
        kinds[stage.name] = kind
    if not stages or kind != "multi":
        raise TrainingError(f"{path}: the last stage must train a multi encoder", value=str(path))
    return stages


@dataclass(frozen=True)
class TrainingBanks:
    """The training splits of a chain's data: renderings always, recordings and synthesisers' patches where there are any."""

    rendered: Bank
    real: Bank | None = None
    synth: Bank | None = None

    def heard_in(self, stage: TrainingStage) -> ClipSource:
        """The clips that a stage learns from. Raises TrainingError if it names a bank that there is not."""
        banks = [self.rendered, *(self._bank(name, stage) for name in stage.also)]
        banks += [changed(self._bank(name, stage), stage.recipe.seed) for name in stage.changed]
        return CombinedBank(banks) if len(banks) > 1 else self.rendered

    def _bank(self, name: str, stage: TrainingStage) -> Bank:
        bank: Bank | None = getattr(self, name)
        if bank is None:
            raise TrainingError(f"{stage.name} learns from {name} clips too: give --{name}", value=stage.name)
        return bank


BANKS = tuple(field.name for field in fields(TrainingBanks))


@dataclass(frozen=True)
class TrainingChain:
    """The stages of a pair of encoders; each trains in the folder of its name under `runs`."""

    stages: tuple[TrainingStage, ...]
    runs: Path

    def checkpoint(self, name: str) -> Path:
        """Return where a stage writes its encoder."""
        kind = next(stage.recipe.kind for stage in self.stages if stage.name == name)
        return self.runs / name / ENCODER_FILES[kind]

    @property
    def pair(self) -> tuple[Path, Path]:
        """Return the checkpoints to release: the last stage's multi encoder, after the single encoder that it learned from."""
        last = self.stages[-1]
        assert last.single is not None  # `read_stages` has checked it
        return self.checkpoint(last.single), self.checkpoint(last.name)

    def train(self, banks: TrainingBanks, device: torch.device, max_seconds: float | None = None) -> bool:
        """Train what is missing; return False if `max_seconds` ended before the last stage.

        Raises TrainingError for a finished stage of another recipe or with other inputs, and for a stage that needs a bank
        that is not given.
        """
        started = time.monotonic()
        for stage in self.stages:
            if self._is_finished(stage):
                print_once(f"{stage.name}: finished")
                continue
            print_once(f"{stage.name}: training")
            left = None if max_seconds is None else max_seconds - (time.monotonic() - started)
            start = self.checkpoint(stage.start) if stage.start else None
            heard = banks.heard_in(stage)
            run = TrainingRun(stage.recipe, heard, self.runs / stage.name, device, left, start)
            done = train_multi(run, self.checkpoint(stage.single)) if stage.single else train_single(run)
            if done is None:
                return False
        return True

    def is_released(self, out: Path) -> bool:
        """Return whether `out` holds this chain's pair with its models. Raises TrainingError if it holds other weights."""
        trained = dict(zip((out / SINGLE_FILE, out / MULTI_FILE), self.pair, strict=True))
        held = [copy for copy in trained if copy.exists()]
        if not all(trained[copy].exists() and same_weights(copy, trained[copy]) for copy in held):
            raise TrainingError(f"{out} holds other weights; choose another folder", value=str(out))
        models = FAMILY_FILE, INSTRUMENT_FAMILY_FILE, MATCH_FILE
        return len(held) == len(trained) and all((out / name).exists() for name in models)

    def _is_finished(self, stage: TrainingStage) -> bool:
        path = self.checkpoint(stage.name)
        if not path.exists():
            return False
        start, single = (
            file_hash(self.checkpoint(name)) if name else None for name in (stage.start, stage.single)
        )
        _, header = load_checkpoint(path)
        found = header.training.get("start"), header.target_encoder
        if found != (start, single) or not same_recipe(header.training["recipe"], stage.recipe):
            message = (
                f"{path} comes from another recipe or other encoders; remove {path.parent} to train it again"
            )
            raise TrainingError(message, value=str(path))
        return True


def same_weights(path: Path, other: Path) -> bool:
    """Return whether two checkpoints hold the same tensors; their headers may differ."""
    one, two = (load_checkpoint(each)[0].state_dict() for each in (path, other))
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def print_once(line: str) -> None:
    """Print a line, on the main process only."""
    if parallel.is_main_process():
        print(line, flush=True)


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Train the shipped encoders, stage by stage, and release them."
    )
    parser.add_argument(
        "--bank", type=Path, required=True, help="Nlakh-single with the splits train and valid"
    )
    parser.add_argument(
        "--real", type=Path, help="Nlakh-single of real recordings, for the stages that need it"
    )
    parser.add_argument(
        "--synth", type=Path, help="Nlakh-single of synthesisers' patches, for the stages that need it"
    )
    parser.add_argument(
        "--recordings",
        type=Path,
        help="folder of real recordings, with which the release chooses its threshold",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder for the runs of the stages")
    parser.add_argument(
        "--out", type=Path, help="folder for the released pair; default: weights, under --runs"
    )
    parser.add_argument(
        "--stages", type=Path, default=SHIPPED, help=f"folder with {STAGES_FILE} and its recipes"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument(
        "--minutes", type=float, help="save and stop after this time; the same command continues"
    )
    options = parser.parse_args(argv)
    chain, out = (
        TrainingChain(read_stages(options.stages), options.runs),
        options.out or options.runs / "weights",
    )
    real, synth = (Bank.open(folder, TRAIN) if folder else None for folder in (options.real, options.synth))
    banks = TrainingBanks(Bank.open(options.bank, TRAIN), real, synth)
    validation = Bank.open(options.bank, VALID)
    seconds = None if options.minutes is None else options.minutes * 60
    with parallel.process_group(options.device) as device:
        released = chain.is_released(out)
        if not chain.train(banks, device, seconds):
            print_once(f"time is up; the same command continues in {options.runs}")
            return 0
        if not released and parallel.is_main_process():
            also = (banks.real,) if banks.real else ()
            data = ReleaseData(validation, banks.rendered, also, options.recordings)
            release(*chain.pair, data, out, device)
        print_once(f"{out}: released")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
