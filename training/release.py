"""Make trained encoders ready to ship: choose on the validation bank what a used slot and a near hit are, and write the pair.

The presence threshold counts best at hardly any cost in instrument F1 (Kim et al. 2022, section 5.2). No test bank is touched.

    python -m training.release --single RUN/single.safetensors --multi RUN/multi.safetensors --bank VALIDATION --out DIR
"""

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.checkpoint import file_hash, load_multi, load_single, save_checkpoint
from models.device import DEVICES, choose_device
from models.encoder_pair import MULTI_FILE, SINGLE_FILE, EncoderPair
from training.bank import Bank
from training.commands import cli_errors
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.metrics import Bools, f1, once
from training.evaluation.paper import table_2
from training.evaluation.scoring import Answers, answers, joined
from training.evaluation.setting import Setting
from training.evaluation.verify import verification
from training.nlakh.dataset import VALID

THRESHOLDS = np.arange(0.10, 0.91, 0.05)
F1_COST = 0.02
FAR_SHARE = 0.05  # of the right hits that may be called far


def best_threshold(true: Bools, found_by: Answers) -> float:
    """The presence threshold that counts instruments best, among those that cost at most 2 % of the best F1 (macro).

    F1 alone hardly falls when slots are named that are not there; a user sees every one of them.
    """
    found = [found_by.retrieved(float(value)) for value in THRESHOLDS]
    scores = np.array([f1(true, sets, once(len(true))).macro[0] for sets in found])
    count_errors = [np.abs(sets.sum(axis=1) - true.sum(axis=1)).mean() for sets in found]
    affordable = np.where(scores >= (1 - F1_COST) * scores.max(), count_errors, np.inf)
    return round(float(THRESHOLDS[int(np.argmin(affordable))]), 2)


def close_similarity(true: Bools, found_by: Answers, threshold: float) -> float:
    """The cosine above which all but `FAR_SHARE` of the right best hits of used slots lie; below it, nothing is close."""
    used = found_by.presence >= threshold  # [K, slots]
    nearest = found_by.cosine.argmax(axis=2)
    right = used & np.take_along_axis(true, nearest, axis=1)
    return round(float(np.quantile(found_by.cosine.max(axis=2)[right], FAR_SHARE)), 2) if right.any() else 0.0


def release(
    single_path: Path, multi_path: Path, bank: Bank, out: Path, device: torch.device
) -> dict[str, float]:
    """Write both files into `out`; returns the validation figures that the multi checkpoint then carries."""
    single, _ = load_single(single_path)
    multi, header = load_multi(multi_path)
    pair = EncoderPair(single, multi, file_hash(single_path), device)
    setting = Setting(pair, ClipEmbeddings(pair, bank))
    library = setting.own.enrolled(setting.held.chosen, setting.held.num_enrolled)
    found = joined(answers(setting.random.heard, library))
    true = setting.random.true(len(library))
    threshold = best_threshold(true, found)
    row = table_2(true, found.probable(), found.posterior, setting.held.family, once(len(true)))
    clips = setting.own.of_instruments(setting.everyone.chosen, 0, bank.clips_per_instrument)
    metrics = {name: round(float(value[0]), 4) for name, value in row.items()}
    metrics |= {name: round(figure.value, 4) for name, figure in verification(list(clips), 0).items()}
    metrics["close_similarity"] = close_similarity(true, found, threshold)
    shutil.copyfile(single_path, _made(out) / SINGLE_FILE)
    header = replace(header, presence_threshold=threshold, metrics=metrics)
    save_checkpoint(multi, header, out / MULTI_FILE, dtype=torch.float16)
    EncoderPair.load(out, "cpu")  # refuses a pair that does not belong together
    return {"presence_threshold": threshold, **metrics}


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
    figures = release(options.single, options.multi, bank, options.out, choose_device(options.device))
    for name, value in figures.items():
        print(f"{name} {value}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
