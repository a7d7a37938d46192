"""What one window costs an encoder: multiply-adds, which do not depend on the machine.

Kim et al. 2022 compare a small and a large network; a figure of quality means little without this one beside it.
"""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(encoder: nn.Module, clip_samples: int) -> int:
    """Of one clip through the encoder: convolutions and matrix products, the front end's mel filters included."""
    with FlopCounterMode(display=False) as counter:
        encoder.eval()(torch.zeros(1, clip_samples))
    return counter.get_total_flops() // 2
