"""`showme evaluate`: measure the encoders on held-out instruments, beside the chance level.

The protocols include those of Kim et al. 2022, section 5, and harder ones. Without `--bank`, the command first renders the
presets of the default SoundFont that have no near-duplicate among the training instruments; it downloads nothing.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from rich.console import Console

from index.sources.default import default_soundfont
from models.checkpoint import file_hash, load_multi
from models.device import DEVICES
from models.encoder_pair import MULTI_FILE, WEIGHTS, EncoderPair
from models.errors import TrainingError
from training.bank import Bank
from training.commands import cli_errors
from training.evaluation import (
    failures,
    lanes,
    library,
    ownership,
    paper,
    plots,
    real,
    served,
    three,
    verification,
)
from training.evaluation.context import EvaluationContext
from training.evaluation.cost import multiply_adds
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.report import Report, Table, print_table, write_report
from training.nlakh.dataset import DATASET_FILE, TRAIN, VALID, read_dataset
from training.nlakh.make import make
from training.nlakh.spec import InputPaths, RenderSpec

DEFAULT_SPLIT, DEFAULT_CLIPS = "test-default", 32
MIN_MIXTURES, MAX_MIXTURES = 2, 100_000
FILE_COLUMNS = 160  # width of the output when it is not a terminal

PROTOCOLS: dict[str, Callable[[EvaluationContext], Iterator[Table]]] = {
    protocol.NAME: protocol.tables
    for protocol in (served, ownership, lanes, paper, library, three, verification, real)
}
RECORDED_PROTOCOLS = (verification.NAME, real.NAME)  # default for recorded instruments


def protocols_of(split: str, requested: Sequence[str] | None) -> list[str]:
    """Return the protocols to run on a split: the requested ones or its defaults; `real` needs recorded instruments."""
    default = (
        RECORDED_PROTOCOLS if split == real.SPLIT else tuple(name for name in PROTOCOLS if name != real.NAME)
    )
    return [name for name in requested or default if name != real.NAME or split == real.SPLIT]


def check(options: argparse.Namespace, splits: Sequence[str]) -> None:
    """Raise TrainingError if the options ask for an impossible measurement, before any audio is encoded."""
    known = ", ".join(PROTOCOLS)
    for name in options.protocol or ():
        if name not in PROTOCOLS:
            raise TrainingError(f"there is no protocol {name}; known are {known}", value=name, limit=known)
        if not any(name in protocols_of(split, options.protocol) for split in splits):
            message = f"protocol {name} needs the split {real.SPLIT}, given are {', '.join(splits)}"
            raise TrainingError(message, value=", ".join(splits), limit=real.SPLIT)
    if options.plots:
        plots.check()
    if not MIN_MIXTURES <= options.num_mixtures <= MAX_MIXTURES:
        limit = f"{MIN_MIXTURES} to {MAX_MIXTURES:,}"
        message = f"{options.num_mixtures:,} mixtures cannot be measured, {limit} can"
        raise TrainingError(message, value=options.num_mixtures, limit=limit)


def default_bank(cache: Path, console: Console) -> Path:
    """Render the default SoundFont's held-out presets into `cache`, unless they are there already; return their folder."""
    spec = RenderSpec(
        kind="single",
        layout="compact",
        counts=((DEFAULT_SPLIT, DEFAULT_CLIPS),),
        drums=True,
        phrases="varied",
    )
    out = cache / DEFAULT_SPLIT
    make(spec, InputPaths((default_soundfont(),)), out, console, workers=os.cpu_count() or 1)
    return out


def splits_in(folder: Path) -> tuple[str, ...]:
    """Return the splits of a data set; a published copy has the published split names."""
    if (folder / DATASET_FILE).exists():
        return tuple(read_dataset(folder).splits)
    return tuple(split for split in (TRAIN, VALID) if (folder / split).is_dir())


