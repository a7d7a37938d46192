"""`showme evaluate attention`: which instruments play in a clip of ten seconds, by the head of each kind of features.

Taenzer et al. 2021, figures 2 and 3: the macro average of the F1 on both sides, for log-mel, an untrained extractor, each
objective of pre-training, and features that were learned with more data. Here each kind has several heads, one for each seed.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from models.checkpoint import file_hash, load_attention, load_vggish
from models.device import choose_device
from models.errors import TrainingError
from training.commands import cli_errors
from training.evaluation import plots
from training.evaluation.bootstrap import Estimate
from training.evaluation.real_queries import RealQueries, RealQuery
from training.evaluation.report import (
    Report,
    ReportRow,
    Table,
    command_line,
    describe_machine,
    print_table,
    write_report,
)
from training.musicnet import TEST
from training.real.source import RealSource
from training.recognition.attention_scores import both_sides_f1, macro_f1
from training.recognition.feature_kinds import AUDIOSET, FEATURES, OBJECTIVES, RANDOM
from training.recognition.score_rendering import kind_of
from training.recognition.train_attention import data_arguments, data_of
from training.recognition.train_head import ATTENTION_FILE, predicted
from training.recognition.weak_clips import CLIP_SAMPLES, SAMPLE_RATE, Bools, Floats, WeakClips
from training.recognition.weak_features import FeatureStore

NAME = "attention"
REAL = "real"  # the split of real recordings
CONSTANT = "always the commoner side"
PUBLISHED = {AUDIOSET: 0.81}  # read from figure 2
PUBLISHED_DATA = (
    "published: Taenzer et al. 2021, 20 instruments of OpenMIC-2018; textual and denoising, learned with NSynth, lie about .02 "
    "above log-mel and .11 above random; alignment, learned with Freesound, above them; AudioSet above all, read from figure 2"
)


@dataclass(frozen=True)
class HeardClips:
    """The answers of the heads of a kind of features: `probability [seeds, clips, classes]`; the extractor's width."""

    kind: str
    probability: Floats
    width: float | None


@dataclass(frozen=True)
class Labels:
    """The labelled clips of a split: their names, and `truth` and `is_labelled [clips, classes]`."""

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    truth: Bools
    is_labelled: Bools


def hear(store: FeatureStore, split: str, heads: Sequence[Path], labels: Labels) -> HeardClips:
    """Run the heads of a kind of features over a split. Raises TrainingError for heads of other classes."""
    values = store.open(split).values
    told = []
    for path in heads:
        network, _ = load_attention(path)
        if network.config.classes != labels.classes:
            message = f"{path} tells {', '.join(network.config.classes)}; the clips have {', '.join(labels.classes)}"
            raise TrainingError(message, value=str(path), limit=", ".join(labels.classes))
        told.append(predicted(network.to(store.device), values))
    learned = store.kind in (RANDOM, *OBJECTIVES) and store.weights
    width = load_vggish(learned)[0].config.width if learned else None
    return HeardClips(store.kind, np.stack(told), width)


def kind_table(
    heard: Sequence[HeardClips], labels: Labels, split: str, of: str, chosen: NDArray[np.bool_]
) -> Table:
    """The macro F1 of each kind of features over the chosen clips: the mean of its seeds, their least and most."""
    truth, known = labels.truth[chosen], labels.is_labelled[chosen]
    rows = []
    for one in heard:
        scores = np.array([macro_f1(told[chosen], truth, known) for told in one.probability])
        figures = {
            "f1_macro": Estimate(float(scores.mean()), float(scores.min()), float(scores.max())),
            "deviation": Estimate(float(scores.std())),
            "seeds": Estimate(float(len(scores))),
        }
        figures |= {} if one.width is None else {"width": Estimate(one.width)}
        figures |= {"published": Estimate(PUBLISHED[one.kind])} if one.kind in PUBLISHED else {}
        rows.append(ReportRow(one.kind, figures))
    share = (truth & known).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    constant = np.broadcast_to(share.astype(np.float32), truth.shape)
    rows.append(ReportRow(CONSTANT, {"f1_macro": Estimate(macro_f1(constant, truth, known))}, is_chance=True))
    notes = (
        f"{int(chosen.sum())} clips of ten seconds, {int(known.sum())} labelled entries, {len(labels.classes)} classes",
        "F1 macro: of each class the mean of the F1 of its presence and of its absence at .5, on labelled entries; the mean "
        "over the heads of all seeds, in brackets the lowest and the highest. The heads of all seeds share one extractor",
        PUBLISHED_DATA,
    )
    return Table(NAME, split, "features", f"instruments in ten seconds, {of}", notes, tuple(rows))


def class_table(heard: Sequence[HeardClips], labels: Labels, split: str) -> Table:
    """The figure of each class, the mean over the seeds; classes with one side only are left out."""
    rows = []
    for one in heard:
        scores = [both_sides_f1(told, labels.truth, labels.is_labelled) for told in one.probability]
        figures = zip(labels.classes, np.mean(scores, axis=0).tolist(), strict=True)
        rows.append(ReportRow(one.kind, {name: Estimate(f1) for name, f1 in figures if not np.isnan(f1)}))
    return Table(NAME, split, "classes", "F1 of each class on both sides, all clips", (), tuple(rows))


