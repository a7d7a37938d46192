"""`showme evaluate`: measure the encoders on instruments they never heard, by named protocols, each row beside chance.

Kim et al. 2022, section 5, and harder. Without `--bank` the presets of the default SoundFont that have no near-duplicate among
the training instruments are rendered first; nothing needs to be downloaded.
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
from training.evaluation import failures, lanes, library, paper, plots, real, served, three, verification
from training.evaluation.context import EvaluationContext
from training.evaluation.cost import multiply_adds
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.report import Report, Table, print_table, write_report
from training.nlakh.dataset import DATASET_FILE, TRAIN, VALID, read_dataset
from training.nlakh.make import make
from training.nlakh.spec import InputPaths, RenderSpec

DEFAULT_SPLIT, DEFAULT_CLIPS = "test-default", 32
MIN_MIXTURES, MAX_MIXTURES = 2, 100_000
FILE_COLUMNS = 160  # of what is printed, where it is no terminal

PROTOCOLS: dict[str, Callable[[EvaluationContext], Iterator[Table]]] = {
    protocol.NAME: protocol.tables for protocol in (served, lanes, paper, library, three, verification, real)
}
OF_RECORDED = (
    verification.NAME,
    real.NAME,
)  # what is measured on recorded instruments unless something is asked for


def protocols_of(split: str, asked: Sequence[str] | None) -> list[str]:
    """The protocols for a split: those asked for, `real` for recorded instruments only."""
    usual = OF_RECORDED if split == real.SPLIT else tuple(name for name in PROTOCOLS if name != real.NAME)
    return [name for name in asked or usual if name != real.NAME or split == real.SPLIT]


def check(options: argparse.Namespace, splits: Sequence[str]) -> None:
    """Raises TrainingError for what cannot be measured, before anything is heard."""
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
    """The default SoundFont's held-out presets, rendered into `cache` unless they lie there already."""
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
    """The splits of a data set; the published names where it is a published copy."""
    if (folder / DATASET_FILE).exists():
        return tuple(read_dataset(folder).splits)
    return tuple(split for split in (TRAIN, VALID) if (folder / split).is_dir())


def contexts(
    options: argparse.Namespace, bank: Path, splits: Sequence[str], pair: EncoderPair
) -> Iterator[EvaluationContext]:
    """One for each split; validation instruments meet distractors of training alone: test instruments stay unheard."""
    views = {
        name: ClipEmbeddings.open(pair, bank, name, options.cache) for name in {*splits, *splits_in(bank)}
    }
    rendered = splits_in(options.mixtures) if options.mixtures else ()
    if options.mixtures and not {*rendered} & {*splits}:
        Bank.open(options.mixtures, splits[0], "multi")  # says what there is instead
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


def machine(pair: EncoderPair) -> str:
    """What measured."""
    cores = f"{os.cpu_count()} cores"
    return f"{platform.system()} {platform.machine()}, {cores}, torch {torch.__version__} on {pair.device}"


def as_typed(argv: Sequence[str]) -> str:
    """The command, absolute paths by their last names."""
    return " ".join(
        ["showme evaluate", *(Path(word).name if Path(word).is_absolute() else word for word in argv)]
    )


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="showme evaluate", description=(__doc__ or "").partition("\n\n")[0])
    out.add_argument("--bank", type=Path, help="a data set (Nlakh-single) with held-out instruments")
    out.add_argument(
        "--split", action="append", help="of the data set; repeatable; all but train if left out"
    )
    out.add_argument(
        "--protocol",
        action="append",
        help=f"{', '.join(PROTOCOLS)}; repeatable; all that the data allow if left out",
    )
    out.add_argument(
        "--mixtures",
        type=Path,
        metavar="DIR",
        help="rendered mixtures (Nlakh-multi) of the splits' probes, for paper",
    )
    out.add_argument(
        "--notes", type=Path, action="append", default=[], help="note banks or NSynth, for verify; repeatable"
    )
    out.add_argument("--weights", type=Path, help="a folder with single.safetensors and multi.safetensors")
    out.add_argument("--device", choices=DEVICES, default="auto")
    out.add_argument("--num-mixtures", type=int, default=1_000, metavar="N", help="of every kind (1000)")
    out.add_argument(
        "--library-size",
        type=int,
        action="append",
        metavar="N",
        help="for library and real; repeatable (53, 1000, 10000)",
    )
    out.add_argument(
        "--effects",
        type=Path,
        default=Path("ours-multi-effects"),
        help="the recipe whose effects library is heard through",
    )
    out.add_argument("--seed", type=int, default=0)
    out.add_argument(
        "--cache",
        type=Path,
        default=Path("data/evaluation"),
        help="where default clips and embeddings are kept",
    )
    out.add_argument("--json", type=Path, metavar="FILE", help="keep every figure")
    out.add_argument("--plots", type=Path, metavar="DIR", help="draw them")
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
    if options.bank is None and options.split:
        raise TrainingError("--split is of a data set: give --bank", value=", ".join(options.split))
    pair = EncoderPair.load(options.weights, options.device)
    if options.bank is None:
        splits = [DEFAULT_SPLIT]
    else:
        splits = options.split or [split for split in splits_in(options.bank) if split != TRAIN] or [VALID]
    check(options, splits)
    bank = options.bank or default_bank(options.cache, Console(stderr=True))
    console.print(f"encoder {pair.encoder_hash[:19]}… · {machine(pair)}", highlight=False)
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
        name, pair.encoder_hash, file_hash(multi), cost, machine(pair), as_typed(argv), tuple(tables)
    )
    if options.json:
        write_report(options.json, report)
    if options.plots:
        plots.figures(report, options.plots)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
