"""The two encoders of Kim et al. 2022, sections 3.1 and 3.2: one instrument → one embedding, a mixture → M slots.

Both take waveforms and own their front end. A frozen config describes them and is stored in the checkpoint.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbones import HanCNN, build_backbone
from models.front_end import FrontEnd, FrontEndConfig
from models.slots import AttentionSlots, PooledSlots, SlotLogits


@dataclass(frozen=True)
class EncoderConfig:
    """All that is needed to rebuild an encoder. Only the multi encoder reads `num_slots`, `head` and `head_options`."""

    backbone: str = "han"
    backbone_options: dict[str, Any] = field(default_factory=dict)
    embedding_dim: int = 1024
    num_slots: int = 9
    head: Literal["pooled", "attention"] = "pooled"
    head_options: dict[str, Any] = field(default_factory=dict)
    front_end: FrontEndConfig = field(default_factory=FrontEndConfig)

    def __post_init__(self) -> None:
        if self.num_slots < 1 or self.embedding_dim < 1:
            raise ValueError(
                f"num_slots {self.num_slots} and embedding_dim {self.embedding_dim} must be at least 1"
            )
        if self.head not in ("pooled", "attention"):
            raise ValueError(f"unknown head {self.head!r}; known are pooled, attention")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "EncoderConfig":
        return cls(**{**values, "front_end": FrontEndConfig(**values.get("front_end", {}))})


@dataclass(frozen=True)
class Slots:
    """Output of the multi encoder: `embedding [batch, slots, dim]` of unit norm, `presence [batch, slots]` in 0…1."""

    embedding: Tensor
    presence: Tensor


class SingleInstrumentEncoder(nn.Module):
    """`f` of section 3.1: the penultimate activation of an instrument classifier, as a unit vector.

    The Han CNN has the paper's head (linear, LeakyReLU .33, dropout .5). Other backbones have a linear layer and a BatchNorm,
    which centres embeddings so that cosines use their whole range.
    """

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or EncoderConfig()
        self.front_end = FrontEnd(self.config.front_end)
        self.backbone = build_backbone(self.config.backbone, **self.config.backbone_options)
        linear = nn.Linear(self.backbone.pooled_channels, self.config.embedding_dim)
        if isinstance(self.backbone, HanCNN):
            self.head = nn.Sequential(linear, nn.LeakyReLU(HanCNN.slope), nn.Dropout(0.5))
        else:
            self.head = nn.Sequential(linear, nn.BatchNorm1d(self.config.embedding_dim))

    def activation(self, wave: Tensor) -> Tensor:
        """The penultimate activation before normalisation, `[batch, samples]` → `[batch, dim]`."""
        return self.activation_of(self.front_end(wave))

    def activation_of(self, image: Tensor) -> Tensor:
        """The penultimate activation of a front-end image `[batch, 1, n_mels, frames]`."""
        return self.head(self.backbone.pool(self.backbone(image)))

    def grow_from(self, smaller: "SingleInstrumentEncoder") -> None:
        """Copy the weights of a trained encoder; blocks that it lacks stay the identity.

        Raises RuntimeError when the networks differ in anything else.
        """
        self.backbone.grow_from(smaller.backbone)
        self.head.load_state_dict(smaller.head.state_dict())

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` at the front end's rate → unit-norm embeddings `[batch, dim]`, always finite."""
        return functional.normalize(self.activation(wave).float(), dim=-1)


class MultiInstrumentEncoder(nn.Module):
    """`g` of section 3.2: the M slot embeddings of a mixture, each with the probability that it is used."""

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or EncoderConfig()
        self.front_end = FrontEnd(self.config.front_end)
        self.backbone = build_backbone(self.config.backbone, **self.config.backbone_options)
        slots, dim = self.config.num_slots, self.config.embedding_dim
        self.head: PooledSlots | AttentionSlots
        if self.config.head == "attention":
            self.head = AttentionSlots(
                self.backbone, slots, dim, self._map_shape(), **self.config.head_options
            )
        else:
            self.head = PooledSlots(self.backbone, slots, dim)

    @torch.no_grad()
    def _map_shape(self) -> tuple[int, int]:
        config = self.config.front_end
        self.backbone.eval()
        rows, columns = self.backbone(torch.zeros(1, 1, config.n_mels, config.num_frames)).shape[2:]
        self.backbone.train()
        return rows, columns

    def grow_from(self, smaller: "MultiInstrumentEncoder") -> None:
        """Copy the weights of a trained encoder; blocks and slot layers that it lacks stay the identity.

        Raises RuntimeError when the networks differ in anything else.
        """
        self.backbone.grow_from(smaller.backbone)
        self.head.grow_from(smaller.head)

    def logits(self, wave: Tensor, *, num_cells: int = 0) -> SlotLogits:
        """Slots of `wave [batch, samples]` before normalisation, for the losses, with `num_cells` random cells."""
        return self.logits_of(self.front_end(wave), num_cells=num_cells)

    def logits_of(self, image: Tensor, *, num_cells: int = 0, every_layer: bool = False) -> SlotLogits:
        """`logits` of a front-end image `[batch, 1, n_mels, frames]`, with the slots of every layer if asked for."""
        feature_map = self.backbone(image)
        out: SlotLogits = self.head(feature_map, self.backbone.pool(feature_map), num_cells, every_layer)
        return out

    def forward(self, wave: Tensor) -> Slots:
        """`wave [batch, samples]` at the front end's rate → `Slots`, always finite."""
        out = self.logits(wave)
        return Slots(
            functional.normalize(out.embedding.float(), dim=-1), out.presence_logit.float().sigmoid()
        )
