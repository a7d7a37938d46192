"""The attention head: a vector for each second of a clip → the probability that each instrument plays in it.

Gururani et al. 2019 ("An Attention Mechanism for Musical Instrument Recognition"), as Taenzer et al. 2021, section 2.3, use it:
normalisation, three blocks of a 1x1 convolution without bias, normalisation, ReLU and dropout .6, a residual from the input;
then two 1x1 convolutions to the classes, both through a sigmoid. The attention is clamped and divided by its sum over time, the
activities are summed by it, and a hard tanh keeps the sum in 0…1. With 128 features and 20 classes it has 55,336 parameters.

Gururani et al. normalise by batch, Taenzer et al. by group (their text names no number of groups: eight here). Both are here.
As in Taenzer et al., section 4, features are scaled to 0…1 first: by the least and the most of each in the training data.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = 3
GROUPS = 8
CLAMP = 1e-7

Normalisation = Literal["batch", "group"]


@dataclass(frozen=True)
class AttentionConfig:
    """All that is needed to rebuild the head; `features` names what it hears (`training/recognition/feature_kinds.py`)."""

    classes: tuple[str, ...] = ()
    inputs: int = 128
    normalisation: Normalisation = "group"
    dropout: float = 0.6
    features: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; it must be at least 0 and below 1")
        if self.normalisation not in ("batch", "group"):
            raise ValueError(f"normalisation is {self.normalisation!r}; known are batch and group")
        if self.inputs < 1 or (self.normalisation == "group" and self.inputs % GROUPS):
            raise ValueError(f"inputs is {self.inputs}; groups need a multiple of {GROUPS}")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "AttentionConfig":
        return cls(**{**values, "classes": tuple(values.get("classes", ()))})


class AttentionHead(nn.Module):
    """Features of the seconds of a clip → the probability of each class, and the attention that gave it."""

    least: Tensor
    span: Tensor

    def __init__(self, config: AttentionConfig) -> None:
        """Raises ValueError without a class, or with one twice."""
        super().__init__()
        if not config.classes or len(set(config.classes)) != len(config.classes):
            raise ValueError(f"classes are {list(config.classes)}; different ones are wanted")
        self.config = config
        self.register_buffer("least", torch.zeros(config.inputs))
        self.register_buffer("span", torch.ones(config.inputs))
        self.first = _normalisation(config)
        self.blocks = nn.Sequential(*(_block(config) for _ in range(BLOCKS)))
        self.attention = nn.Conv1d(config.inputs, len(config.classes), 1)
        self.activity = nn.Conv1d(config.inputs, len(config.classes), 1)
        for module in self.modules():
            if isinstance(module, nn.Conv1d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def scale_by(self, least: Tensor, most: Tensor) -> None:
        """Map `least [inputs]` to 0 and `most [inputs]` to 1; features that never change become 0."""
        self.least.copy_(least)
        self.span.copy_(torch.where(most > least, most - least, torch.ones_like(most)))

    def over_time(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """`features [batch, seconds, inputs]` → attention and activity, `[batch, classes, seconds]`; attention sums to 1."""
        scaled = ((features - self.least) / self.span).clamp(0, 1).transpose(1, 2)
        inner = self.blocks(self.first(scaled)) + scaled
        attention = torch.sigmoid(self.attention(inner)).clamp(CLAMP, 1 - CLAMP)
        return attention / attention.sum(dim=2, keepdim=True), torch.sigmoid(self.activity(inner))

    def forward(self, features: Tensor) -> Tensor:
        """`features [batch, seconds, inputs]` → probabilities `[batch, classes]`."""
        attention, activity = self.over_time(features)
        return functional.hardtanh((attention * activity).sum(dim=2), 0.0, 1.0)


def _block(config: AttentionConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(config.inputs, config.inputs, 1, bias=False),
        _normalisation(config),
        nn.ReLU(),
        nn.Dropout(config.dropout),
    )


def _normalisation(config: AttentionConfig) -> nn.Module:
    if config.normalisation == "batch":
        return nn.BatchNorm1d(config.inputs)
    return nn.GroupNorm(GROUPS, config.inputs)
