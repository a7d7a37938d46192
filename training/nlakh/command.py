"""The commands `showme data …`: render, verify and describe Nlakh data sets, split instruments, count MIDI files.

Section 4 of Kim et al. 2022. Exit status: 0 done, 1 faults were found, 2 a mistake of the caller, 130 interrupted.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from index.sources.default import default_soundfont
from models.errors import TrainingError
from training import splits
from training.commands import cli_errors
from training.midi import MidiCollection
from training.nlakh.dataset import TRAIN, VALID, Dataset, read_dataset
from training.nlakh.dataset_check import check_dataset
from training.nlakh.make import make
from training.nlakh.spec import LIMITS, MAX_COUNT, InputPaths, RenderSpec, check_limits
from training.nlakh.stats import describe_midi, print_report

CLIPS, MIXTURES = 1_000, {TRAIN: 100_000, VALID: 10_000}  # section 4
HELD_OUT = ("valid", "test-same", "test-engine", "test-recorded", "test-default")
TRAINING_SET = {TRAIN: 24, **dict.fromkeys(HELD_OUT, 32)}  # clips of each instrument
RECORDED_SET = {TRAIN: 24, VALID: 8, "test-real": 8}  # of real recordings
DEFAULT_NOTES = "default"  # stands for the SoundFont of the default library
MAX_DIGITS = len(str(MAX_COUNT))
MAX_NAMED = 10  # faults printed; all are in dataset.json
INTERRUPTED = 130
WORKERS = min(os.cpu_count() or 1, int(LIMITS["workers"][1]))


def _counts(given: Sequence[str], defaults: dict[str, int], one_for_all: bool) -> tuple[tuple[str, int], ...]:
    """Read `["1000"]` or `["train=100000", "valid=10000"]` as counts of each split; `defaults` where nothing is given."""
    counts = {} if any("=" in item for item in given) else dict(defaults)
    for item in given:
        split, _, number = item.rpartition("=")
        if not number.isdecimal() or len(number) > MAX_DIGITS or not 1 <= int(number) <= MAX_COUNT:
            message = f"{item!r} is not a number of clips or mixtures from 1 to {MAX_COUNT:,}"
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
    if options.kind == "single":
        counts = _counts(options.clips, {TRAIN: CLIPS, VALID: CLIPS}, one_for_all=True)
        own = {"phrases": options.phrases}
    else:
        counts = _counts(options.mixtures, MIXTURES, one_for_all=False)
        own = {"max_instruments": options.max_instruments, "level_range_db": options.level_range_db}
    spec = RenderSpec(
        kind=options.kind,
        layout=options.layout,
        seed=options.seed,
        counts=counts,
        drums=options.drums,
        valid_share=options.valid_share,
        missing=options.missing,
        **own,
    )
    inputs = InputPaths(
        notes=tuple(default_soundfont() if name == DEFAULT_NOTES else Path(name) for name in options.notes),
        midi=options.midi,
        midi_cache=options.midi_cache,
        manifest=options.manifest,
        only_probes=options.only_probes,
    )
    return _make(spec, inputs, options.out, options.workers, console)


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


def _add_render(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    render = commands.add_parser("render", help="render Nlakh-single or Nlakh-multi")
    kinds = render.add_subparsers(dest="kind", required=True, metavar="single|multi")
    single = kinds.add_parser("single", help="clips of one instrument each")
    multi = kinds.add_parser("multi", help="mixtures of several instruments, with their stems")
    for command in (single, multi):
        command.set_defaults(run=_render)
        _add_sources(command)
    single.add_argument(
        "--clips", action="append", default=[], metavar="[SPLIT=]N", help="clips of each instrument (1000)"
    )
    single.set_defaults(only_probes=False)
    single.add_argument(
        "--phrases",
        choices=("midi", "varied"),
        default="midi",
        help="midi: excerpts of the instrument's family, as in the paper; varied: composed phrases and single notes too",
    )
    multi.add_argument(
        "--mixtures",
        action="append",
        default=[],
        metavar="[SPLIT=]N",
        help="mixtures of the training split (100000); the validation split gets a tenth",
    )
    multi.add_argument("--max-instruments", type=int, default=9, metavar="N", help="limit of a mixture (9)")
    multi.add_argument(
        "--level-range",
        type=float,
        default=6.0,
        metavar="DB",
        dest="level_range_db",
        help="random gain of each stem, ± DB (6)",
    )
    multi.add_argument(
        "--probes",
        action="store_true",
        dest="only_probes",
        help="use only the manifest's probes, the libraries that showme evaluate searches",
    )


def _add_sources(render: argparse.ArgumentParser) -> None:
    """Add the options of both kinds: inputs, output, settings."""
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
    render.add_argument("--drums", action="store_true", help="include drum tracks and drum kits")
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
        help="validation share of the instruments that neither the manifest nor NSynth assigns (0.05)",
    )
    render.add_argument(
        "--missing",
        choices=("nearest", "leave out"),
        default="nearest",
        help="a note that NSynth lacks: use the nearest pitch and velocity, or silence",
    )
    render.add_argument(
        "--midi-cache", type=Path, metavar="DIR", help="folder that keeps parsed MIDI for other runs"
    )
    render.add_argument("--seed", type=int, default=1, metavar="S")
    render.add_argument("--workers", type=int, default=WORKERS, metavar="W")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; `run` holds the function of the one given."""
    out = argparse.ArgumentParser(prog="showme data", description=(__doc__ or "").partition("\n\n")[0])
    commands = out.add_subparsers(required=True, metavar="COMMAND")
    _add_render(commands)
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
    console = Console(stderr=options.run in (_render, _build), soft_wrap=not sys.stdout.isatty())
    return int(options.run(options, console))


if __name__ == "__main__":
    raise SystemExit(main())
