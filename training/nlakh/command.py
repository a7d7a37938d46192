"""The commands `showme data …`: render, verify and describe Nlakh data sets, divide instruments, look at MIDI files.

Section 4 of Kim et al. 2022. Exit status: 0 done, 1 faults were found, 2 a mistake of the caller, 130 interrupted.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from index.sources.default import default_soundfont
from models.errors import TrainingError
from training import splits
from training.commands import cli_errors
from training.midi import MidiCollection
from training.midi_stats import describe
from training.nlakh.dataset import TRAIN, VALID, Dataset, read_dataset
from training.nlakh.make import DEFAULT_NOTES, LIMITS, MAX_COUNT, Order, check_within, make
from training.nlakh.stats import print_report
from training.nlakh.verify import verify

CLIPS, MIXTURES = 1_000, {TRAIN: 100_000, VALID: 10_000}  # section 4
TRAINING_SET = {
    "train": 24,
    "valid": 32,
    "test-same": 32,
    "test-engine": 32,
    "test-recorded": 32,
    "test-default": 32,
}
FOR_BOTH = (  # options of both kinds, called as the fields of an Order are
    "kind",
    "layout",
    "midi",
    "out",
    "seed",
    "workers",
    "drums",
    "manifest",
    "valid_share",
    "midi_cache",
    "missing",
)
MAX_DIGITS = len(str(MAX_COUNT))
MAX_NAMED = 10  # faults printed; all are in dataset.json
INTERRUPTED = 130
WORKERS = min(os.cpu_count() or 1, int(LIMITS["workers"][1]))


def _counts(given: Sequence[str], defaults: dict[str, int], one_for_all: bool) -> tuple[tuple[str, int], ...]:
    """`["1000"]` or `["train=100000", "valid=10000"]` as counts of each split, the defaults where nothing is said."""
    counts = {} if any("=" in item for item in given) else dict(defaults)
    for item in given:
        split, _, number = item.rpartition("=")
        if not number.isdecimal() or len(number) > MAX_DIGITS or not 1 <= int(number) <= MAX_COUNT:
            message = f"{item!r} is no number of clips or mixtures from 1 to {MAX_COUNT:,}"
            raise TrainingError(message, value=item, limit=MAX_COUNT)
        if split:
            counts[split] = int(number)
        else:
            counts = {
                name: int(number) if one_for_all else -(-int(number) * size // defaults[TRAIN])
                for name, size in defaults.items()
            }
    return tuple(counts.items())


def _render(options: argparse.Namespace, console: Console) -> int:
    given = vars(options)
    if options.kind == "single":
        counts = _counts(options.clips, {TRAIN: CLIPS, VALID: CLIPS}, one_for_all=True)
        own = {"phrases": options.phrases}
    else:
        counts = _counts(options.mixtures, MIXTURES, one_for_all=False)
        own = {
            "max_instruments": options.max_instruments,
            "level_range_db": options.level_range_db,
            "probes": options.probes,
        }
    return _make(
        Order(notes=tuple(options.notes), counts=counts, **own, **{name: given[name] for name in FOR_BOTH}),
        console,
    )


def _make(order: Order, console: Console) -> int:
    try:
        dataset = make(order, console)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: what is finished is kept, the same command carries on")
        return INTERRUPTED
    _summary(order.out, dataset, console)
    return 0


def _summary(folder: Path, dataset: Dataset, console: Console) -> None:
    """What was made, and by name what was left out."""
    hours = sum(info.hours for info in dataset.splits.values())
    takes = sum(info.mixtures or info.clips for info in dataset.splits.values())
    what = "mixtures" if dataset.kind == "multi" else "clips"
    console.print(
        f"{escape(str(folder))}: {takes:,} {what} of {len(dataset.instruments):,} instruments, {hours:,.2f} hours",
        highlight=False,
    )
    if not dataset.faults:
        return
    console.print(f"{len(dataset.faults)} parts of the sources were left out:", style="yellow")
    for name, why in dataset.faults[:MAX_NAMED]:
        console.print(f"  {escape(name)}: {escape(why)}", highlight=False)
    left = Counter(why for _, why in dataset.faults[MAX_NAMED:])
    for why, count in left.most_common(MAX_NAMED):
        console.print(f"  {count} more: {escape(why)}", highlight=False)


def _build(options: argparse.Namespace, console: Console) -> int:
    """The project's own training set: divide the instruments, then render every side."""
    manifest = options.out / "splits.json"
    order = Order(
        kind="single",
        layout="compact",
        notes=(str(options.notes), DEFAULT_NOTES),
        midi=options.midi,
        out=options.out / "single",
        counts=tuple(TRAINING_SET.items()),
        seed=options.seed,
        workers=options.workers,
        drums=True,
        phrases="varied",
        manifest=manifest,
    )
    if not manifest.exists():
        with console.status("listening for near-duplicates"):
            rows = splits.make_splits(options.notes, soundfont=default_soundfont(), progress=False)
        splits.write_manifest(manifest, rows)
    console.print(splits.summary(splits.read_manifest(manifest)), highlight=False)
    if manifest.read_bytes() != splits.MANIFEST.read_bytes():
        console.print(f"{manifest} differs from the manifest of the shipped encoders", style="yellow")
    return _make(order, console)


def _verify(options: argparse.Namespace, console: Console) -> int:
    faults = 0
    for what, why in verify(options.folder):
        faults += 1
        console.print(f"{escape(what)}: {escape(why)}", highlight=False, soft_wrap=True)
    console.print(f"{faults} faults" if faults else "everything is as it was rendered")
    return 1 if faults else 0