def seed_table(heard: Sequence[HeardClips], labels: Labels, split: str) -> Table:
    """The macro F1 of each seed, for the box plot."""
    rows = []
    for one in heard:
        scores = [macro_f1(told, labels.truth, labels.is_labelled) for told in one.probability]
        rows.append(
            ReportRow(one.kind, {f"seed_{place}": Estimate(score) for place, score in enumerate(scores)})
        )
    return Table(NAME, split, "seeds", "macro F1 of each seed", (), tuple(rows))


def tables_of(heard: Sequence[HeardClips], labels: Labels, split: str) -> Iterator[Table]:
    """Yield the tables of a split: all clips, each kind of pieces, each class, each seed."""
    kinds = np.array([kind_of(name) for name in labels.ids])
    groups: dict[str, NDArray[np.bool_]] = {"all clips": np.ones(len(kinds), bool)}
    groups |= {kind: kinds == kind for kind in sorted(set(kinds.tolist()) - {""})}
    for title, chosen in groups.items():
        yield kind_table(heard, labels, split, title, chosen)
    yield class_table(heard, labels, split)
    yield seed_table(heard, labels, split)


def real_clips(folder: Path, classes: Sequence[str], mixtures: int, seed: int) -> WeakClips:
    """Solos of the test side of a folder of real recordings, and duets and trios of them, ten seconds of each.

    Every class is labelled; recordings without any of them are left out.
    """
    queries = RealQueries(RealSource(folder), "test-real", SAMPLE_RATE, seed)
    solos = queries.solos()
    found: list[RealQuery] = [
        *solos,
        *(one for size in (2, 3) for one in queries.mixtures(solos, size, mixtures)),
    ]
    found = [one for one in found if set(one.families) & set(classes)]
    if not found:
        raise TrainingError(f"{folder} holds no test recordings of {', '.join(classes)}", value=str(folder))
    truth = np.array([[name in one.families for name in classes] for one in found])
    waves = np.stack([one.wave[:CLIP_SAMPLES] for one in found])
    stamps = tuple(int(np.abs(wave).sum()) for wave in waves)
    ids = tuple(one.unit for one in found)
    return WeakClips(ids, tuple(classes), truth, np.ones_like(truth), stamps, waves.__getitem__)


def measure(
    options: argparse.Namespace, heads: Mapping[str, Sequence[Path]], device: torch.device
) -> Iterator[Table]:
    """Yield the tables of the labelled clips, then those of the real recordings."""
    opened: dict[str, WeakClips] = {options.split: data_of(options)(options.split)}
    classes = opened[options.split].classes
    if options.real:
        opened[REAL] = real_clips(options.real, classes, options.mixtures, options.seed)
    for split, clips in opened.items():
        labels = Labels(clips.ids, clips.classes, clips.truth, clips.is_labelled)
        heard = []
        for kind, paths in heads.items():
            if kind == AUDIOSET and clips.published is None:
                continue
            store = FeatureStore(kind, options.runs / kind, opened.__getitem__, device, options.musicnn)
            heard.append(hear(store, split, paths, labels))
        if not heard:
            raise TrainingError(f"no finished run in {options.runs} can hear the split {split}", value=split)
        yield from tables_of(heard, labels, split)


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="showme evaluate attention", description=(__doc__ or "").partition("\n\n")[0]
    )
    data_arguments(out)
    out.add_argument(
        "--runs", type=Path, required=True, metavar="DIR", help="folder of the runs of showme train attention"
    )
    out.add_argument("--split", default=TEST)
    out.add_argument(
        "--real", type=Path, metavar="DIR", help="folder of real recordings, whose test side is heard too"
    )
    out.add_argument(
        "--mixtures", type=int, default=100, metavar="N", help="duets of real recordings, and trios (100)"
    )
    out.add_argument("--seed", type=int, default=0, help="of the mixtures of real recordings")
    out.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    out.add_argument(
        "--plots", type=Path, metavar="DIR", help="draw the spread over the seeds into this folder"
    )
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    data_of(options)
    if options.plots:
        plots.check()
    found = {kind: sorted((options.runs / kind).glob(f"seed-*/{ATTENTION_FILE}")) for kind in FEATURES}
    heads = {kind: paths for kind, paths in found.items() if paths}
    if not heads:
        raise TrainingError(f"{options.runs} holds no finished run", value=str(options.runs))
    console, tables = Console(), []
    for table in measure(options, heads, choose_device(options.device)):
        tables.append(table)
        if table.kind != "seeds":
            print_table(table, console)
        elif options.plots:
            plots.draw_spread(table, options.plots / f"attention-{table.split}.png", "macro F1 of the heads")
    if options.json:
        first = file_hash(next(iter(heads.values()))[0])
        machine = describe_machine(str(choose_device(options.device)))
        report = Report(NAME, first, first, 0, machine, command_line([NAME, *argv]), tuple(tables))
        write_report(options.json, report)
    return 0
