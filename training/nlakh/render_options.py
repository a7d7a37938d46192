"""The options of `showme data render`, and the specification and the inputs that they stand for.

The defaults are those of section 4 of Kim et al. 2022.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from index.sources.default import default_soundfont
from models.errors import TrainingError
from models.front_end import FrontEndConfig
from training import splits
from training.nlakh.dataset import TRAIN, VALID
from training.nlakh.spec import MAX_COUNT, InputPaths, RenderSpec, check_limits

CLIPS, MIXTURES = 1_000, {TRAIN: 100_000, VALID: 10_000}  # section 4
PRODUCTIONS = {TRAIN: 2_000, VALID: 200}
PRODUCTION_SECONDS = 15.0
DEFAULT_NOTES = "default"  # stands for the SoundFont of the default library
MAX_DIGITS = len(str(MAX_COUNT))


def counts_of(
    given: Sequence[str], defaults: dict[str, int], one_for_all: bool
) -> tuple[tuple[str, int], ...]:
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


def spec_of(options: argparse.Namespace) -> RenderSpec:
    """The specification that the options ask for. Raises TrainingError for a value outside its limits."""
    if options.kind == "single":
        counts = counts_of(options.clips, {TRAIN: CLIPS, VALID: CLIPS}, one_for_all=True)
        own = {"phrases": options.phrases}
    else:
        counts = counts_of(
            options.mixtures, PRODUCTIONS if options.production else MIXTURES, one_for_all=False
        )
        own = _mixture_settings(options)
    return RenderSpec(
        kind=options.kind,
        layout=options.layout,
        seed=options.seed,
        counts=counts,
        drums=options.drums or options.production,
        valid_share=options.valid_share,
        missing=options.missing,
        **own,
    )


def inputs_of(options: argparse.Namespace) -> InputPaths:
    """The inputs that the options name."""
    return InputPaths(
        notes=tuple(default_soundfont() if name == DEFAULT_NOTES else Path(name) for name in options.notes),
        midi=options.midi,
        midi_cache=options.midi_cache,
        manifest=options.manifest,
        only_probes=options.only_probes,
    )


def _mixture_settings(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of a `RenderSpec` that only mixtures have. Raises TrainingError for lengths without productions."""
    own: dict[str, Any] = {
        "max_instruments": options.max_instruments,
        "level_range_db": options.level_range_db,
    }
    if not options.production:
        if options.seconds is not None:
            message = "--seconds sets the length of productions: give --production"
            raise TrainingError(message, value=options.seconds)
        return own
    seconds = PRODUCTION_SECONDS if options.seconds is None else options.seconds
    check_limits(seconds=seconds)
    return own | {"production": True, "clip_samples": round(seconds * FrontEndConfig().sample_rate)}


def add_render(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    run: Callable[[argparse.Namespace, Console], int],
    workers: int,
) -> None:
    """Add the command; `run` is called with its options, `workers` is the default number of processes."""
    render = commands.add_parser("render", help="render Nlakh-single or Nlakh-multi")
    kinds = render.add_subparsers(dest="kind", required=True, metavar="single|multi")
    single = kinds.add_parser("single", help="clips of one instrument each")
    multi = kinds.add_parser("multi", help="mixtures of several instruments, with their stems")
    for command in (single, multi):
        command.set_defaults(run=run)
        _add_sources(command, workers)
    single.add_argument(
        "--clips", action="append", default=[], metavar="[SPLIT=]N", help="clips of each instrument (1000)"
    )
    single.set_defaults(only_probes=False, production=False)
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
    multi.add_argument(
        "--production",
        action="store_true",
        help="productions of 4 to 8 parts: with drums, voices, effects and a master (2000 for training)",
    )
    multi.add_argument("--seconds", type=float, metavar="S", help="length of the productions, 15 to 30 (15)")
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


def _add_sources(render: argparse.ArgumentParser, workers: int) -> None:
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
    render.add_argument("--workers", type=int, default=workers, metavar="W")
