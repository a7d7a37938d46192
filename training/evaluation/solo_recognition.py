"""`showme evaluate solo`: families of single instruments, as enrollment tells them and by the solo network (Segal 2016).

On held-out rendered instruments and on the test side of a folder of real recordings: precision, recall and F1 of every
family, their macro average, top-1, and the confusions as a picture.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from index.families import FAMILIES
from index.sources.base import is_silent
from models.audio import split_windows
from models.checkpoint import file_hash, load_multi
from models.device import DEVICES
from models.encoder_pair import INSTRUMENT_FAMILY_FILE, MULTI_FILE, WEIGHTS, EncoderPair
from models.errors import SilentAudio, TrainingError
from models.recognition.solo_recogniser import SoloRecogniser
from training.bank import Bank
from training.commands import cli_errors
from training.evaluation import plots
from training.evaluation.bootstrap import Estimate, estimate
from training.evaluation.cost import multiply_adds
from training.evaluation.held_out import to_float
from training.evaluation.metrics import Floats, Values
from training.evaluation.real_context import PART_OF_SPLIT, TEST
from training.evaluation.real_queries import SECONDS, RealQueries, RealQuery
from training.evaluation.report import (
    Report,
    ReportRow,
    Table,
    command_line,
    describe_machine,
    print_table,
    write_report,
)
from training.nlakh.dataset import TRAIN, VALID, read_dataset
from training.real.source import RealSource
from training.recognition.solo_scores import class_scores, confusion_of, macro_scores

NAME = "solo"
SERVED, NETWORK = "instrument family model", "solo network"
PUBLISHED = (
    ("published, validation", {"top1": Estimate(1 - 0.256), "f1_macro": Estimate(0.747)}),
    ("published, test", {"top1": Estimate(1 - 0.283), "f1_macro": Estimate(0.692)}),
)
PUBLISHED_DATA = (
    "published: Segal 2016, 12 instruments at 22.05 kHz, snippets of 3 s of real recordings (IRMAS, MedleyDB stems and single "
    "finds; tested on Good-Sounds and single finds); its printed averages, .689 and .639, divide 12 classes by 13",
    "ours: families instead of instruments, drums, pads and sound effects among them, at 16 kHz; other data, so the figures "
    "stand side by side and are not comparable",
)

# Mono recordings [samples] of one sound, at the encoders' rate → the probability of each of FAMILIES.
Hear = Callable[[Sequence[Floats]], Floats]


@dataclass(frozen=True)
class Heard:
    """Recordings as the methods hear them: place of the true family `truth [n]` in FAMILIES, number of the instrument
    `unit [n]` from 0, and of each method the probabilities `[n, FAMILIES]`."""

    truth: NDArray[np.int64]
    unit: NDArray[np.int64]
    probability: Mapping[str, Floats]

    @property
    def num_units(self) -> int:
        return int(self.unit.max()) + 1

    def by_unit(self) -> "Heard":
        """Each instrument as one recording: the mean over its recordings."""
        number = np.bincount(self.unit)[:, None]
        mean: dict[str, Floats] = {}
        for name, values in self.probability.items():
            total = np.zeros((self.num_units, values.shape[1]), np.float32)
            np.add.at(total, self.unit, values)
            mean[name] = (total / number).astype(np.float32)
        truth = np.zeros(self.num_units, np.int64)
        truth[self.unit] = self.truth
        return Heard(truth, np.arange(self.num_units), mean)

    def confusion(self, method: str) -> NDArray[np.float64]:
        """The confusion matrix `[FAMILIES, FAMILIES]` of a method."""
        return confusion_of(self.truth, self.probability[method].argmax(axis=1), len(FAMILIES))

    def figures(self, method: str, seed: int) -> dict[str, Estimate]:
        """Top-1 and the macro scores of a method, with intervals over instruments."""
        by_unit = np.zeros((self.num_units, len(FAMILIES), len(FAMILIES)))
        np.add.at(by_unit, (self.unit, self.truth, self.probability[method].argmax(axis=1)), 1)

        def measure(weights: Values) -> dict[str, Values]:
            return macro_scores(np.einsum("ru,utf->rtf", weights, by_unit))

        return estimate(measure, self.num_units, seed)


def hear_by_network(recogniser: SoloRecogniser) -> Hear:
    """The solo network, on the windows of three seconds that sound."""

    def hear(recordings: Sequence[Floats]) -> Floats:
        share = recogniser.recognise(recordings)
        return np.array([share.get(family, 0.0) for family in FAMILIES], np.float32)

    return hear


def hear_by_embedding(pair: EncoderPair) -> Hear:
    """The instrument family model, as enrollment asks it: the mean over the single encoder's windows that sound.

    Raises TrainingError if the encoders come without one.
    """
    model = pair.instrument_family
    if model is None:
        raise TrainingError(
            f"the encoders come without {INSTRUMENT_FAMILY_FILE}; fit it with `python -m training.instrument_family`"
        )
    places = [FAMILIES.index(family) for family in model.families]

    def hear(recordings: Sequence[Floats]) -> Floats:
        size = pair.clip_samples
        cut = [split_windows(one, clip_samples=size, hop_samples=size)[0] for one in recordings]
        sounding = [window for windows in cut for window in windows if not is_silent(window)]
        if not sounding:
            raise SilentAudio("no window of five seconds sounds", value="silent")
        share = np.zeros(len(FAMILIES), np.float32)
        share[places] = model.probability(pair.embed(np.stack(sounding))).mean(axis=0)
        return share

    return hear


def hear_all(recordings: Sequence[RealQuery], methods: Mapping[str, Hear]) -> Heard:
    """Hear recordings with every method; silent ones are left out. Raises TrainingError if none is left."""
    kept: list[RealQuery] = []
    heard: dict[str, list[Floats]] = {name: [] for name in methods}
    for one in recordings:
        try:
            found = {name: hear([one.wave]) for name, hear in methods.items()}
        except SilentAudio:
            continue
        kept.append(one)
        for name, share in found.items():
            heard[name].append(share)
    if not kept:
        raise TrainingError("no recording of a known family sounds", value=len(recordings))
    number = np.unique([one.unit for one in kept], return_inverse=True)[1].astype(np.int64)
    truth = np.array([FAMILIES.index(one.families[0]) for one in kept])
    return Heard(truth, number, {name: np.stack(shares) for name, shares in heard.items()})


def clips_of(bank: Bank, clips_each: int) -> Iterator[RealQuery]:
    """Yield the first clips of every instrument of a family."""
    for place, instrument in enumerate(bank.instruments):
        if instrument.family in FAMILIES:
            first = place * bank.clips_per_instrument
            rows = np.arange(first, first + min(clips_each, bank.clips_per_instrument))
            for wave in to_float(bank.rows(rows)):
                yield RealQuery(wave, (instrument.family,), instrument.id)


def rendered_tables(split: str, heard: Heard, notes: Sequence[str], seed: int) -> Iterator[Table]:
    """Yield the tables of a split of rendered instruments: scores by clip and by instrument, families, confusions."""
    rows = []
    for what, one in (("clip", heard), ("instrument", heard.by_unit())):
        rows += [ReportRow(f"{name}, by {what}", one.figures(name, seed)) for name in one.probability]
    counts = f"{len(heard.truth)} clips of five seconds, of {heard.num_units} instruments with a family"
    by = "by instrument: the mean over its clips, as at enrollment"
    rows += [ReportRow(name, figures) for name, figures in PUBLISHED]
    title = "family of one rendered instrument"
    yield Table(NAME, split, "solo", title, (counts, by, *notes, *PUBLISHED_DATA), tuple(rows))
    yield from class_tables(split, heard, "one rendered instrument, by clip")


def real_tables(
    folder: Path, methods: Mapping[str, Hear], notes: Sequence[str], sample_rate: int, seed: int
) -> Iterator[Table]:
    """Yield the tables of the real test side: top-1 by kind of sound, the scores of all, families, confusions."""
    source = RealSource(folder)
    queries = RealQueries(source, PART_OF_SPLIT[TEST], sample_rate, seed)
    sounds: dict[str, list[RealQuery]] = {
        "solos": queries.solos(),
        "sampled notes": list(queries.phrases(source.originals(PART_OF_SPLIT[TEST], "notes"))),
        "voices": queries.voices(),
        "drum kits": list(queries.beats()),
        "drum loops": queries.drum_loops(),
        "stems": queries.stems(),
    }
    sounds = {name: [one for one in found if one.families] for name, found in sounds.items()}
    rows: list[ReportRow] = []
    counts: list[str] = []
    for name, found in sounds.items():
        counts.append(f"{name}: {len(found)} recordings of {len({one.unit for one in found})} instruments")
        if found:
            heard = hear_all(found, methods)
            for method in methods:
                rows.append(ReportRow(f"{name} · {method}", {"top1": heard.figures(method, seed)["top1"]}))
    every = hear_all([one for found in sounds.values() for one in found], methods)
    rows += [ReportRow(f"all · {method}", every.figures(method, seed)) for method in methods]
    rows += [ReportRow(name, figures) for name, figures in PUBLISHED]
    title = f"family of one real instrument, {SECONDS:g} s"
    yield Table(NAME, TEST, "solo", title, (*counts, *notes, *PUBLISHED_DATA), tuple(rows))
    yield from class_tables(TEST, every, "one real instrument")


def class_tables(split: str, heard: Heard, of_what: str) -> Iterator[Table]:
    """Yield the scores of the served model by family, beside the network's F1, and its confusions as shares."""
    confusion = heard.confusion(SERVED)
    values = dict(zip(("precision", "recall", "f1"), class_scores(confusion), strict=True))
    if NETWORK in heard.probability:
        values["f1_network"] = class_scores(heard.confusion(NETWORK))[2]
    number = np.bincount(heard.by_unit().truth, minlength=len(FAMILIES))
    rows, shares = [], []
    for place in np.flatnonzero(number):
        figures = {name: Estimate(float(value[place])) for name, value in values.items()}
        rows.append(ReportRow(FAMILIES[place], {**figures, "instruments": Estimate(float(number[place]))}))
        share = confusion[place] / confusion[place].sum()
        told = {name: Estimate(float(part)) for name, part in zip(FAMILIES, share, strict=True)}
        shares.append(ReportRow(FAMILIES[place], told))
    yield Table(NAME, split, "classes", f"{of_what}, family by family", (), tuple(rows))
    yield Table(NAME, split, "confusion", f"{of_what}, confusions", (), tuple(shares))


