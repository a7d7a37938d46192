"""The training loop that encoders and recognisers share: autocast, schedule, log lines, saved states, resuming after a kill.

A run's folder holds `state.pt` (network, optimiser, step, generators) and `log.jsonl`. A resumed run needs the same number of
processes as before (`training/parallel.py`); on a CPU it ends with the same weights as a run that was never interrupted.
"""

import json
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor, nn

from models.atomic import atomic_file
from models.device import attention_kernels, autocast, native_bfloat16
from models.errors import TrainingError
from training import parallel
from training.config import LoopRecipe, OptimizerConfig, recipe_identity, same_recipe
from training.muon import Muon

STATE_FILE, LOG_FILE = "state.pt", "log.jsonl"
DECAYED, MOMENTUM = 1e-4, 0.9
Losses = dict[str, Tensor]


def learning_rate_factor(config: OptimizerConfig, step: int, steps: int) -> float:
    """Return the factor on the peak rate: linear warm-up, then half a cosine to zero (one cycle); 1 when constant.

    "decay" is that of Hung & Yang 2018: it falls evenly in its logarithm, over the run to a ten-thousandth.
    """
    if config.schedule == "constant":
        return 1.0
    if config.schedule == "decay":
        return float(DECAYED ** (step / steps))
    warmup = max(1, round(config.warmup_fraction * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def make_optimizer(config: OptimizerConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return Adam as in the paper, SGD, Muon, or AdamW without weight decay on biases, norms and other vectors.

    "adam_l2" is Adam whose weight decay is a part of the loss, as Gururani et al. 2019 train; "adam" has none.
    """
    if config.name == "adam":
        return torch.optim.Adam(parameters, lr=config.learning_rate)
    if config.name == "adam_l2":
        return torch.optim.Adam(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)
    if config.name == "sgd":
        return torch.optim.SGD(
            parameters, lr=config.learning_rate, momentum=MOMENTUM, weight_decay=config.weight_decay
        )
    if config.name == "muon":
        return Muon(parameters, config.learning_rate, config.weight_decay)
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    for parameter in parameters:
        (matrices if parameter.dim() > 1 else vectors).append(parameter)
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate)


class Trainer:
    """Minimises `loss(generator) → {"loss": …, …}` for the recipe's number of steps, in one call or in several."""

    def __init__(self, recipe: LoopRecipe, network: nn.Module, device: torch.device, out: Path) -> None:
        self.recipe, self.network, self.device, self.out = recipe, network.to(device), device, out
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.optimizer = make_optimizer(recipe.optimizer, trained)
        seed = parallel.rank_seed(recipe.seed, parallel.rank())
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0
        use = {"auto": native_bfloat16(device), "bfloat16": True, "float32": False}
        self.use_bfloat16 = use[recipe.precision]
        out.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)

    def resume(self) -> bool:
        """Load the saved state; return whether there was one.

        Raises TrainingError if another recipe or another number of processes wrote it.
        """
        path = self.out / STATE_FILE
        if not path.exists():
            return False
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not same_recipe(json.loads(state["recipe"]), self.recipe):
            raise TrainingError(
                f"{path} belongs to another recipe; choose another folder or remove it", value=str(path)
            )
        ranks = state.get(
            "ranks", [state]
        )  # early states kept the generators of their one process at top level
        if len(ranks) != parallel.num_ranks():
            message = f"{path} needs {len(ranks)} processes to resume, not {parallel.num_ranks()}"
            raise TrainingError(message, value=parallel.num_ranks(), limit=len(ranks))
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        own = ranks[parallel.rank()]
        self.generator.set_state(own["generator"])
        torch.set_rng_state(own["rng"])
        if self.device.type == "cuda" and own["cuda_rng"] is not None:
            torch.cuda.set_rng_state(own["cuda_rng"])
        return True

    def save(self) -> None:
        """Write the state atomically. Every rank must call this; the main process writes."""
        on_cuda = self.device.type == "cuda"
        own = {
            "generator": self.generator.get_state(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if on_cuda else None,
        }
        ranks = parallel.gather_states(own)
        if not parallel.is_main_process():
            return
        state = {
            "recipe": recipe_identity(self.recipe),
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "ranks": ranks,
        }
        with atomic_file(self.out / STATE_FILE) as file:
            torch.save(state, file)

    def run(
        self,
        loss: Callable[[torch.Generator], Losses],
        max_seconds: float | None = None,
        after_step: Callable[[int], None] = lambda step: None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train and save the state; return True when the recipe's steps are done, False when `max_seconds` have passed.

        `after_step` is called with the number of steps that are done, after each of them; where `is_over` then says so on the
        main process, the run ends as if its steps were done.
        """
        started = saved = logged_at = time.monotonic()
        logged_step, sums = self.step, Losses()
        self.network.train()
        self._announce()
        (over,) = parallel.broadcast(is_over())
        while self.step < self.recipe.steps and not over:
            for name, value in self.update(loss).items():
                sums[name] = sums.get(name, 0.0) + value.detach()
            after_step(self.step)
            now = time.monotonic()
            if self.step % self.recipe.log_every == 0 or self.step == self.recipe.steps:
                self._log(sums, self.step - logged_step, now - logged_at)
                logged_step, logged_at, sums = self.step, now, {}
            time_is_up = max_seconds is not None and now - started >= max_seconds
            save_is_due = now - saved >= self.recipe.save_every_seconds
            time_is_up, save_is_due, over = parallel.broadcast(time_is_up, save_is_due, is_over())
            if time_is_up and not over:
                break
            if save_is_due:
                self.save()
                saved = time.monotonic()
        self.save()
        return over or self.step >= self.recipe.steps

    def update(self, loss: Callable[[torch.Generator], Losses]) -> Losses:
        """Take one optimiser step and return its losses."""
        factor = learning_rate_factor(self.recipe.optimizer, self.step, self.recipe.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.optimizer.learning_rate * factor
        with autocast(self.device, self.use_bfloat16), attention_kernels(self.device):
            losses = loss(self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimizer.clip_norm)
        self.optimizer.step()
        self.step += 1
        return losses

    def _announce(self) -> None:
        if parallel.is_main_process():
            recipe = self.recipe
            budget = f"{recipe.steps} steps of {recipe.batch_size} = {recipe.examples} examples"
            print(f"budget {budget}, {self.step} steps done", flush=True)

    def _log(self, sums: Losses, steps: int, seconds: float) -> None:
        if not parallel.is_main_process():
            return
        row = {name: round(float(value) / steps, 4) for name, value in sums.items()}
        if not math.isfinite(row["loss"]):
            raise TrainingError(f"the loss became {row['loss']} at step {self.step}", value=row["loss"])
        rate = steps * self.recipe.batch_size / max(seconds, 1e-9)
        left = (self.recipe.steps - self.step) * seconds / max(steps, 1)
        line = {"step": self.step, **row, "clips_per_second": round(rate, 1), "seconds_left": round(left)}
        with (self.out / LOG_FILE).open("a") as file:
            file.write(json.dumps(line) + "\n")
        print("  ".join(f"{name} {value}" for name, value in line.items()), flush=True)