def _stats(options: argparse.Namespace, console: Console) -> int:
    print_report(read_dataset(options.folder), console)
    return 0


def _splits(options: argparse.Namespace, console: Console) -> int:
    check_within("seed", options.seed, *LIMITS["seed"])
    rows = splits.make_splits(options.notes, soundfont=default_soundfont(), seed=options.seed)
    splits.write_manifest(options.out, rows)
    console.print(splits.summary(rows), highlight=False)
    return 0


def _midi(options: argparse.Namespace, console: Console) -> int:
    check_within("workers", options.workers, *LIMITS["workers"])
    lines = describe(MidiCollection.read(options.folder, workers=options.workers))
    console.print("\n".join(lines), highlight=False, markup=False)
    return 0


def _add_render(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    render = commands.add_parser("render", help="render Nlakh-single or Nlakh-multi")
    kinds = render.add_subparsers(dest="kind", required=True, metavar="single|multi")
    single = kinds.add_parser("single", help="clips of one instrument each")
    multi = kinds.add_parser("multi", help="mixtures of several instruments, with their stems")
    for command in (single, multi):
        command.set_defaults(run=_render)
        _add_sources(command)
    single.add_argument(
        "--clips", action="append", default=[], metavar="[SPLIT=]N", help="an instrument (1000)"
    )
    single.add_argument(
        "--phrases",
        choices=("midi", "varied"),
        default="midi",
        help="MIDI of the instrument's family, as in the paper; or also composed phrases and single notes",
    )
    multi.add_argument(
        "--mixtures",
        action="append",
        default=[],
        metavar="[SPLIT=]N",
        help="of the training split (100000); the validation split has a tenth",
    )
    multi.add_argument("--max-instruments", type=int, default=9, metavar="N", help="in a mixture (9)")
    multi.add_argument(
        "--level-range",
        type=float,
        default=6.0,
        metavar="DB",
        dest="level_range_db",
        help="stems differ by up to ± this (6)",
    )
    multi.add_argument(
        "--probes",
        action="store_true",
        help="of the manifest's instruments only the probes, the libraries that showme evaluate searches",
    )


def _add_sources(render: argparse.ArgumentParser) -> None:
    """What both kinds are made from, and where they go."""
    render.add_argument(
        "--notes",
        action="append",
        required=True,
        metavar="PATH",
        help="NSynth, note banks, SoundFonts, SFZ, or folders of these; 'default' is TimGM6mb; repeatable",
    )
    render.add_argument("--midi", type=Path, metavar="DIR", help="a tree of MIDI files, such as Lakh")
    render.add_argument("--out", type=Path, required=True, metavar="DIR")
    render.add_argument(
        "--layout",
        choices=("folders", "compact"),
        default="folders",
        help="the published folders of WAV files, or shards for training",
    )
    render.add_argument("--drums", action="store_true", help="take drum tracks and drum kits too")
    render.add_argument(
        "--splits",
        type=Path,
        default=splits.MANIFEST,
        metavar="FILE",
        dest="manifest",
        help="the split manifest",
    )
    render.add_argument(
        "--valid-share",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="of instruments that neither the manifest nor NSynth divides (0.05)",
    )
    render.add_argument(
        "--missing",
        choices=("nearest", "leave out"),
        default="nearest",
        help="a note that NSynth lacks: the nearest pitch and velocity there is, or silence",
    )
    render.add_argument(
        "--midi-cache", type=Path, metavar="DIR", help="where parsed MIDI is kept for other renderings"
    )
    render.add_argument("--seed", type=int, default=1, metavar="S")
    render.add_argument("--workers", type=int, default=WORKERS, metavar="W")


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="showme data", description=(__doc__ or "").partition("\n\n")[0])
    commands = out.add_subparsers(required=True, metavar="COMMAND")
    _add_render(commands)
    build = commands.add_parser(
        "build", help="make the project's training set: divide the instruments, render every side"
    )
    build.set_defaults(run=_build)
    build.add_argument(
        "--notes", type=Path, required=True, metavar="DIR", help="the note banks (index.jsonl)"
    )
    build.add_argument("--midi", type=Path, required=True, metavar="DIR")
    build.add_argument("--out", type=Path, required=True, metavar="DIR")
    for name, run, about in (
        ("verify", _verify, "check a data set; exit status 1 and a list if anything is off"),
        ("stats", _stats, "print the row of the paper's table 1 and plots"),
        ("midi", _midi, "count what a tree of MIDI files holds"),
    ):
        command = commands.add_parser(name, help=about)
        command.set_defaults(run=run)
        command.add_argument("folder", type=Path, metavar="DIR")
    divide = commands.add_parser("splits", help="divide note banks into sides by sound, name and source")
    divide.set_defaults(run=_splits)
    divide.add_argument("--notes", type=Path, required=True, metavar="DIR")
    divide.add_argument("--out", type=Path, required=True, metavar="FILE")
    for name in ("build", "midi"):
        commands.choices[name].add_argument("--workers", type=int, default=WORKERS, metavar="W")
    build.add_argument("--seed", type=int, default=1, metavar="S")
    divide.add_argument("--seed", type=int, default=splits.SEED, metavar="S")
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    console = Console(stderr=options.run in (_render, _build), soft_wrap=not sys.stdout.isatty())
    return int(options.run(options, console))


if __name__ == "__main__":
    raise SystemExit(main())
