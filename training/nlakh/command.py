"""The commands `showme data …`: render, verify and describe data sets, split instruments, count MIDI files, play synths.

Section 4 of Kim et al. 2022. Exit status: 0 done, 1 faults were found, 2 a mistake of the caller, 130 interrupted.
"""

import argparse
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress

from index.sources.default import default_soundfont
from training import splits
from training.commands import cli_errors
from training.midi import MidiCollection
from training.nlakh.dataset import TRAIN, VALID, Dataset, read_dataset
from training.nlakh.dataset_check import check_dataset
from training.nlakh.make import make
from training.nlakh.render_options import add_render, inputs_of, spec_of
from training.nlakh.spec import LIMITS, InputPaths, RenderSpec, check_limits
from training.nlakh.stats import describe_midi, print_report
from training.recognition.score_rendering import add_scores
from training.synth.patch_bank import make_patch_bank
from training.synth.patches import SYNTHESISERS, find_patches

HELD_OUT = ("valid", "test-same", "test-engine", "test-recorded", "test-default")
TRAINING_SET = {TRAIN: 24, **dict.fromkeys(HELD_OUT, 32)}  # clips of each instrument
RECORDED_SET = {TRAIN: 24, VALID: 8, "test-real": 8}  # of real recordings
MAX_NAMED = 10  # faults printed; all are in dataset.json
INTERRUPTED = 130
WORKERS = min(os.cpu_count() or 1, int(LIMITS["workers"][1]))


def _render(options: argparse.Namespace, console: Console) -> int:
    return _make(spec_of(options), inputs_of(options), options.out, options.workers, console)


def _make(spec: RenderSpec, inputs: InputPaths, out: Path, workers: int, console: Console) -> int:
    try:
        dataset = make(spec, inputs, out, console, workers=workers)
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: finished units are kept, the same command carries on")
        return INTERRUPTED
    _summary(out, dataset, console)
    return 0


