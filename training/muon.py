"""Muon: momentum whose step for every matrix is orthogonalised, so that rare directions are learnt as fast as frequent ones.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks", with the scale and the weight decay of Liu et
al. 2025, "Muon is scalable for LLM training", by which AdamW's learning rates hold. PyTorch's own takes no convolutions.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

SMALLEST_SIDE = 32  # matrices with a shorter side, as positions and filters of one channel, stay with AdamW
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan et al.: the quintic that brings singular values to about 1
RMS_OF_ADAMW = 0.2  # Liu et al.: what an entry of AdamW's step is, at a learning rate of 1


def is_hidden_matrix(parameter: Tensor) -> bool:
    """Whether Muon takes a parameter: a convolution's filters count as rows of `in · height · width`."""
    return parameter.dim() > 1 and min(parameter.shape[0], parameter[0].numel()) >= SMALLEST_SIDE


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """Return about `U Vᵀ` of the singular value decomposition `U S Vᵀ` of `matrix [rows, columns]`, in bfloat16."""
    a, b, c = NEWTON_SCHULZ
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix.bfloat16() if wide else matrix.bfloat16().T
    x = x / (x.norm() + 1e-7)  # no singular value above 1
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.T


class Muon(torch.optim.AdamW):
    """Muon for hidden matrices, AdamW without weight decay for all other parameters, at one learning rate `lr`."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95
    ) -> None:
        hidden: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for parameter in parameters:
            (hidden if is_hidden_matrix(parameter) else others).append(parameter)
        groups = [
            {"params": hidden, "weight_decay": weight_decay, "momentum": momentum},
            {"params": others, "weight_decay": 0.0, "momentum": None},
        ]
        super().__init__([group for group in groups if group["params"]], lr=lr)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step. Gradients of hidden matrices are gone afterwards, which is why AdamW leaves those alone."""
        for group in self.param_groups:
            if group["momentum"] is None:
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_hidden(parameter, group["lr"], group["weight_decay"], group["momentum"])
                    parameter.grad = None
        super().step(closure)

    def _step_hidden(self, parameter: nn.Parameter, lr: float, weight_decay: float, momentum: float) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        if gradient is None:
            return
        if not state:
            # AdamW expects a step in all states that it loads.
            state |= {"step": torch.zeros(()), "momentum": torch.zeros_like(parameter)}
        state["step"] += 1
        state["momentum"].lerp_(gradient, 1 - momentum)
        ahead = gradient.lerp(state["momentum"], momentum).flatten(1)  # Nesterov's
        scale = RMS_OF_ADAMW * max(ahead.shape) ** 0.5
        parameter.mul_(1 - lr * weight_decay)
        parameter.add_(orthogonalised(ahead).view_as(parameter), alpha=-lr * scale)
