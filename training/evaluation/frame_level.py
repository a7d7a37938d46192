"""`showme evaluate frame-level`: which families sound in every tenth of a second, by each network of the published table.

Hung & Yang 2018, table 2: F1 of each class over all frames of the test recordings, and the mean over classes. Thresholds are
those that were chosen on validation recordings. With `--weights` the timeline of the service is a row: what a network and the
slots tell together. The pitch estimator's notes are measured on the same recordings.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from models.checkpoint import file_hash, load_frame_level
from models.device import DEVICES, choose_device
from models.encoder_pair import FRAME_LEVEL_FILE, MULTI_FILE, SINGLE_FILE, EncoderPair
from models.errors import TrainingError
from models.front_end import FrontEndConfig
from models.recognition.frame_level_recogniser import resampled
from models.recognition.notes import read_notes
from models.recognition.pitch_estimator import PITCH_WEIGHTS, PitchEstimator
from training.commands import cli_errors
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.metrics import Values
from training.evaluation.report import (
    Report,
    ReportRow,
    Table,
    command_line,
    describe_machine,
    print_table,
    write_report,
)
from training.musicnet import NO_PITCH, TEST, ScoredRecording, recordings_of
from training.recognition.frame_features import FrameSet
from training.recognition.frame_recipe import NETWORKS
from training.recognition.frame_scores import class_f1, counts, mean_f1, predicted
from training.recognition.note_scores import matched_notes
from training.recognition.score_rendering import kind_of
from training.recognition.train_frame_level import CACHE
from training.timeline import hear_scored

NAME, SERVED = "frame-level", "served"
PUBLISHED = {  # the mean F1 of table 2
    "baseline": 0.865,
    "cqt": 0.887,
    **{f"hsf-{order}-true": value for order, value in enumerate((0.929, 0.930, 0.933, 0.932, 0.928), 1)},
    **{
        f"hsf-{order}-estimated": value
        for order, value in enumerate((0.886, 0.890, 0.889, 0.890, 0.890, 0.896))
    },
    "pitch-f": 0.886,
}
PUBLISHED_DATA = (
    "published: Hung & Yang 2018, seven instruments of MusicNet at 44.1 kHz, real recordings, thresholds chosen again on test "
    "data by the code; ours: families at 16 kHz, on instruments that no training heard; the figures are not comparable"
)


@dataclass(frozen=True)
class RowCounts:
    """What a network told of each recording: `totals [recordings, 3, classes]` (right, told, true) of `classes`."""

    name: str
    classes: tuple[str, ...]
    totals: NDArray[np.float64]

    def figures(self, chosen: NDArray[np.bool_], seed: int) -> dict[str, Estimate]:
        """The mean F1 over the classes, with an interval over the chosen recordings."""
        totals = self.totals[chosen]

        def measure(weights: Values) -> dict[str, Values]:
            return {"f1_macro": mean_f1(np.einsum("ru,ukc->rkc", weights, totals))}

        return estimate(measure, len(totals), seed)


def measure_network(name: str, path: Path, options: argparse.Namespace) -> tuple[RowCounts, FrameSet]:
    """Run a network over the test recordings. Raises CheckpointError, and TrainingError where the data cannot be read."""
    network, _ = load_frame_level(path)
    config = network.config
    cache = options.features or options.data / CACHE
    frames = FrameSet.open(options.data, options.split, cache, config.families, options.device)
    if not config.thresholds:
        raise TrainingError(f"{path} has no thresholds", value=str(path))
    target = [frames.targets(place) for place in range(len(frames.ids))]
    told = predicted(network.to(choose_device(options.device)), frames)
    return RowCounts(name, config.families, counts(told, target, config.thresholds)), frames


def measure_service(weights: Path, options: argparse.Namespace) -> tuple[RowCounts, tuple[str, ...]]:
    """Hear the test recordings as the service does, and their ids. Raises CheckpointError for weights without a timeline."""
    pair = EncoderPair.load(weights, options.device, with_match=False)
    config, model = pair.frame_level_recogniser().config, pair.timeline
    assert model is not None  # comes with the recogniser
    recordings = recordings_of(options.data, options.split)
    heard = list(hear_scored(pair, recordings))
    told = [model.probability(one.slots, one.frames) for one in heard]
    totals = counts(told, [one.target for one in heard], model.thresholds)
    return RowCounts(SERVED, config.families, totals), tuple(one.id for one in recordings)


def network_tables(rows: list[RowCounts], ids: tuple[str, ...], split: str, seed: int) -> Iterator[Table]:
    """Yield the table of all networks for all recordings and each kind of them, then the F1 of each class."""
    kinds = np.array([kind_of(key) for key in ids])
    groups = {"all recordings": np.ones(len(ids), bool)}
    groups |= {kind: kinds == kind for kind in sorted(set(kinds.tolist()) - {""})}
    for title, chosen in groups.items():
        notes = (f"{int(chosen.sum())} recordings", PUBLISHED_DATA)
        shown = [ReportRow(row.name, row.figures(chosen, seed) | _published(row.name)) for row in rows]
        kind = "frames" if chosen.all() else f"frames-{title}"
        yield Table(NAME, split, kind, f"families ten times a second, {title}", notes, tuple(shown))
    by_class = [
        ReportRow(
            row.name,
            {
                name: Estimate(float(f1))
                for name, f1 in zip(row.classes, class_f1(row.totals.sum(axis=0)), strict=True)
            },
        )
        for row in rows
    ]
    yield Table(NAME, split, "classes", "F1 of each family, all recordings", (), tuple(by_class))


def _published(name: str) -> dict[str, Estimate]:
    return {"published": Estimate(PUBLISHED[name])} if name in PUBLISHED else {}


def note_table(recordings: tuple[ScoredRecording, ...], split: str, device: str, seed: int) -> Table:
    """How well the pitch estimator reads the notes of recordings: precision, recall and F1 by onset and pitch."""
    estimator, rate = PitchEstimator.load(device=device), FrontEndConfig().sample_rate
    found = []
    for one in recordings:
        heard = read_notes(estimator.activity(resampled(one.samples(rate), rate)))
        true = {(note.start_seconds, note.pitch) for note in one.notes() if note.pitch != NO_PITCH}
        onsets = [(note.start_seconds, note.pitch) for note in heard]
        found.append((matched_notes(onsets, sorted(true)), len(heard), len(true)))
    totals = np.array(found, np.float64)  # [recordings, (right, told, true)]
    kinds = np.array([kind_of(one.id) for one in recordings])

    def measure(weights: Values) -> dict[str, Values]:
        right, told, true = (weights @ chosen).T
        scores = {"precision": right / np.maximum(told, 1), "recall": right / np.maximum(true, 1)}
        return scores | {"f1": 2 * right / np.maximum(told + true, 1)}

    rows = []
    for kind in ("all recordings", *sorted(set(kinds.tolist()) - {""})):
        chosen = totals if kind == "all recordings" else totals[kinds == kind]
        rows.append(ReportRow(kind, estimate(measure, len(chosen), seed)))
    notes = (
        f"{len(recordings)} recordings, {int(totals[:, 2].sum())} notes; one is right within 50 ms of its onset, at its pitch",
        "unisons of several parts at one moment count once; percussion and voices have no notes",
    )
    return Table(NAME, split, "notes", "notes read by the pitch network", notes, tuple(rows))


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="showme evaluate frame-level", description=(__doc__ or "").partition("\n\n")[0]
    )
    out.add_argument("--data", type=Path, required=True, metavar="DIR", help="recordings in MusicNet's form")
    out.add_argument(
        "--runs", type=Path, metavar="DIR", help="folder of the runs of showme train frame-level"
    )
    out.add_argument("--weights", type=Path, metavar="DIR", help="weights whose timelines are measured")
    out.add_argument("--notes", action="store_true", help="measure the pitch estimator's notes")
    out.add_argument(
        "--features", type=Path, metavar="DIR", help=f"keeps levels and pitches ({CACHE} in --data)"
    )
    out.add_argument("--split", default=TEST)
    out.add_argument("--recordings", type=int, metavar="N", help="measure the notes of the first N only")
    out.add_argument("--device", choices=DEVICES, default="auto")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    if options.runs is None and options.weights is None and not options.notes:
        raise TrainingError(
            "frame-level recognition is measured on --runs or --weights, its pitches by --notes"
        )
    tables: list[Table] = []
    if options.notes:
        recordings = recordings_of(options.data, options.split)[: options.recordings]
        tables.append(note_table(recordings, options.split, options.device, options.seed))
    if options.runs:
        paths = {name: options.runs / name / FRAME_LEVEL_FILE for name in NETWORKS}
        rows = [measure_network(name, path, options) for name, path in paths.items() if path.exists()]
        if not rows:
            raise TrainingError(f"{options.runs} holds no finished run", value=str(options.runs))
        tables += network_tables([row for row, _ in rows], rows[0][1].ids, options.split, options.seed)
    if options.weights:
        row, ids = measure_service(options.weights, options)
        tables += network_tables([row], ids, options.split, options.seed)
    console = Console()
    for table in tables:
        print_table(table, console)
    if options.json:
        machine = describe_machine(str(choose_device(options.device)))
        heard_by = (
            [options.weights / name for name in (SINGLE_FILE, MULTI_FILE)]
            if options.weights
            else [PITCH_WEIGHTS] * 2
        )
        first, second = (file_hash(path) for path in heard_by)
        report = Report(NAME, first, second, 0, machine, command_line([NAME, *argv]), tuple(tables))
        write_report(options.json, report)
    return 0
