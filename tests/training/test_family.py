"""Fitting the family model: what it learns from, what it leaves out, and that a command repeats it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from index.families import FAMILIES
from models.checkpoint import CheckpointHeader
from models.encoder_pair import FAMILY_FILE, EncoderPair
from models.errors import TrainingError
from models.family import FamilyModel
from tests.encoders import random_families, random_pair
from tests.training.small_bank import SmallBank
from tests.training.tiny_runs import recipe
from training.family import LabelledSlots, averaged, draw_slots, fit_family, recipe_in
from training.nlakh.dataset import DatasetInstrument

DIM = 32


class TwoFamilies(SmallBank):
    """The small bank with basses, flutes, and one instrument of no family."""

    @property
    def instruments(self) -> tuple[DatasetInstrument, ...]:
        rows = super().instruments
        families = (None, *("bass", "flute") * len(rows))
        return tuple(replace(row, family=family) for row, family in zip(rows, families, strict=False))


def clouds(number: int, seed: int = 0) -> LabelledSlots:
    """Embeddings around three centres, the third of them rare."""
    generator = torch.Generator().manual_seed(seed)
    family = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 4]).repeat(number)
    noise = 0.4 * torch.randn(len(family), DIM, generator=generator)
    embedding = torch.nn.functional.normalize(torch.eye(DIM)[family] + 0.2 * noise, dim=1)
    return LabelledSlots(embedding, family)


def clips() -> FamilyModel:
    """A model that tells nothing, and never a family that no clip is of."""
    bias = np.full(len(FAMILIES), -1e4, np.float32)
    bias[[0, 1, 4]] = 0.0
    return FamilyModel(FAMILIES, np.zeros((len(FAMILIES), DIM), np.float32), bias)


def test_a_fit_tells_families_apart_and_never_one_that_was_not_heard() -> None:
    model = fit_family(clouds(60), clips())
    unseen = clouds(20, seed=1)
    share = model.probability(unseen.embedding.numpy())
    assert (share.argmax(axis=1) == unseen.family.numpy()).mean() > 0.95
    assert share[:, [place for place in range(len(FAMILIES)) if place not in (0, 1, 4)]].max() < 1e-6
    again = fit_family(clouds(60), clips())
    assert np.array_equal(model.weight, again.weight)


def test_what_slots_and_clips_say_is_averaged() -> None:
    embedding = clouds(5).embedding.numpy()
    model = averaged(random_families(DIM, seed=1), random_families(DIM, seed=2))
    log = [np.log(random_families(DIM, seed=seed).probability(embedding)) for seed in (1, 2)]
    mean = np.exp(np.mean(log, axis=0))
    assert model.probability(embedding) == pytest.approx(mean / mean.sum(axis=1, keepdims=True), abs=1e-3)


def test_slots_are_those_of_instruments_with_a_family() -> None:
    pair, bank = random_pair(), TwoFamilies(clip_samples=80_000)
    drawn = draw_slots(pair, bank, recipe("multi"))
    assert drawn.embedding.shape == (len(drawn.family), pair.embedding_dim)
    assert torch.linalg.vector_norm(drawn.embedding, dim=1) == pytest.approx(1, abs=1e-4)
    assert {FAMILIES[place] for place in drawn.family.tolist()} == {"bass", "flute"}
    again = draw_slots(pair, bank, recipe("multi"))
    assert torch.equal(drawn.embedding, again.embedding)
    with pytest.raises(TrainingError, match="slots of 1 families"):
        draw_slots(pair, SmallBank(clip_samples=80_000), recipe("multi"))


def test_a_checkpoint_without_a_recipe_is_refused_in_words() -> None:
    with pytest.raises(TrainingError, match="records no recipe"):
        recipe_in(CheckpointHeader("multi", {}))


def test_the_shipped_pair_has_a_family_model() -> None:
    pair = EncoderPair.load(device="cpu")
    assert pair.family is not None, FAMILY_FILE
    assert pair.family.families == FAMILIES
