"""Calibrate trained encoders on validation data and write the pair to ship.

The family models are fitted to training clips and mixtures (`training/instrument_family.py`, `training/family.py`). Then the
threshold of presence is chosen on answers of the service (`training/evaluation/served.py`), to real duets and trios too
if there are recordings, and the match model is fitted (`training/match.py`). No test data are used.

    python -m training.release --single RUN/single.safetensors --multi RUN/multi.safetensors --bank banks/single \
        --also banks/real --recordings DIR --out DIR
"""

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from index.retrieval import QuerySlots
from index.search_space import SearchSpace
from models.checkpoint import file_hash, load_multi, load_single, save_checkpoint
from models.device import DEVICES, choose_device
from models.encoder_pair import (
    FAMILY_FILE,
    INSTRUMENT_FAMILY_FILE,
    MATCH_FILE,
    MULTI_FILE,
    SINGLE_FILE,
    EncoderPair,
)
from models.family import FamilyModel
from training.bank import Bank, CombinedBank
from training.clip_store import ClipSource
from training.commands import cli_errors
from training.evaluation.bootstrap import Estimate
from training.evaluation.context import EvaluationContext
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.enrolled_library import EnrolledLibrary
from training.evaluation.metrics import Bools, f1, unit_weights
from training.evaluation.mixtures import MAX_INSTRUMENTS, MIN_INSTRUMENTS, Places
from training.evaluation.paper import table_2
from training.evaluation.real_context import EncodedQuery, RealContext
from training.evaluation.scoring import concatenate, search_all
from training.evaluation.served import LENGTHS, answer, encode_passages, figures, served_answers
from training.evaluation.verification import verification
from training.family import draw_slots, fit_family, recipe_in
from training.instrument_family import fit_instrument_family, known_instrument_family
from training.match import fit_match
from training.nlakh.dataset import TRAIN, VALID

THRESHOLDS = np.arange(0.10, 0.91, 0.05)
NUM_PASSAGES, PASSAGES_EACH = 200, 4  # of each length: in all and for each validation instrument, at most
NUM_MIXTURES, MIXTURES_EACH = 1_000, 20  # of the paper's protocol, likewise
NUM_REAL = 100  # duets, and as many trios
F1_COST = 0.02  # share of the best F1 that a smaller count error may cost


@dataclass(frozen=True)
class Validation:
    """Encoded passages of validation instruments, the instruments that play in them, and the library to search."""

    encoded: list[QuerySlots]
    playing: list[Places]
    library: SearchSpace

    @classmethod
    def from_context(cls, context: EvaluationContext) -> "Validation":
        """Encode passages of each of `LENGTHS`: `NUM_PASSAGES`, or fewer where there are few instruments."""
        held = len(context.held.chosen)
        most, count = min(MAX_INSTRUMENTS, held), min(NUM_PASSAGES, PASSAGES_EACH * held)
        numbers = np.resize(np.arange(min(MIN_INSTRUMENTS, most), most + 1), count)
        library = context.held_space
        encoded, playing = [], []
        for clips in LENGTHS:
            found = encode_passages(context.pair, context.held, numbers.tolist(), context.seed, clips)
            encoded += [one.slots for one in found]
            playing += [one.playing for one in found]
        return cls(encoded, playing, library)

    @property
    def true(self) -> Bools:
        """The instruments that play in each passage, as a mask `[passages, instruments]`."""
        out = np.zeros((len(self.playing), len(self.library)), dtype=bool)
        for row, places in enumerate(self.playing):
            out[row, places] = True
        return out


@dataclass(frozen=True)
class RealMixtures:
    """Encoded duets and trios of real solos that no training heard, and the library that links their slots to tracks."""

    encoded: list[EncodedQuery]
    library: EnrolledLibrary
    model: FamilyModel | None

    @classmethod
    def from_folder(cls, pair: EncoderPair, folder: Path) -> "RealMixtures":
        """Mix and encode `NUM_REAL` duets and trios each of a folder of real recordings. Raises SourceError."""
        context = RealContext(pair, folder, VALID)
        solos = context.queries.solos()
        mixed = [one for size in (2, 3) for one in context.queries.mixtures(solos, size, NUM_REAL)]
        return cls(context.encode(mixed), context.default_library, pair.family)

    def count_error(self, threshold: float) -> float:
        """The mean error in the number of tracks."""
        library = self.library.space(self.model)
        found = [answer(one.slots, library, threshold, self.library.hidden) for one in self.encoded]
        pairs = zip(found, self.encoded, strict=True)
        return float(np.mean([abs(len(one.tracks) - len(query.families)) for one, query in pairs]))


def best_threshold(validation: Validation, real: RealMixtures | None = None) -> float:
    """Return the presence threshold with the least track count error among those within 2 % of the best F1.

    F1 (macro) is of the set that the service names. It hardly falls when the set contains wrong instruments, but users see
    every one of them. The count error is the mean of that in rendered passages and, if given, that in real mixtures.
    """
    true, scores, count_errors = validation.true, [], []
    for threshold in map(float, THRESHOLDS):
        found = served_answers(validation.encoded, validation.playing, validation.library, threshold)
        scores.append(f1(true, found.named, unit_weights(len(true))).macro[0])
        counts = np.array([len(lanes.hits) for lanes in found.lanes])
        errors = [np.abs(counts - true.sum(axis=1)).mean(), *([real.count_error(threshold)] if real else [])]
        count_errors.append(np.mean(errors))
    within_cost = np.where(np.array(scores) >= (1 - F1_COST) * max(scores), count_errors, np.inf)
    return round(float(THRESHOLDS[int(np.argmin(within_cost))]), 2)


