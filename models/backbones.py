"""Convolutional backbones: a log-mel image becomes a feature map, and the map is pooled to one vector.

`HanCNN` (Han et al. 2017) is the small model of Kim et al. 2022, `ConvNeXt` (Liu et al. 2022) their large one. `CompactCNN` is
ours: a small residual network with strides, fast on a CPU.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class Backbone(nn.Module):
    """`[batch, 1, n_mels, frames]` → feature map `[batch, channels, rows, columns]` → `pool` `[batch, pooled_channels]`."""

    channels: int
    pooled_channels: int

    def pool(self, feature_map: Tensor) -> Tensor:
        raise NotImplementedError

    def grow_from(self, trained: "Backbone") -> None:
        """Copy the weights of a trained network. Raises RuntimeError when the networks differ."""
        self.load_state_dict(trained.state_dict())


class HanCNN(Backbone):
    """Four blocks of two 3x3 convolutions, BatchNorm and LeakyReLU(.33), max-pooled 3x3 between, max-pooled at the end."""

    slope = 0.33

    def __init__(self, widths: Sequence[int] = (32, 64, 128, 256)) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        channels = 1
        for index, width in enumerate(widths):
            blocks += [self._convolution(channels, width), self._convolution(width, width)]
            if index < len(widths) - 1:
                blocks += [nn.MaxPool2d(3), nn.Dropout2d(0.25)]
            channels = width
        self.blocks = nn.Sequential(*blocks)
        self.channels = self.pooled_channels = channels
        self.apply(_xavier)

    def _convolution(self, channels: int, width: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(self.slope),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.blocks(image)

    def pool(self, feature_map: Tensor) -> Tensor:
        return feature_map.amax(dim=(2, 3))


def _xavier(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm around a skip connection; `idle` blocks start as the identity."""

    def __init__(self, channels: int, *, idle: bool = False) -> None:
        super().__init__()
        self.first = _conv_bn(channels, channels, 3, (1, 1))
        self.second = _conv_bn(channels, channels, 3, (1, 1))
        if idle:
            nn.init.zeros_(self.second.get_parameter("1.weight"))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


def _conv_bn(channels: int, width: int, kernel: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width)
    )


class CompactCNN(Backbone):
    """A strided stem and `depths` residual blocks per stage; 128 x 157 mel frames become an 8 x 20 map.

    The last stage keeps the time resolution (a column is a quarter of a second), so that slots can attend to single notes.
    """

    def __init__(
        self, widths: Sequence[int] = (32, 64, 128, 256), depths: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        stem, *stages = widths
        self.depths = tuple(depths or [1] * len(stages))
        if len(self.depths) != len(stages) or min(self.depths) < 1:
            raise ValueError(
                f"depths {self.depths} must name at least one block for each of {len(stages)} stages"
            )
        layers: list[nn.Module] = [_conv_bn(1, stem, 5, (2, 2)), nn.ReLU()]
        channels = stem
        for index, (width, depth) in enumerate(zip(stages, self.depths, strict=True)):
            stride = (2, 1) if index == len(stages) - 1 else (2, 2)
            layers += [_conv_bn(channels, width, 3, stride), nn.ReLU()]
            layers += [ResidualBlock(width, idle=block > 0) for block in range(depth)]
            channels = width
        self.layers = nn.Sequential(*layers)
        self.channels = channels
        self.pooled_channels = 2 * channels

    def grow_from(self, trained: Backbone) -> None:
        """Copy the weights of a network with equally many or fewer blocks; additional blocks stay the identity.

        Raises RuntimeError when stages or widths differ, or when a stage of `trained` is deeper.
        """
        if not isinstance(trained, CompactCNN):
            raise RuntimeError(f"a CompactCNN cannot copy a {type(trained).__name__}")
        groups, theirs = self._groups(), trained._groups()
        if len(groups) != len(theirs) or any(len(a) < len(b) for a, b in zip(groups, theirs, strict=True)):
            raise RuntimeError(f"depths {self.depths} cannot hold a network of depths {trained.depths}")
        for ours, trained_group in zip(groups, theirs, strict=True):
            for mine, learnt in zip(ours, trained_group, strict=False):
                mine.load_state_dict(learnt.state_dict())

    def _groups(self) -> list[list[nn.Module]]:
        """Layers with weights: the stem, then the strided convolution and the blocks of each stage."""
        groups: list[list[nn.Module]] = []
        for layer in self.layers:
            if isinstance(layer, ResidualBlock):
                groups[-1].append(layer)
            elif not isinstance(layer, nn.ReLU):
                groups.append([layer])
        return groups

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image.contiguous(memory_format=torch.channels_last))

    def pool(self, feature_map: Tensor) -> Tensor:
        return torch.cat([feature_map.mean(dim=(2, 3)), feature_map.amax(dim=(2, 3))], dim=1)


class ChannelNorm(nn.Module):
    """LayerNorm over the channels of `[batch, channels, rows, columns]`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, LayerNorm, two pointwise layers with GELU, layer scale, stochastic depth."""

    def __init__(self, channels: int, drop_path: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pointwise = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )
        self.scale = nn.Parameter(torch.full((channels,), 1e-6))
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        branch = self.norm(self.depthwise(x).permute(0, 2, 3, 1))  # [batch, rows, columns, channels]
        branch = (self.scale * self.pointwise(branch)).permute(0, 3, 1, 2)
        if self.training and self.drop_path:
            kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= self.drop_path
            branch = branch * kept / (1 - self.drop_path)
        return x + branch


class ConvNeXt(Backbone):
    """ConvNeXt by depths and widths; the defaults are ConvNeXt-small with one input channel and drop path .5."""

    def __init__(
        self,
        depths: Sequence[int] = (3, 3, 27, 3),
        widths: Sequence[int] = (96, 192, 384, 768),
        drop_path: float = 0.5,
    ) -> None:
        super().__init__()
        rates = torch.linspace(0, drop_path, sum(depths)).tolist()
        layers: list[nn.Module] = [nn.Conv2d(1, widths[0], 4, stride=4), ChannelNorm(widths[0])]
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            if stage:
                layers += [ChannelNorm(widths[stage - 1]), nn.Conv2d(widths[stage - 1], width, 2, stride=2)]
            layers += [ConvNeXtBlock(width, rates.pop(0)) for _ in range(depth)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.channels = self.pooled_channels = widths[-1]
        self.apply(_truncated_normal)

    def forward(self, image: Tensor) -> Tensor:
        return self.layers(image.contiguous(memory_format=torch.channels_last))

    def pool(self, feature_map: Tensor) -> Tensor:
        return self.norm(feature_map.mean(dim=(2, 3)))


def _truncated_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


BACKBONES: dict[str, Callable[..., Backbone]] = {"han": HanCNN, "convnext": ConvNeXt, "compact": CompactCNN}


def build_backbone(name: str, **options: object) -> Backbone:
    """Construct the backbone `name` with `options`. Raises ValueError for an unknown name."""
    if name not in BACKBONES:
        raise ValueError(f"unknown backbone {name!r}; known are {', '.join(BACKBONES)}")
    return BACKBONES[name](**options)
