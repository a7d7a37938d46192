"""Train attention recognition (Taenzer et al. 2021): an extractor of features where they are learned, and heads that hear them.

`showme train attention --features alignment --bank banks/single --data banks/scores --out runs/attention`; `--features` may be
repeated, or `all`. Each kind of features has a folder below `--out`, each seed of its head one below that.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from models.checkpoint import load_vggish
from models.device import DEVICES
from models.errors import TrainingError
from training import parallel
from training.commands import cli_errors
from training.config import read_recipe
from training.nlakh.dataset import TRAIN, VALID
from training.recognition.attention_recipe import (
    ATTENTION_RECIPE,
    EXTRACTOR_RECIPE,
    AttentionRecipe,
    ExtractorRecipe,
)
from training.recognition.feature_kinds import AUDIOSET, FEATURES, OBJECTIVES, RANDOM
from training.recognition.train_extractor import EXTRACTOR_FILE, ExtractorRun, write_random
from training.recognition.train_extractor import train as train_extractor
from training.recognition.train_head import ATTENTION_FILE, HeadRun
from training.recognition.train_head import train as train_head
from training.recognition.weak_clips import WeakClips, openmic_clips, scored_clips
from training.recognition.weak_features import FeatureStore

ALL = "all"


@dataclass(frozen=True)
class Deadline:
    """When the command ends; without minutes, never."""

    at: float | None

    @classmethod
    def after(cls, minutes: float | None) -> "Deadline":
        return cls(None if minutes is None else time.monotonic() + 60 * minutes)

    @property
    def seconds_left(self) -> float | None:
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    @property
    def has_passed(self) -> bool:
        return self.seconds_left == 0.0


def data_of(options: argparse.Namespace) -> Callable[[str], WeakClips]:
    """How the labelled clips of a split are opened. Raises TrainingError unless one of --data and --openmic is given."""
    if (options.data is None) == (options.openmic is None):
        raise TrainingError("give the labelled clips by --data or by --openmic, one of them")
    if options.openmic:
        return partial(openmic_clips, options.openmic)
    return partial(scored_clips, options.data)


def run_features(store: FeatureStore, options: argparse.Namespace, deadline: Deadline) -> bool:
    """Train all that is missing of a kind of features; return False when the time is up before."""
    kind, device = store.kind, store.device
    if kind in (RANDOM, *OBJECTIVES) and not learned(store, options, deadline):
        return False
    with parallel.main_process_first():
        heard, held = (store.open(split) for split in (TRAIN, VALID))
    recipe = read_recipe(AttentionRecipe, options.config, options.set)
    network = replace(recipe.network, classes=heard.classes, inputs=heard.values.shape[2], features=kind)
    for seed in range(options.seeds):
        out = store.folder / f"seed-{seed}"
        if (out / ATTENTION_FILE).exists():
            continue
        if parallel.broadcast(deadline.has_passed)[0]:
            return False
        say(f"{kind}, seed {seed}: {len(heard.values)} clips, {len(heard.classes)} classes")
        run = HeadRun(
            replace(recipe, seed=seed, network=network), heard, held, out, device, deadline.seconds_left
        )
        path = train_head(run)
        if path is None:
            return False
        say(f"wrote {path}")
    return True


def learned(store: FeatureStore, options: argparse.Namespace, deadline: Deadline) -> bool:
    """Train the extractor of a kind of features if it is missing; return whether it is there.

    Raises TrainingError where one of another width is there.
    """
    kind, weights = store.kind, store.folder / EXTRACTOR_FILE
    recipe = read_recipe(ExtractorRecipe, options.extractor_config, options.set_extractor)
    recipe = replace(recipe, network=replace(recipe.network, objective=kind))
    if kind == RANDOM:
        with parallel.main_process_first():
            if not weights.exists():
                write_random(recipe, weights)
    if weights.exists():
        if load_vggish(weights)[0].config != recipe.network:
            message = f"{weights} has another width than {recipe.network.width:g}; choose another folder or remove it"
            raise TrainingError(message, value=recipe.network.width)
        return True
    say(f"{kind}: the extractor, at width {recipe.network.width:g}")
    out = store.folder / "extractor"
    run = ExtractorRun(recipe, options.bank, weights, out, store.device, deadline.seconds_left)
    path = train_extractor(run)
    if path:
        say(f"wrote {path}")
    return path is not None


def say(text: str) -> None:
    """Print a line, on the main process."""
    if parallel.is_main_process():
        print(text, flush=True)


def data_arguments(out: argparse.ArgumentParser) -> None:
    """Add the options that say which labelled clips are heard, and by what."""
    out.add_argument(
        "--data", type=Path, metavar="DIR", help="recordings in MusicNet's form, of showme data scores"
    )
    out.add_argument("--openmic", type=Path, metavar="DIR", help="OpenMIC-2018, in the place of --data")
    out.add_argument(
        "--musicnn", type=Path, metavar="FILE", help="its weights (training/recognition/convert_musicnn.py)"
    )
    out.add_argument("--device", choices=DEVICES, default="auto")


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="showme train attention", description=(__doc__ or "").partition("\n\n")[0]
    )
    out.add_argument(
        "--features",
        action="append",
        required=True,
        choices=(ALL, *FEATURES),
        help="what the head hears; repeatable",
    )
    data_arguments(out)
    out.add_argument(
        "--bank", type=Path, action="append", help="Nlakh-single, by which extractors learn; repeatable"
    )
    out.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the runs; they are resumed"
    )
    out.add_argument("--seeds", type=int, default=5, metavar="N", help="heads of each kind of features (5)")
    out.add_argument(
        "--minutes", type=float, help="save and stop after this time; the same command continues"
    )
    out.add_argument(
        "--config", type=Path, default=ATTENTION_RECIPE, help="recipe of the heads: a TOML file or a name"
    )
    out.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="override a value of it")
    out.add_argument(
        "--extractor-config",
        type=Path,
        default=EXTRACTOR_RECIPE,
        help="recipe of the extractors: a TOML file or a name",
    )
    out.add_argument(
        "--set-extractor",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a value of it, e.g. network.width=0.25",
    )
    return out


def kinds_of(options: argparse.Namespace) -> tuple[str, ...]:
    """The kinds of features that are asked for; all are those that the data allow."""
    if ALL not in options.features:
        return tuple(dict.fromkeys(options.features))
    return tuple(kind for kind in FEATURES if kind != AUDIOSET or options.openmic)


def check(stores: Sequence[FeatureStore], options: argparse.Namespace) -> None:
    """Raise TrainingError where a kind of features lacks what it needs, before any is trained."""
    for store in stores:
        weights = store.weights  # raises an error for musicnn without weights
        if store.kind in OBJECTIVES and not options.bank and weights and not weights.exists():
            message = f"the features {store.kind} are learned from single instruments: give --bank"
            raise TrainingError(message, value=store.kind)
        if store.kind == AUDIOSET and not options.openmic:
            raise TrainingError(
                "features of AudioSet come with OpenMIC-2018 alone: give --openmic", value=AUDIOSET
            )


@cli_errors
def main(argv: list[str] | None = None) -> int:
    options = parser().parse_args(argv)
    if options.seeds < 1:
        raise TrainingError(
            f"--seeds is {options.seeds}; it must be at least 1", value=options.seeds, limit=1
        )
    clips, deadline = cache(data_of(options)), Deadline.after(options.minutes)
    with parallel.process_group(options.device) as device:
        stores = [
            FeatureStore(kind, options.out / kind, clips, device, options.musicnn)
            for kind in kinds_of(options)
        ]
        check(stores, options)
        for store in stores:
            if not run_features(store, options, deadline):
                say(f"time is up; the same command continues the runs in {options.out}")
                break
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