@dataclass(frozen=True)
class ReleaseData:
    """The data that calibrate a pair: the splits of a bank, all that the family model hears, a folder of `recordings`."""

    valid: Bank
    train: Bank
    also: tuple[Bank, ...] = ()
    recordings: Path | None = None

    @classmethod
    def open(cls, bank: Path, also: Sequence[Path] = (), recordings: Path | None = None) -> "ReleaseData":
        """Open the splits of `bank`; the training splits of `also` are heard too."""
        valid, train = (Bank.open(bank, split) for split in (VALID, TRAIN))
        return cls(valid, train, tuple(Bank.open(folder, TRAIN) for folder in also), recordings)

    @property
    def heard(self) -> ClipSource:
        """The clips of all training splits."""
        return CombinedBank([self.train, *self.also]) if self.also else self.train


def release(
    single_path: Path, multi_path: Path, data: ReleaseData, out: Path, device: torch.device
) -> dict[str, float]:
    """Write the five files into `out`; return the validation figures, which the header of the multi checkpoint holds too.

    With a folder of real recordings the threshold is chosen on them too.
    """
    single, _ = load_single(single_path)
    multi, header = load_multi(multi_path)
    pair = EncoderPair(single, multi, file_hash(single_path), device)
    clips = known_instrument_family(single_path) or fit_instrument_family(pair, [data.train, *data.also])
    pair.family = fit_family(draw_slots(pair, data.heard, recipe_in(header)), clips)
    own = ClipEmbeddings(pair, data.valid)
    count = min(NUM_MIXTURES, MIXTURES_EACH * len(own.instruments))
    context = EvaluationContext(pair, own, num_mixtures=count)
    validation = Validation.from_context(context)
    real = RealMixtures.from_folder(pair, data.recordings) if data.recordings else None
    threshold = best_threshold(validation, real)
    pair.presence_threshold = threshold
    rounded = _figures(context, validation, threshold, data.valid.clips_per_instrument)
    match = fit_match(pair, context.own, ClipEmbeddings(pair, data.train))
    header = replace(header, presence_threshold=threshold, metrics=rounded)
    out.mkdir(parents=True, exist_ok=True)
    for name in (
        FAMILY_FILE,
        INSTRUMENT_FAMILY_FILE,
        MATCH_FILE,
    ):  # never beside a pair that they were not fitted to
        (out / name).unlink(missing_ok=True)
    shutil.copyfile(single_path, out / SINGLE_FILE)
    multi_hash = save_checkpoint(multi, header, out / MULTI_FILE, dtype=torch.float16)
    clips.save(out / INSTRUMENT_FAMILY_FILE, pair.encoder_hash, None)
    pair.family.save(out / FAMILY_FILE, pair.encoder_hash, multi_hash)
    match.save(out / MATCH_FILE, pair.encoder_hash, multi_hash)
    EncoderPair.load(out, "cpu")  # raises an error if the files do not belong together
    return {"presence_threshold": threshold, **rounded, **match.metrics}


def _figures(
    context: EvaluationContext, validation: Validation, threshold: float, clips_each: int
) -> dict[str, float]:
    """The figures of the answers, of table 2 of the paper, and of verification."""
    served = served_answers(validation.encoded, validation.playing, validation.library, threshold)
    metrics = {
        f"served_{name}": figure for name, figure in figures(served, len(validation.library), 0).items()
    }
    found = concatenate(search_all(context.random.encoded, validation.library))
    true = context.random.true(len(validation.library))
    row = table_2(true, found.named, found.probability, context.held.family, unit_weights(len(true)))
    metrics |= {name: Estimate(float(value[0])) for name, value in row.items()}
    held = context.own.of_instruments(context.whole_split.chosen, 0, clips_each)
    metrics |= verification(list(held), 0)
    return {name: round(figure.value, 4) for name, figure in metrics.items()}


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Calibrate on validation instruments and write the pair to ship."
    )
    parser.add_argument("--single", type=Path, required=True)
    parser.add_argument("--multi", type=Path, required=True)
    parser.add_argument("--bank", type=Path, required=True, help="data set with the splits train and valid")
    parser.add_argument(
        "--also", type=Path, action="append", default=[], help="another data set that trained; repeatable"
    )
    parser.add_argument(
        "--recordings",
        type=Path,
        help="folder of real recordings, whose training groups choose the threshold too",
    )
    parser.add_argument("--out", type=Path, required=True, help="output folder, such as models/weights")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    options = parser.parse_args(argv)
    data = ReleaseData.open(options.bank, options.also, options.recordings)
    shown = release(options.single, options.multi, data, options.out, choose_device(options.device))
    for name, value in shown.items():
        print(f"{name} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