def measure(
    options: argparse.Namespace, pair: EncoderPair, recogniser: SoloRecogniser | None
) -> Iterator[Table]:
    """Yield the tables of the bank's splits, then of the real recordings."""
    methods = {SERVED: hear_by_embedding(pair)}
    notes = [
        f"{SERVED}: softmax over the single encoder's embeddings, fitted to clips of training instruments (models/family.py)"
    ]
    if recogniser:
        methods[NETWORK] = hear_by_network(recogniser)
        notes.append(f"{NETWORK}: {file_hash(options.network)[:19]}…, {', '.join(recogniser.families)}")
    splits = options.split or []
    if options.bank and not splits:
        splits = [name for name in read_dataset(options.bank).splits if name not in (TRAIN, VALID)]
    for split in splits if options.bank else ():
        heard = hear_all(list(clips_of(Bank.open(options.bank, split), options.clips)), methods)
        yield from rendered_tables(split, heard, notes, options.seed)
    if options.real:
        yield from real_tables(options.real, methods, notes, pair.sample_rate, options.seed)


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(
        prog="showme evaluate solo", description=(__doc__ or "").partition("\n\n")[0]
    )
    out.add_argument("--bank", type=Path, help="data set (Nlakh-single) with held-out instruments")
    out.add_argument("--split", action="append", help="split of it (default: all that test); repeatable")
    out.add_argument(
        "--real", type=Path, metavar="DIR", help="folder of real recordings, whose test side is heard"
    )
    out.add_argument("--clips", type=int, default=8, metavar="N", help="clips of each instrument (8)")
    out.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the encoders and their models")
    out.add_argument(
        "--network", type=Path, metavar="FILE", help="a solo network to compare (`showme train solo`)"
    )
    out.add_argument("--device", choices=DEVICES, default="auto")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    out.add_argument("--plots", type=Path, metavar="DIR", help="draw the confusions into this folder")
    return out


@cli_errors
def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    options = parser().parse_args(argv)
    if options.bank is None and options.real is None:
        raise TrainingError("solo recognition is measured on --bank, --real, or both")
    if options.clips < 1:
        raise TrainingError(
            f"--clips is {options.clips}; it must be at least 1", value=options.clips, limit=1
        )
    if options.plots:
        plots.check()
    recogniser = SoloRecogniser.load(options.network, options.device) if options.network else None
    pair = EncoderPair.load(options.weights, options.device, with_match=False)
    console, tables = Console(), []
    for table in measure(options, pair, recogniser):
        tables.append(table)
        if table.kind != "confusion":
            print_table(table, console)
        elif options.plots:
            path = options.plots / f"solo-confusion-{table.split}.png"
            plots.draw_confusion(table, path, f"recognised by the {SERVED}")
    multi = options.weights / MULTI_FILE
    cost = multiply_adds(load_multi(multi)[0], pair.clip_samples)
    machine, command = describe_machine(pair.device), command_line([NAME, *argv])
    report = Report(NAME, pair.encoder_hash, file_hash(multi), cost, machine, command, tuple(tables))
    if options.json:
        write_report(options.json, report)
    return 0
