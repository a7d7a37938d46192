"""The losses of the multi encoder beside slow twins, and those of its earlier layers."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.posterior import library_posterior
from models.slots import SlotLogits
from tests.training.small_bank import SmallBank
from tests.training.tiny_runs import BANK, CPU
from training.clip_store import ClipStore
from training.config import MultiLossConfig
from training.losses import cell_loss, family_loss, posterior_loss, prototype_loss, slot_losses
from training.mixing import Mixer
from training.targets import Targets


def test_the_cell_loss_equals_its_slow_twin() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = Mixer(ClipStore(BANK, CPU), 2, 4).draw(3, generator)
    cells = torch.randn(3, 7, 16, generator=generator)
    prototype = torch.nn.functional.normalize(torch.randn(6, 16, generator=generator), dim=-1)
    losses = []
    for row in range(3):
        cosine = torch.nn.functional.normalize(cells[row], dim=-1) @ prototype.T
        score = (10 * cosine).exp().sum(dim=0).log()
        truth = batch.instrument[row][batch.mask[row]].tolist()
        absent = [score[index].exp() for index in range(6) if index not in truth]
        losses += [-torch.log(score[index].exp() / (score[index].exp() + sum(absent))) for index in truth]
    expected = torch.stack(losses).mean()
    assert torch.allclose(cell_loss(cells, batch, prototype, 10.0), expected, atol=1e-5)


def test_cells_may_be_told_from_the_batch_alone() -> None:
    """With every instrument in the batch, both values of `rivals` give the same loss."""
    cells, prototype = torch.randn(12, 5, 16), torch.nn.functional.normalize(torch.randn(6, 16), dim=-1)
    batch = Mixer(ClipStore(SmallBank(6, 2), CPU), 3, 3).draw(12, torch.Generator().manual_seed(0))
    assert set(batch.instrument[batch.mask].tolist()) == set(range(6))
    everyone, present = (cell_loss(cells, batch, prototype, 10.0, rivals) for rivals in ("all", "batch"))
    assert torch.allclose(everyone, present, atol=1e-5)


def test_the_posterior_loss_is_the_likelihood_of_the_true_set() -> None:
    generator = torch.Generator().manual_seed(0)
    slot, presence_logit = (torch.randn(12, 4, *size, generator=generator) for size in ((16,), ()))
    prototype = torch.nn.functional.normalize(torch.randn(6, 16, generator=generator), dim=-1)
    batch = Mixer(ClipStore(SmallBank(6, 2), CPU), 3, 3).draw(12, torch.Generator().manual_seed(0))
    truth = torch.zeros(12, 6, dtype=torch.bool).scatter_(1, batch.instrument, True)
    cosine = torch.nn.functional.normalize(slot, dim=-1) @ prototype.T
    posterior = library_posterior(cosine.numpy(), presence_logit.sigmoid().numpy(), 8.0)
    likelihood = np.where(truth, posterior, 1 - posterior)
    got = posterior_loss(slot, presence_logit, batch, prototype, 8.0)
    assert got.item() == pytest.approx(-np.log(likelihood).sum() / truth.sum().item(), rel=1e-4)


def test_the_family_loss_is_the_mass_of_all_instruments_of_the_family() -> None:
    generator = torch.Generator().manual_seed(0)
    bank = SmallBank(6, 2, families=("organ", "reed", None))
    embedding = torch.nn.functional.normalize(torch.randn(bank.num_clips, 16, generator=generator), dim=-1)
    targets = Targets(embedding, ClipStore(bank, CPU))
    instrument = torch.tensor([0, 1, 2, 4, 5])  # of organ, reed, none, reed, none
    slot = torch.randn(5, 16, generator=generator)
    share = (10 * torch.nn.functional.normalize(slot, dim=-1) @ targets.prototype.T).softmax(dim=-1)
    mass = torch.stack([share[0, [0, 3]].sum(), share[1, [1, 4]].sum(), share[3, [1, 4]].sum()])
    assert torch.allclose(family_loss(slot, instrument, targets, 10.0), -mass.log().mean(), atol=1e-5)
    assert family_loss(slot[[2, 4]], instrument[[2, 4]], targets, 10.0) == 0.0
    own = Targets(embedding, ClipStore(SmallBank(6, 2, families=tuple("abcdef")), CPU))
    alone = prototype_loss(slot, instrument, own.prototype, 10.0)
    assert torch.allclose(family_loss(slot, instrument, own, 10.0), alone, atol=1e-5)


def test_the_losses_of_earlier_layers_are_those_of_a_last_one_without_cells() -> None:
    generator = torch.Generator().manual_seed(0)
    batch = Mixer(ClipStore(BANK, CPU), 2, 4).draw(3, generator)
    embedding = torch.nn.functional.normalize(torch.randn(BANK.num_clips, 16, generator=generator), dim=-1)
    targets = Targets(embedding, ClipStore(BANK, CPU))
    layers = [
        SlotLogits(torch.randn(3, 5, 16, generator=generator), torch.randn(3, 5, generator=generator))
        for _ in range(3)
    ]
    cells = torch.randn(3, 7, 16, generator=generator)
    out = replace(layers[2], cells=cells, earlier=(layers[0], layers[1]))
    config = MultiLossConfig(pit=1.0, presence=0.5, prototype=0.5, cell=0.5, posterior=1.0, layers=0.3)
    found = slot_losses(out, batch, targets, config)
    alone = [slot_losses(layer, batch, targets, config)["loss"] for layer in layers[:2]]
    assert torch.allclose(found["layers"], torch.stack(alone).mean())
    last = slot_losses(replace(out, earlier=()), batch, targets, config)
    assert torch.allclose(found["loss"], last["loss"] + 0.3 * found["layers"])
    assert "layers" not in slot_losses(out, batch, targets, replace(config, layers=0.0))
