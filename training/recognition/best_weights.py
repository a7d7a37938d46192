"""The weights of the best validation of a recogniser's run: those with the highest macro F1, or another score, are kept."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.atomic import atomic_file

BEST_FILE = "best.pt"
MACRO_F1 = "f1_macro"
KEPT = (MACRO_F1, "top1")  # of the scores of a validation, beside the one that chooses


class BestWeights:
    """The weights of the best validation so far, kept in the run's folder, so that a resumed run remembers them.

    `by` names the score that chooses, the higher the better.
    """

    def __init__(self, out: Path, by: str = MACRO_F1) -> None:
        self._path, self._by = out / BEST_FILE, by
        self.step, self.metrics = 0, dict[str, float]()
        if self._path.exists():
            saved = torch.load(self._path, map_location="cpu", weights_only=True)
            self.step, self.metrics = saved["step"], saved["metrics"]

    @property
    def score(self) -> float:
        """The mean over the banks of the score that chooses; less than any before the first validation."""
        found = [value for name, value in self.metrics.items() if name.endswith(f".{self._by}")]
        return float(np.mean(found)) if found else float("-inf")

    def offer(self, step: int, network: nn.Module, scores: dict[str, dict[str, float]]) -> bool:
        """Keep the weights of `step` if they are better, by the mean over the banks; return whether they are."""
        if float(np.mean([one[self._by] for one in scores.values()])) <= self.score:
            return False
        self.step = step
        self.metrics = {
            f"{bank}.{name}": one[name]
            for bank, one in scores.items()
            for name in {*KEPT, self._by}
            if name in one
        }
        state = {"step": step, "metrics": self.metrics, "network": network.state_dict()}
        with atomic_file(self._path) as file:
            torch.save(state, file)
        return True

    def load_into(self, network: nn.Module) -> None:
        """Copy the kept weights into the network."""
        saved = torch.load(self._path, map_location="cpu", weights_only=True)
        network.load_state_dict(saved["network"])
