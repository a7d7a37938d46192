"""The multiply-adds of an encoder equal the sum over its layers."""

import pytest
import torch
from torch import Tensor, nn

from models.backbones import ConvNeXt
from training.evaluation.cost import multiply_adds


class OneConvolution(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(1, 4, kernel_size=5, stride=2)

    def forward(self, wave: Tensor) -> Tensor:
        out: Tensor = self.layer(wave[:, None])
        return out


class ImageConvNeXt(nn.Module):
    """ConvNeXt on an image of 224 by 224, the size for which its authors state the cost."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = ConvNeXt((3, 3, 27, 3))

    def forward(self, _: Tensor) -> Tensor:
        return self.backbone(torch.zeros(1, 1, 224, 224))


def test_a_convolution_costs_its_taps_at_every_place() -> None:
    assert multiply_adds(OneConvolution(), 101) == 49 * 5 * 4


def test_convnext_small_costs_what_its_authors_say() -> None:
    """Liu et al. 2022, Table 1: 8.7 G for three input channels; a single one saves little."""
    assert multiply_adds(ImageConvNeXt(), 1) == pytest.approx(8.7e9, rel=0.02)
