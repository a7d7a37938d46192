"""Training speed: mixtures per second of each loader alone, front end included, and of training steps fed by a loader.

Clips are noise in memory. The device is training's own choice; on a CPU one core is counted. The ratio matters: a loader
should be several times faster than the network it feeds.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks.figures import Measurement
from benchmarks.lab import Lab
from benchmarks.noise_bank import NoiseBank
from benchmarks.one_core import one_core
from models.device import choose_device
from models.encoders import MultiInstrumentEncoder
from models.front_end import FrontEnd
from training.clip_store import ClipStore
from training.config import load_recipe
from training.loop import Losses, Trainer
from training.mel_mixing import MelBatch
from training.targets import Targets
from training.train_multi import MultiObjective, open_mixer

LOADERS = {"samples": "ours-multi", "samples with effects": "ours-multi-effects", "mel": "ours-multi-mel"}
NETWORKS = {"ours": "ours-multi-mel", "small": "small-random", "large": "large-random"}  # all fed by mel
SECONDS = 3.0  # least duration of each measurement


class Loop:
    """Loaders and networks of the recipes over one bank of noise."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.device = folder, choose_device()
        self.batch_size = 128 if self.device.type == "cuda" else 8
        self.bank = NoiseBank.make(load_recipe(Path("ours-multi")).encoder.front_end.clip_samples)
        self.store = ClipStore(self.bank, self.device)

    def load(self, name: str) -> float:
        """Mixtures per second of a recipe's loader and front end."""
        recipe = load_recipe(Path(name))
        mixer = open_mixer(recipe, self.bank, self.store, self.folder / "mel.pt")
        front_end = FrontEnd(recipe.encoder.front_end).to(self.device)
        generator = torch.Generator().manual_seed(0)

        def draw() -> None:
            batch = mixer.draw(self.batch_size, generator)
            if not isinstance(batch, MelBatch):
                front_end(batch.wave)

        return self._per_second(draw)

    def train(self, name: str) -> float:
        """Mixtures per second of a recipe's training steps, loader included."""
        recipe = replace(load_recipe(Path(name)), batch_size=self.batch_size)
        mixer = open_mixer(recipe, self.bank, self.store, self.folder / "mel.pt")
        network = MultiInstrumentEncoder(recipe.encoder)
        trainer = Trainer(recipe, network, self.device, self.folder / name)
        embedding = torch.randn(self.store.num_clips, recipe.encoder.embedding_dim, device=self.device)
        targets = Targets(functional.normalize(embedding, dim=-1), self.store)
        objective = MultiObjective(network, recipe.multi)

        def loss(generator: torch.Generator) -> Losses:
            losses: Losses = objective(mixer.draw(self.batch_size, generator), targets)
            return losses

        return self._per_second(lambda: trainer.update(loss))

    def _per_second(self, work: Callable[[], object]) -> float:
        work()
        batches, seconds = 0, 0.0
        while seconds < SECONDS:
            batches, seconds = batches + 1, seconds + self._seconds(work)
        return batches * self.batch_size / seconds

    def _seconds(self, work: Callable[[], object]) -> float:
        if self.device.type == "cpu":
            with one_core() as watch:
                work()
            return watch.seconds
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        return time.perf_counter() - started


def measure(lab: Lab) -> list[Measurement]:
    loop = Loop(lab.folder / "training")
    where = "one core" if loop.device.type == "cpu" else "one GPU"
    loaded = {name: loop.load(recipe) for name, recipe in LOADERS.items()}
    figures = [
        Measurement(f"loader, {name}", rate, "mixtures/s", detail=f"recipe {LOADERS[name]}, {where}")
        for name, rate in loaded.items()
    ]
    for name, recipe in NETWORKS.items():
        rate = loop.train(recipe)
        ratios = ", ".join(f"{loader} {each / rate:.1f}" for loader, each in loaded.items())
        figures.append(
            Measurement(
                f"training, {name}", rate, "mixtures/s", detail=f"times as fast is the loader of: {ratios}"
            )
        )
    return figures