def _summary(folder: Path, dataset: Dataset, console: Console) -> None:
    """Print the size of the data set, then its faults."""
    hours = sum(info.hours for info in dataset.splits.values())
    items = sum(info.mixtures or info.clips for info in dataset.splits.values())
    noun = "mixtures" if dataset.kind == "multi" else "clips"
    console.print(
        f"{escape(str(folder))}: {items:,} {noun} of {len(dataset.instruments):,} instruments, {hours:,.2f} hours",
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
    """Make the project's own training set: divide the instruments, then render every split."""
    manifest = options.out / "splits.json"
    spec = RenderSpec(
        kind="single",
        layout="compact",
        counts=tuple(TRAINING_SET.items()),
        seed=options.seed,
        drums=True,
        phrases="varied",
    )
    inputs = InputPaths((options.notes, default_soundfont()), options.midi, manifest=manifest)
    if not manifest.exists():
        with console.status("comparing the instruments' sound"):
            rows = splits.make_splits(
                options.notes, soundfont=default_soundfont(), real=options.real, progress=False
            )
        splits.write_manifest(manifest, rows)
    console.print(splits.summary(splits.read_manifest(manifest)), highlight=False)
    if manifest.read_bytes() != splits.MANIFEST.read_bytes():
        console.print(f"{manifest} differs from the manifest of the shipped encoders", style="yellow")
    status = _make(spec, inputs, options.out / "single", options.workers, console)
    if status or options.real is None:
        return status
    recorded = replace(spec, counts=tuple(RECORDED_SET.items()))
    inputs = InputPaths((options.real,), options.midi, manifest=manifest)
    return _make(recorded, inputs, options.out / "real", options.workers, console)


def _verify(options: argparse.Namespace, console: Console) -> int:
    faults = 0
    for what, why in check_dataset(options.folder):
        faults += 1
        console.print(f"{escape(what)}: {escape(why)}", highlight=False, soft_wrap=True)
    console.print(f"{faults} faults" if faults else "everything is as it was rendered")
    return 1 if faults else 0


def _stats(options: argparse.Namespace, console: Console) -> int:
    print_report(read_dataset(options.folder), console)
    return 0


def _splits(options: argparse.Namespace, console: Console) -> int:
    check_limits(seed=options.seed)
    rows = splits.make_splits(
        options.notes, soundfont=default_soundfont(), real=options.real, seed=options.seed
    )
    splits.write_manifest(options.out, rows)
    console.print(splits.summary(rows), highlight=False)
    return 0


def _midi(options: argparse.Namespace, console: Console) -> int:
    check_limits(workers=options.workers)
    lines = describe_midi(
        MidiCollection.read(options.folder, workers=options.workers, cache=options.midi_cache)
    )
    console.print("\n".join(lines), highlight=False, markup=False)
    return 0


def _synth(options: argparse.Namespace, console: Console) -> int:
    check_limits(workers=options.workers)
    patches = find_patches(options.synth or SYNTHESISERS)
    try:
        with Progress(console=console) as progress:
            task = progress.add_task("playing patches", total=len(patches))
            report = make_patch_bank(
                options.out,
                patches,
                workers=options.workers,
                apart_from=options.apart_from,
                done=lambda: progress.advance(task),
            )
    except KeyboardInterrupt:
        console.print("[yellow]interrupted[/]: finished patches are kept, the same command carries on")
        return INTERRUPTED
    console.print(
        f"{escape(str(options.out))}: {report.instruments:,} instruments of {len(patches):,} patches"
    )
    reasons = Counter(reason.partition(" of ")[0] for _, reason in report.left_out)
    for reason, count in reasons.most_common(MAX_NAMED):
        console.print(f"  {count} left out: {escape(reason)}", highlight=False)
    return 0


def _add_synth(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = commands.add_parser("synth", help="play the patches of software synthesisers into a note bank")
    command.set_defaults(run=_synth)
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the note bank; it may hold others"
    )
    command.add_argument(
        "--synth",
        action="append",
        metavar="NAME",
        help=f"a DSSI plug-in, by name or file; may be repeated (default: {', '.join(SYNTHESISERS)})",
    )
    command.add_argument(
        "--apart-from",
        action="append",
        type=Path,
        default=[],
        metavar="DIR",
        help="note banks whose near-duplicates are left out; may be repeated",
    )
    command.add_argument("--workers", type=int, default=WORKERS, metavar="W")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; `run` holds the function of the one given."""
    out = argparse.ArgumentParser(prog="showme data", description=(__doc__ or "").partition("\n\n")[0])
    commands = out.add_subparsers(required=True, metavar="COMMAND")
    add_render(commands, _render, WORKERS)
    _add_synth(commands)
    add_scores(commands, WORKERS)
    build = commands.add_parser(
        "build", help="make the project's training set: split the instruments, render every split"
    )
    divide = commands.add_parser("splits", help="split note banks by sound, name and source")
    build.set_defaults(run=_build)
    build.add_argument(
        "--notes", type=Path, required=True, metavar="DIR", help="the note banks (index.jsonl)"
    )
    build.add_argument("--midi", type=Path, required=True, metavar="DIR")
    build.add_argument("--out", type=Path, required=True, metavar="DIR")
    for command in (build, divide):
        command.add_argument(
            "--real",
            type=Path,
            metavar="DIR",
            help="real recordings: they train too, and near-duplicates are left out",
        )
    for name, run, about in (
        ("verify", _verify, "check a data set; list its faults, exit status 1 if there are any"),
        ("stats", _stats, "print the row of the paper's table 1 and plots"),
        ("midi", _midi, "count what a tree of MIDI files holds"),
    ):
        command = commands.add_parser(name, help=about)
        command.set_defaults(run=run)
        command.add_argument("folder", type=Path, metavar="DIR")
    divide.set_defaults(run=_splits)
    divide.add_argument("--notes", type=Path, required=True, metavar="DIR")
    divide.add_argument("--out", type=Path, required=True, metavar="FILE")
    for name in ("build", "midi"):
        commands.choices[name].add_argument("--workers", type=int, default=WORKERS, metavar="W")
    commands.choices["midi"].add_argument(
        "--midi-cache", type=Path, metavar="DIR", help="folder that keeps parsed MIDI for other runs"
    )
    build.add_argument("--seed", type=int, default=1, metavar="S")
    divide.add_argument("--seed", type=int, default=splits.SEED, metavar="S")
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = parser().parse_args(argv)
    console = Console(stderr=options.run in (_render, _build, _synth), soft_wrap=not sys.stdout.isatty())
    return int(options.run(options, console))


if __name__ == "__main__":
    raise SystemExit(main())
