"""The losses of the multi encoder: the paper's permutation-invariant cosine loss, and five that we add.

`pit` alone is Kim et al. 2022, section 3.2. `presence` teaches which slots are used. `prototype`, `family`, `cell` and
`posterior` compare slots and local embeddings with the training instruments' mean embeddings, as a query is with a library.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from models.slots import SlotLogits
from training.clip_store import UNKNOWN
from training.config import MultiLossConfig
from training.loop import Losses
from training.mixing import MixtureSpec
from training.pit import pit_cosine_loss, presence_target, take_matched
from training.targets import Targets


def prototype_loss(slot: Tensor, instrument: Tensor, prototype: Tensor, scale: float) -> Tensor:
    """Cross-entropy of matched slots `[pairs, dim]` over all training instruments' prototypes `[instruments, dim]`."""
    return functional.cross_entropy(scale * functional.normalize(slot, dim=-1) @ prototype.T, instrument)


def family_loss(slot: Tensor, instrument: Tensor, targets: Targets, scale: float) -> Tensor:
    """Negative log likelihood of the family of matched slots `[pairs, dim]`: its instruments' mass in the prototypes' softmax.

    Which instrument of the family it is does not count. Slots of instruments without a family are left out.
    """
    family = targets.family[instrument]
    slot, family = slot[family != UNKNOWN], family[family != UNKNOWN]
    log_share = (scale * functional.normalize(slot, dim=-1) @ targets.prototype.T).log_softmax(dim=-1)
    strange = targets.family != family[:, None]  # [pairs, instruments]
    mass = torch.logsumexp(log_share.masked_fill(strange, -torch.inf), dim=-1)
    return -mass.sum() / max(len(family), 1)


def cell_loss(
    cells: Tensor,
    batch: MixtureSpec,
    prototype: Tensor,
    scale: float,
    rivals: Literal["all", "batch"] = "all",
) -> Tensor:
    """Classify each true instrument against the absent ones, scored by a soft maximum over `cells [batch, cells, dim]`.

    `rivals` are all instruments of `prototype [instruments, dim]`, or only those in the batch's other mixtures.
    """
    row, column = batch.mask.nonzero(as_tuple=True)
    instrument = batch.instrument[row, column]
    if rivals == "batch":
        used, instrument = instrument.unique(return_inverse=True)
        prototype = prototype[used]
    norm = torch.linalg.vector_norm(cells, dim=-1, keepdim=True).clamp(min=1e-6)
    # [batch, cells, instruments]; dividing afterwards is faster than normalising the cells
    similarity = (cells @ prototype.T).float() / norm
    score = torch.logsumexp(scale * similarity, dim=1)  # [batch, instruments]
    present = torch.zeros_like(score, dtype=torch.bool).index_put_(
        (row, instrument), torch.tensor(True, device=score.device)
    )
    absent = torch.logsumexp(score.masked_fill(present, -torch.inf), dim=1)
    return functional.softplus(absent[row] - score[row, instrument]).mean()


def posterior_loss(
    slot: Tensor, presence_logit: Tensor, batch: MixtureSpec, prototype: Tensor, scale: float
) -> Tensor:
    """Negative log likelihood per stem of the mixtures' instrument sets, by the posterior of `models.posterior`.

    The library is the batch's instruments, by their prototypes. `slot [batch, slots, dim]`, `presence_logit [batch, slots]`.
    """
    row, column = batch.mask.nonzero(as_tuple=True)
    used, instrument = batch.instrument[row, column].unique(return_inverse=True)
    cosine = functional.normalize(slot, dim=-1) @ prototype[used].T  # [batch, slots, instruments]
    log_hit = (scale * cosine.float()).log_softmax(dim=-1) + functional.logsigmoid(presence_logit)[..., None]
    log_missed = torch.log1p(-log_hit.exp().clamp(max=1 - 1e-5)).sum(dim=1)  # [batch, instruments]
    found = torch.log(-torch.expm1(log_missed[row, instrument].clamp(max=-1e-7)))
    missed_by_all_others = log_missed.sum() - log_missed[row, instrument].sum()
    return -(found.sum() + missed_by_all_others) / len(row)


def slot_losses(out: SlotLogits, batch: MixtureSpec, targets: Targets, config: MultiLossConfig) -> Losses:
    """Return all losses of one batch; `loss` is their weighted sum.

    With `config.layers`, `layers` is the mean of the earlier layers' sums, each matched to the stems anew (Carion et al. 2020).
    """
    losses = _final_losses(out, batch, targets, config)
    if config.layers and out.earlier:
        sums = [_final_losses(layer, batch, targets, config)["loss"] for layer in out.earlier]
        losses["layers"] = torch.stack(sums).mean()
        losses["loss"] = losses["loss"] + config.layers * losses["layers"]
    return losses


def _final_losses(out: SlotLogits, batch: MixtureSpec, targets: Targets, config: MultiLossConfig) -> Losses:
    embedding = out.embedding.float()
    pit, slot_of_target = pit_cosine_loss(embedding, targets.clips(batch.clip), batch.mask)
    used = presence_target(slot_of_target, embedding.shape[1])
    losses = {
        "pit": pit,
        "presence": functional.binary_cross_entropy_with_logits(out.presence_logit.float(), used),
    }
    matched, instrument = take_matched(embedding, slot_of_target), batch.instrument[batch.mask]
    if config.prototype:
        losses["prototype"] = prototype_loss(matched, instrument, targets.prototype, config.scale)
    if config.family:
        losses["family"] = family_loss(matched, instrument, targets, config.scale)
    if config.cell and out.cells is not None:
        losses["cell"] = cell_loss(
            out.cells.float(), batch, targets.prototype, config.scale, config.cell_rivals
        )
    if config.posterior:
        losses["posterior"] = posterior_loss(
            embedding, out.presence_logit.float(), batch, targets.prototype, config.scale
        )
    total = sum(getattr(config, name) * value for name, value in losses.items())
    return {"loss": total, **losses}
