"""Fit the family model of a pair of encoders (`models/family.py`) to slots of training mixtures, and write it beside them.

The mixtures are those of the multi encoder's recipe, effects included, but most of their stems are recorded where there are
recordings: families must be told from real sound. Each stem's slot is the one that is matched with it, as in
permutation-invariant training (Kim et al. 2022, section 3.2). What is fitted is averaged with the instrument family model, so
that comes first (`training.instrument_family`). No validation or test data are used. The match model of the pair rests on the
family model: fit it again afterwards (`training.match`). `training.release` does all three for a new pair.

    python -m training.family --weights models/weights --bank banks/single --bank banks/real
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from index.families import FAMILIES
from models.checkpoint import CheckpointHeader, file_hash, load_multi
from models.device import DEVICES
from models.encoder_pair import (
    FAMILY_FILE,
    INSTRUMENT_FAMILY_FILE,
    MULTI_FILE,
    SINGLE_FILE,
    WEIGHTS,
    EncoderPair,
)
from models.errors import TrainingError
from models.family import FamilyModel
from training.bank import Bank, CombinedBank
from training.clip_store import ClipSource, ClipStore
from training.commands import cli_errors
from training.config import Recipe
from training.effects.chain import Effects
from training.mixing import Mixer, is_recorded, recorded_weight
from training.nlakh.dataset import TRAIN
from training.pit import pit_cosine_loss

NUM_MIXTURES, MIXTURES_EACH = 5_000, 2  # in all and for each instrument, at most
RECORDED_SHARE = 0.6  # of the stems; this and the penalty by validation (docs/EXPERIMENTS.md)
MIXTURES_AT_ONCE = 64
LEAST_PRESENCE = 0.2  # a slot with less is no lane, whatever it is matched with
LABEL_SMOOTHING = 0.05
WEIGHT_PENALTY = 2e-2
ITERATIONS, HISTORY = 120, 20  # of L-BFGS, at most
INPUT_SCALE = 10.0  # of the embeddings, which are of unit norm


@dataclass(frozen=True)
class LabelledSlots:
    """Slots of mixtures: `embedding [n, dim]` of unit norm, and the place in `FAMILIES` of the matched stem's, `family [n]`."""

    embedding: Tensor
    family: Tensor


def draw_slots(pair: EncoderPair, bank: ClipSource, recipe: Recipe, seed: int = 0) -> LabelledSlots:
    """Encode random mixtures of the bank; slots of instruments without a family are left out.

    Raises TrainingError unless two families are heard.
    """
    store = ClipStore(bank, torch.device("cpu"))
    family = torch.tensor(
        [FAMILIES.index(one.family) if one.family in FAMILIES else -1 for one in bank.instruments]
    )
    mixing, rate = recipe.mixing, pair.sample_rate
    most = min(mixing.max_instruments, pair.num_slots, store.num_instruments)
    effects = Effects(recipe.effects, rate)
    both = len({is_recorded(one) for one in bank.instruments}) == 2
    weight = recorded_weight(bank.instruments, RECORDED_SHARE) if both else None
    mixer = Mixer(store, min(mixing.min_instruments, most), most, mixing.gain_db, effects, weight)
    generator = torch.Generator().manual_seed(seed)
    embeddings, families = [], []
    num_mixtures = min(NUM_MIXTURES, MIXTURES_EACH * store.num_instruments)
    for start in range(0, num_mixtures, MIXTURES_AT_ONCE):
        batch = mixer.draw(min(MIXTURES_AT_ONCE, num_mixtures - start), generator)
        slots, presence = (torch.from_numpy(found) for found in pair.encode(batch.wave.numpy()))
        target = torch.zeros(*batch.clip.shape, pair.embedding_dim)
        target[batch.mask] = torch.from_numpy(pair.embed(store.take(batch.clip[batch.mask]).numpy()))
        _, slot_of_target = pit_cosine_loss(slots, target, batch.mask)
        row, stem = batch.mask.nonzero(as_tuple=True)
        slot = slot_of_target[row, stem]
        label = family[batch.instrument[row, stem]]
        kept = (label >= 0) & (presence[row, slot] >= LEAST_PRESENCE)
        embeddings.append(slots[row, slot][kept])
        families.append(label[kept])
    found = LabelledSlots(torch.cat(embeddings), torch.cat(families))
    heard = len(found.family.unique())
    if heard < 2:
        raise TrainingError(f"slots of {heard} families tell no families apart", value=heard, limit=2)
    return found


