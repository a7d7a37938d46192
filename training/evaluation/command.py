"""`showme evaluate`: measure the encoders on held-out instruments, beside the chance level.

The protocols include those of Kim et al. 2022, section 5, and harder ones. Without `--bank`, the command first renders the
presets of the default SoundFont that have no near-duplicate among the training instruments; it downloads nothing. The
protocol `real` needs no data set but a folder of real recordings (`--real`); `production` note banks and MIDI files, too;
`answers` a folder of whole recordings (`--recordings`). `showme evaluate solo`, `attention` and `frame-level` measure
recognisers instead, `showme evaluate notes` the notes of lanes.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from index.sources.default import default_soundfont
from models.checkpoint import file_hash, load_multi
from models.device import DEVICES
from models.encoder_pair import MULTI_FILE, WEIGHTS, EncoderPair
from models.errors import TrainingError
from training.bank import Bank
from training.commands import cli_errors
from training.evaluation import (
    answers,
    attention,
    failures,
    frame_level,
    lane_notes,
    plots,
    production,
    real,
    solo_recognition,
)
from training.evaluation.context import EvaluationContext
from training.evaluation.cost import multiply_adds
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.enrolled_library import default_library
from training.evaluation.real_context import SPLITS, TEST, RealContext
from training.evaluation.report import (
    Report,
    Table,
    command_line,
    describe_machine,
    print_table,
    write_report,
)
from training.evaluation.selection import (
    DEFAULT_SPLIT,
    KNOWN,
    PROTOCOLS,
    bank_splits,
    check_protocol,
    protocols_of,
    real_splits,
    splits_in,
    wants_answers,
    wants_productions,
)
from training.nlakh.dataset import TRAIN, VALID
from training.nlakh.make import make
from training.nlakh.spec import InputPaths, RenderSpec

DEFAULT_CLIPS = 32
MIN_MIXTURES, MAX_MIXTURES = 2, 100_000
FILE_COLUMNS = 160  # width of the output when it is not a terminal


def check(options: argparse.Namespace, splits: Sequence[str]) -> None:
    """Raise TrainingError if the options ask for an impossible measurement, before any audio is encoded.

    `splits` are those of the data set.
    """
    for name in options.protocol or ():
        check_protocol(name, options, splits)
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


def measure(options: argparse.Namespace, splits: Sequence[str], pair: EncoderPair) -> Iterator[Table]:
    """Yield the tables of all protocols, real music and productions first, and draw the plots of the data set's `splits`."""
    for split in real_splits(options):
        yield from real.tables(
            RealContext(
                pair,
                options.real,
                split,
                options.notes,
                options.cache,
                options.num_mixtures,
                options.seed,
            )
        )
    if wants_answers(options):
        yield from answers.tables(pair, options.recordings, default_library(pair, options.cache))
    if wants_productions(options):
        yield from production.tables(
            production.ProductionContext(
                pair,
                (*options.notes, options.real),
                options.midi,
                options.cache,
                max(MIN_MIXTURES, options.num_mixtures // production.SHARE),
                seed=options.seed,
            )
        )
    if not splits:
        return
    bank = options.bank or default_bank(options.cache, Console(stderr=True))
    for context in contexts(options, bank, splits, pair):
        for name in protocols_of(context.split, options.protocol):
            yield from PROTOCOLS[name](context)
        if options.plots:
            plots.embeddings(context, options.plots)
            failures.draw(context, options.plots)


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="showme evaluate", description=(__doc__ or "").partition("\n\n")[0])
    out.add_argument(
        "--bank",
        type=Path,
        help="data set (Nlakh-single) with held-out instruments (default: presets of the default SoundFont)",
    )
    out.add_argument(
        "--real", type=Path, metavar="DIR", help="folder of real recordings, for real and production"
    )
    out.add_argument("--recordings", type=Path, metavar="DIR", help="folder of whole recordings, for answers")
    out.add_argument("--midi", type=Path, metavar="DIR", help="a tree of MIDI files, for production")
    out.add_argument(
        "--split",
        action="append",
        help=f"split of the data set (default: all but train), or side of the recordings: {' or '.join(SPLITS)} "
        f"(default: {TEST}); repeatable",
    )
    out.add_argument(
        "--protocol",
        action="append",
        help=f"{', '.join(KNOWN)}; repeatable (default: every protocol that the data allow)",
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
        help="note bank or NSynth folder, for verify and production; its recorded instruments also for real; repeatable",
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
        help="library size, for served, match, library and recorded; repeatable (53, 1000, 10000)",
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
    others = {one.NAME: one.main for one in (solo_recognition, attention, frame_level, lane_notes)}
    if argv and argv[0] in others:
        return others[argv[0]](argv[1:])
    options = parser().parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
    splits = bank_splits(options)
    pair = EncoderPair.load(options.weights, options.device)
    check(options, splits)
    console.print(f"encoder {pair.encoder_hash[:19]}… · {describe_machine(pair.device)}", highlight=False)
    tables: list[Table] = []
    for table in measure(options, splits, pair):
        print_table(table, console)
        tables.append(table)
    name = options.weights.resolve().name if options.weights else "shipped"
    multi = (options.weights or WEIGHTS) / MULTI_FILE
    cost = multiply_adds(load_multi(multi)[0], pair.clip_samples)
    report = Report(
        name,
        pair.encoder_hash,
        file_hash(multi),
        cost,
        describe_machine(pair.device),
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
