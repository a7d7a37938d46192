"""Fit the instrument family model (`models/family.py`): the family of a single instrument, from the embeddings of its clips.

Enrollment asks it what an instrument is whose source does not say. It is fitted to clips of training instruments, rendered and
recorded; families count alike, and within a family the banks by the root of their number of instruments. No validation or
test data are used. It belongs to the single encoder, whatever multi encoder lies beside it.

    python -m training.instrument_family --weights models/weights --bank banks/single --bank banks/real
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from index.families import FAMILIES
from models.checkpoint import file_hash
from models.device import DEVICES
from models.encoder_pair import INSTRUMENT_FAMILY_FILE, SINGLE_FILE, WEIGHTS, EncoderPair
from models.errors import CheckpointError, EncoderMismatch
from models.family import FamilyModel
from training.bank import Bank
from training.commands import cli_errors
from training.evaluation.held_out import to_float
from training.family import fit_softmax
from training.nlakh.dataset import TRAIN, VALID
from training.recognition.solo_pieces import FamilyClips, clip_weights
from training.recognition.solo_scores import confusion_of, macro_scores

CLIPS_EACH = 8  # of each instrument
WEIGHT_PENALTY = 1e-2  # by validation (docs/EXPERIMENTS.md, "Solo recognition")
CLIPS_AT_ONCE = 256


def fit_instrument_family(pair: EncoderPair, banks: Sequence[Bank]) -> FamilyModel:
    """Fit the softmax to clips of the banks' instruments. Raises TrainingError if none has a family."""
    clips = FamilyClips(banks, CLIPS_EACH)
    family = clips.family_of_instrument(FAMILIES)
    weight = clip_weights(family, clips.bank_of_instrument, clips.instrument_of_clip)
    embedding, label = (
        torch.from_numpy(embed_all(pair, clips)),
        torch.from_numpy(family[clips.instrument_of_clip]),
    )
    return fit_softmax(embedding, label, torch.from_numpy(weight).float(), WEIGHT_PENALTY)


def known_instrument_family(single: Path) -> FamilyModel | None:
    """The model beside a single encoder's file if it was fitted to it; None where there is none, or another encoder's."""
    try:
        return FamilyModel.load(single.parent / INSTRUMENT_FAMILY_FILE, file_hash(single), None)
    except (CheckpointError, EncoderMismatch):
        return None


def embed_all(pair: EncoderPair, clips: FamilyClips) -> np.ndarray:
    """The embeddings `[clips, dim]` of all clips."""
    starts = range(0, clips.num_clips, CLIPS_AT_ONCE)
    places = (np.arange(start, min(start + CLIPS_AT_ONCE, clips.num_clips)) for start in starts)
    return np.concatenate([pair.embed(to_float(clips.rows(chosen))) for chosen in places])


def validate(pair: EncoderPair, model: FamilyModel, bank: Bank) -> dict[str, float]:
    """Macro F1 and top-1 on validation instruments, each the mean over its clips as at enrollment."""
    clips = FamilyClips([bank], CLIPS_EACH)
    share = np.zeros((len(clips.instruments), len(FAMILIES)))
    np.add.at(share, clips.instrument_of_clip, model.probability(embed_all(pair, clips)))
    confusion = confusion_of(clips.family_of_instrument(FAMILIES), share.argmax(axis=1), len(FAMILIES))
    return {name: float(value) for name, value in macro_scores(confusion).items()}


def write_instrument_family(weights: Path, banks: Sequence[Bank], device: str) -> FamilyModel:
    """Fit the model to the single encoder in the folder `weights`, and write it beside it."""
    pair = EncoderPair.load(weights, device, with_instrument_family=False, with_timeline=False)
    model = fit_instrument_family(pair, banks)
    model.save(weights / INSTRUMENT_FAMILY_FILE, file_hash(weights / SINGLE_FILE), None)
    return model


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the pair (the shipped one)")
    parser.add_argument(
        "--bank",
        type=Path,
        action="append",
        required=True,
        help="data set that trains and validates; repeatable",
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    options = parser.parse_args(argv)
    train, valid = ([Bank.open(folder, split) for folder in options.bank] for split in (TRAIN, VALID))
    model = write_instrument_family(options.weights, train, options.device)
    pair = EncoderPair.load(options.weights, options.device, with_timeline=False)
    for folder, bank in zip(options.bank, valid, strict=True):
        figures = validate(pair, model, bank)
        told = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        print(f"{folder.name}, validation instruments: {told}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