def fit_family(slots: LabelledSlots, clips: FamilyModel) -> FamilyModel:
    """Fit the softmax to slots; those of a family together count by the root of their number.

    Its log odds are averaged with those of the model of `clips`: slots are where these embeddings should be, and clips are
    of more instruments than mixtures can hold (docs/EXPERIMENTS.md).
    """
    number = torch.bincount(slots.family, minlength=len(FAMILIES)).float()
    fitted = fit_softmax(slots.embedding, slots.family, number.rsqrt()[slots.family], WEIGHT_PENALTY)
    return averaged(fitted, clips)


def fit_softmax(embedding: Tensor, family: Tensor, weight: Tensor, penalty: float) -> FamilyModel:
    """Fit a softmax over FAMILIES by L-BFGS to `embedding [n, dim]` of unit norm, of `family [n]`, counted by `weight [n]`."""
    share = weight / weight.sum()
    linear = nn.Linear(embedding.shape[1], len(FAMILIES))
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimizer = torch.optim.LBFGS(
        linear.parameters(), max_iter=ITERATIONS, history_size=HISTORY, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = INPUT_SCALE * linear(embedding)
        each = functional.cross_entropy(logits, family, reduction="none", label_smoothing=LABEL_SMOOTHING)
        value = (share * each).sum() + penalty * linear.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    fitted, bias = (INPUT_SCALE * value.detach().numpy() for value in (linear.weight, linear.bias))
    heard = torch.bincount(family, minlength=len(FAMILIES)).numpy()
    bias[heard == 0] = -1e4  # a family that training never heard is never told
    return FamilyModel(tuple(FAMILIES), _halved(fitted), _halved(bias))


def averaged(one: FamilyModel, other: FamilyModel) -> FamilyModel:
    """The model whose log odds are the mean of those of two models of the same families."""
    weight, bias = (one.weight + other.weight) / 2, (one.bias + other.bias) / 2
    return FamilyModel(one.families, _halved(weight), _halved(bias))


def _halved(values: np.ndarray) -> np.ndarray:
    """The values in the precision of the file."""
    return values.astype(np.float16).astype(np.float32)


def recipe_in(header: CheckpointHeader) -> Recipe:
    """The recipe that a trained encoder's checkpoint records. Raises TrainingError if there is none."""
    try:
        return Recipe.from_dict(header.training["recipe"])
    except (KeyError, TypeError, ValueError) as error:
        raise TrainingError(f"the multi encoder's checkpoint records no recipe: {error}") from error


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Fit the family model of a pair of encoders to training mixtures and write it beside them."
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the pair (the shipped one)")
    parser.add_argument(
        "--bank", type=Path, action="append", required=True, help="data set that trains; repeatable"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    banks = [Bank.open(folder, TRAIN) for folder in options.bank]
    bank = CombinedBank(banks) if len(banks) > 1 else banks[0]
    pair = EncoderPair.load(options.weights, options.device, with_family=False, with_match=False)
    recipe = recipe_in(load_multi(options.weights / MULTI_FILE)[1])
    if pair.instrument_family is None:
        raise TrainingError(
            f"{INSTRUMENT_FAMILY_FILE} is missing: fit it first with `python -m training.instrument_family`"
        )
    slots = draw_slots(pair, bank, recipe, options.seed)
    model = fit_family(slots, pair.instrument_family)
    model.save(
        options.weights / FAMILY_FILE,
        file_hash(options.weights / SINGLE_FILE),
        file_hash(options.weights / MULTI_FILE),
    )
    told = model.probability(slots.embedding.numpy()).argmax(axis=1)
    print(f"{len(told):,} slots, family right in {float((told == slots.family.numpy()).mean()):.3f} of them")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
