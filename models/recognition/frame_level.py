"""The network of frame-level recognition: constant-Q transform and pitches → which families sound, ten times a second.

Hung & Yang 2018 ("Frame-level Instrument Recognition by Timbre and Pitch"), figure 1: one-dimensional convolutions along time,
the 88 bins being channels; a convolution, three residual blocks with two poolings by three, a convolution. The harmonic series
feature is a second channel beside the transform, which the first convolution spans; "CQT+Pitch (F)" lays the pitch map beside
the bins instead. The baseline is the CNN of Liu & Yang 2016, its convolutions followed by batch normalisation.

Our classes are families, not MusicNet's seven instruments. A figure of the paper's code that its text leaves open, the input's
scale, is ours: decibels below the recording's loudest bin, 80 of them to 0…1, then standardised for each bin.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.recognition.constant_q import FRAME_SECONDS, NUM_BINS
from models.recognition.harmonic_series import MAX_ORDER, harmonic_series

POOLED_FRAMES = 9  # of the transform to one of the output: 104 ms
OUTPUT_SECONDS = POOLED_FRAMES * FRAME_SECONDS
SEGMENT_FRAMES = 258  # three seconds, by which the network trains
RANGE_DB = 80.0
DROPOUT = 0.2

Architecture = Literal["residual", "baseline"]
PitchInput = Literal["none", "channel", "bins"]
PitchSource = Literal["none", "true", "estimated"]


@dataclass(frozen=True)
class FrameLevelConfig:
    """All that is needed to rebuild the network; `families` are the classes, `thresholds` theirs, chosen on validation.

    `pitch` says how pitches enter: as the harmonic series of `order` in a second channel, beside the bins, or not at all.
    `source` is where the pitches came from in training.
    """

    families: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    architecture: Architecture = "residual"
    pitch: PitchInput = "channel"
    source: PitchSource = "estimated"
    order: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.order <= MAX_ORDER:
            raise ValueError(f"order is {self.order}; it must lie in 0…{MAX_ORDER}")
        if (self.pitch == "none") != (self.source == "none"):
            raise ValueError(f"pitch {self.pitch!r} and source {self.source!r} must both be none, or neither")
        if self.architecture == "baseline" and self.pitch != "none":
            raise ValueError("the baseline hears no pitch: pitch must be none")
        if self.thresholds and len(self.thresholds) != len(self.families):
            raise ValueError(f"{len(self.thresholds)} thresholds for {len(self.families)} families")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "FrameLevelConfig":
        lists = {name: tuple(values.get(name, ())) for name in ("families", "thresholds")}
        return cls(**{**values, **lists})


class FrameLevelNetwork(nn.Module):
    """Levels and pitch maps → a logit for each family and output frame."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: FrameLevelConfig) -> None:
        """Raises ValueError without a family, or with one twice."""
        super().__init__()
        if not config.families or len(set(config.families)) != len(config.families):
            raise ValueError(f"families are {list(config.families)}; different ones are wanted")
        self.config = config
        self.register_buffer("mean", torch.zeros(NUM_BINS))
        self.register_buffer("deviation", torch.ones(NUM_BINS))
        classes = len(config.families)
        self.layers = _baseline(classes) if config.architecture == "baseline" else _residual(config, classes)

    def forward(self, level: Tensor, pitch: Tensor | None = None) -> Tensor:
        """`level [batch, 88, frames]` of `scaled_levels`, and pitch maps like it → logits `[batch, families, frames // 9]`."""
        image = ((level - self.mean[:, None]) / self.deviation[:, None])[
            ..., None
        ]  # [batch, bins, frames, channels]
        if self.config.pitch != "none":
            if pitch is None:
                raise ValueError("this network wants pitch maps")
            if self.config.pitch == "bins":
                image = torch.cat([image, pitch[..., None]], dim=1)
            else:
                image = torch.cat([image, harmonic_series(pitch, self.config.order)[..., None]], dim=3)
        out: Tensor = self.layers(image)[..., 0]
        return out


def scaled_levels(magnitude: Tensor) -> Tensor:
    """Magnitudes `[bins, frames]` of a whole recording → 1 for its loudest, 0 for what is 80 dB below it and for silence."""
    most = magnitude.amax().clamp(min=1e-12)
    level = 20 * (magnitude / most).clamp(min=10 ** (-RANGE_DB / 20)).log10()
    return level / RANGE_DB + 1


class TimeResidual(nn.Module):
    """Two convolutions along time, each after batch normalisation, and one of a single frame around them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, (3, 1), padding=(1, 0)),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, (3, 1), padding=(1, 0)),
            nn.BatchNorm2d(outputs),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, image: Tensor) -> Tensor:
        out: Tensor = self.inner(image) + self.skip(image)
        return out


def _residual(config: FrameLevelConfig, classes: int) -> nn.Sequential:
    bins = 2 * NUM_BINS if config.pitch == "bins" else NUM_BINS
    channels = 2 if config.pitch == "channel" else 1
    return nn.Sequential(
        nn.BatchNorm2d(bins),
        nn.Conv2d(bins, 88, (3, channels), padding=(1, 0)),
        TimeResidual(88, 176),
        nn.Dropout(DROPOUT),
        nn.MaxPool2d((3, 1)),
        TimeResidual(176, 264),
        nn.Dropout(DROPOUT),
        nn.MaxPool2d((3, 1)),
        TimeResidual(264, 264),
        nn.BatchNorm2d(264),
        nn.ReLU(),
        nn.Conv2d(264, classes, (3, 1), padding=(1, 0)),
    )


def _baseline(classes: int) -> nn.Sequential:
    def layer(inputs: int, outputs: int, frames: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, (frames, 1), padding=(frames // 2, 0))
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

    pool = nn.MaxPool2d((3, 1))
    first, second = layer(NUM_BINS, 32, 7), layer(32, 32, 7)
    dense = [*layer(32, 512, 1), nn.Dropout(0.5), *layer(512, 512, 1), nn.Dropout(0.5)]
    return nn.Sequential(*first, pool, *second, pool, *dense, nn.Conv2d(512, classes, 1))