def contexts(
    options: argparse.Namespace, bank: Path, splits: Sequence[str], pair: EncoderPair
) -> Iterator[EvaluationContext]:
    """Yield the context of each split. Validation uses training distractors only, so that test instruments stay unseen."""
    views = {
        name: ClipEmbeddings.open(pair, bank, name, options.cache) for name in {*splits, *splits_in(bank)}
    }
    rendered = splits_in(options.mixtures) if options.mixtures else ()
    if options.mixtures and not {*rendered} & {*splits}:
        Bank.open(options.mixtures, splits[0], "multi")  # raises an error that names the splits found
    order = sorted(views, key=lambda name: (name == TRAIN, name))
    for split in splits:
        others = [name for name in order if name != split and (split != VALID or name == TRAIN)]
        yield EvaluationContext(
            pair,
            views[split],
            [views[name] for name in others],
            Bank.open(options.mixtures, split, "multi") if split in rendered else None,
            options.notes,
            options.num_mixtures,
            options.library_size,
            options.effects,
            options.seed,
        )


def describe_machine(pair: EncoderPair) -> str:
    """Return the operating system, core count, torch version and device of this run."""
    cores = f"{os.cpu_count()} cores"
    return f"{platform.system()} {platform.machine()}, {cores}, torch {torch.__version__} on {pair.device}"


def command_line(argv: Sequence[str]) -> str:
    """Return the command as typed, with absolute paths shortened to their last component."""
    return " ".join(
        ["showme evaluate", *(Path(word).name if Path(word).is_absolute() else word for word in argv)]
    )


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="showme evaluate", description=(__doc__ or "").partition("\n\n")[0])
    out.add_argument(
        "--bank",
        type=Path,
        help="data set (Nlakh-single) with held-out instruments (default: presets of the default SoundFont)",
    )
    out.add_argument(
        "--split", action="append", help="split of the data set; repeatable (default: all but train)"
    )
    out.add_argument(
        "--protocol",
        action="append",
        help=f"{', '.join(PROTOCOLS)}; repeatable (default: every protocol that the data allow)",
    )
    out.add_argument(
        "--mixtures",
        type=Path,
        metavar="DIR",
        help="rendered mixtures (Nlakh-multi) of the probe instruments, for paper and library",
    )
    out.add_argument(
        "--notes",
        type=Path,
        action="append",
        default=[],
        help="note bank or NSynth folder, for verify; repeatable",
    )
    out.add_argument("--weights", type=Path, help="folder with single.safetensors and multi.safetensors")
    out.add_argument("--device", choices=DEVICES, default="auto")
    out.add_argument(
        "--num-mixtures", type=int, default=1_000, metavar="N", help="mixtures per condition (1000)"
    )
    out.add_argument(
        "--library-size",
        type=int,
        action="append",
        metavar="N",
        help="library size, for served, match, library and real; repeatable (53, 1000, 10000)",
    )
    out.add_argument(
        "--effects",
        type=Path,
        default=Path("ours-multi-effects"),
        help="recipe whose effects the protocol library applies to mixtures",
    )
    out.add_argument("--seed", type=int, default=0)
    out.add_argument(
        "--cache",
        type=Path,
        default=Path("data/evaluation"),
        help="folder for rendered default clips and computed embeddings",
    )
    out.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    out.add_argument("--plots", type=Path, metavar="DIR", help="draw plots into this folder")
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
    if options.bank is None and options.split:
        raise TrainingError(
            "--split names a split of a data set: give --bank", value=", ".join(options.split)
        )
    pair = EncoderPair.load(options.weights, options.device)
    if options.bank is None:
        splits = [DEFAULT_SPLIT]
    else:
        splits = options.split or [split for split in splits_in(options.bank) if split != TRAIN] or [VALID]
    check(options, splits)
    bank = options.bank or default_bank(options.cache, Console(stderr=True))
    console.print(f"encoder {pair.encoder_hash[:19]}… · {describe_machine(pair)}", highlight=False)
    tables: list[Table] = []
    for context in contexts(options, bank, splits, pair):
        for name in protocols_of(context.split, options.protocol):
            for table in PROTOCOLS[name](context):
                print_table(table, console)
                tables.append(table)
        if options.plots:
            plots.embeddings(context, options.plots)
            failures.draw(context, options.plots)
    name = options.weights.resolve().name if options.weights else "shipped"
    multi = (options.weights or WEIGHTS) / MULTI_FILE
    cost = multiply_adds(load_multi(multi)[0], pair.clip_samples)
    report = Report(
        name,
        pair.encoder_hash,
        file_hash(multi),
        cost,
        describe_machine(pair),
        command_line(argv),
        tuple(tables),
    )
    if options.json:
        write_report(options.json, report)
    if options.plots:
        plots.figures(report, options.plots)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
