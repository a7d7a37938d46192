"""Make trained encoders ready to ship: choose the presence threshold and the close similarity on validation, write the pair.

Both are chosen on what the service answers (`training/evaluation/served.py`). No test bank is touched.

    python -m training.release --single RUN/single.safetensors --multi RUN/multi.safetensors --bank VALIDATION --out DIR
"""

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from index.retrieval import QuerySlots
from models.checkpoint import file_hash, load_multi, load_single, save_checkpoint
from models.device import DEVICES, choose_device
from models.encoder_pair import MULTI_FILE, SINGLE_FILE, EncoderPair
from training.bank import Bank
from training.commands import cli_errors
from training.evaluation.bootstrap import Estimate
from training.evaluation.context import EvaluationContext
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.metrics import Bools, Floats, f1, unit_weights
from training.evaluation.mixtures import MAX_INSTRUMENTS, MIN_INSTRUMENTS, Places
from training.evaluation.paper import table_2
from training.evaluation.scoring import concatenate, search_all
from training.evaluation.served import answer, encode_passages, figures, ours
from training.evaluation.verification import verification
from training.nlakh.dataset import VALID

THRESHOLDS = np.arange(0.10, 0.91, 0.05)
NUM_PASSAGES = 200  # of each length
LENGTHS = (1, 3)  # clips: five seconds, one window, and fifteen
F1_COST = 0.02
FAR_SHARE = 0.05  # of the right hits that may be called far


@dataclass(frozen=True)
class Validation:
    """Passages of the validation instruments, encoded, and the library that answers them."""

    encoded: list[QuerySlots]
    playing: list[Places]
    library: Floats

    @classmethod
    def of(cls, context: EvaluationContext) -> "Validation":
        most = min(MAX_INSTRUMENTS, len(context.held.chosen))
        numbers = np.resize(np.arange(min(MIN_INSTRUMENTS, most), most + 1), NUM_PASSAGES)
        library = context.own.enrolled(context.held.chosen, context.held.num_enrolled)
        encoded, playing = [], []
        for clips in LENGTHS:
            slots, places = encode_passages(context, numbers.tolist(), clips)
            encoded += slots
            playing += places
        return cls(encoded, playing, library)

    @property
    def true(self) -> Bools:
        """Who plays in each passage, `[passages, instruments]`."""
        out = np.zeros((len(self.playing), len(self.library)), dtype=bool)
        for row, places in enumerate(self.playing):
            out[row, places] = True
        return out


def best_threshold(validation: Validation) -> float:
    """Choose the presence threshold with the least error in the number of tracks that costs at most 2 % of the best F1.

    F1 (macro) is of the set that the service names. It hardly falls when instruments are named that do not play; a user
    sees every one of them.
    """
    true, scores, count_errors = validation.true, [], []
    for threshold in THRESHOLDS:
        found = ours(validation.encoded, validation.playing, validation.library, float(threshold))
        scores.append(f1(true, found.named, unit_weights(len(true))).macro[0])
        counts = np.array([len(lanes.hits) for lanes in found.lanes])
        count_errors.append(np.abs(counts - true.sum(axis=1)).mean())
    affordable = np.where(np.array(scores) >= (1 - F1_COST) * max(scores), count_errors, np.inf)
    return round(float(THRESHOLDS[int(np.argmin(affordable))]), 2)


def close_similarity(validation: Validation, threshold: float) -> float:
    """The cosine that all but `FAR_SHARE` of the right first hits of tracks reach; a lower first hit is not close."""
    right: list[float] = []
    for slots, playing in zip(validation.encoded, validation.playing, strict=True):
        cosine = answer(slots, validation.library, threshold).cosine
        nearest = cosine.argmax(axis=1)
        right += cosine.max(axis=1)[np.isin(nearest, playing)].tolist()
    return round(float(np.quantile(right, FAR_SHARE)), 2) if right else 0.0


def release(
    single_path: Path, multi_path: Path, bank: Bank, out: Path, device: torch.device
) -> dict[str, float]:
    """Write both files into `out`; return the validation figures that the multi checkpoint then carries."""
    single, _ = load_single(single_path)
    multi, header = load_multi(multi_path)
    pair = EncoderPair(single, multi, file_hash(single_path), device)
    context = EvaluationContext(pair, ClipEmbeddings(pair, bank))
    validation = Validation.of(context)
    threshold = best_threshold(validation)
    pair.presence_threshold = threshold
    served = ours(validation.encoded, validation.playing, validation.library, threshold)
    metrics = {
        f"served_{name}": figure for name, figure in figures(served, len(validation.library), 0).items()
    }
    found = concatenate(search_all(context.random.encoded, validation.library))
    true = context.random.true(len(validation.library))
    row = table_2(true, found.named, found.probability, context.held.family, unit_weights(len(true)))
    metrics |= {name: Estimate(float(value[0])) for name, value in row.items()}
    clips = context.own.of_instruments(context.everyone.chosen, 0, bank.clips_per_instrument)
    metrics |= verification(list(clips), 0)
    rounded = {name: round(figure.value, 4) for name, figure in metrics.items()}
    rounded["close_similarity"] = close_similarity(validation, threshold)
    shutil.copyfile(single_path, _made(out) / SINGLE_FILE)
    header = replace(header, presence_threshold=threshold, metrics=rounded)
    save_checkpoint(multi, header, out / MULTI_FILE, dtype=torch.float16)
    EncoderPair.load(out, "cpu")  # refuses a pair that does not belong together
    return {"presence_threshold": threshold, **rounded}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Calibrate on the validation bank and write the pair to ship."
    )
    parser.add_argument("--single", type=Path, required=True)
    parser.add_argument("--multi", type=Path, required=True)
    parser.add_argument("--bank", type=Path, required=True, help="a data set with the split valid")
    parser.add_argument("--out", type=Path, required=True, help="a folder, such as models/weights")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    options = parser.parse_args(argv)
    bank = Bank.open(options.bank, VALID)
    shown = release(options.single, options.multi, bank, options.out, choose_device(options.device))
    for name, value in shown.items():
        print(f"{name} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
