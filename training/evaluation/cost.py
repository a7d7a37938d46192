"""The cost of encoding one window in multiply-adds, which do not depend on the machine.

Kim et al. 2022 compare a small and a large network; the quality of a network is meaningful only together with its cost.
"""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(encoder: nn.Module, clip_samples: int) -> int:
    """Count the multiply-adds of one clip: convolutions and matrix products, including the front end's mel filters."""
    with FlopCounterMode(display=False) as counter:
        encoder.eval()(torch.zeros(1, clip_samples))
    return counter.get_total_flops() // 2
