"""Effects on five-second clips, per core: milliseconds of each for an item, and how many mixtures are drawn in a second.

The mixtures are those of the recipe `ours-multi-effects`, from clips of noise in memory, with its effects and without.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.figures import Figure
from benchmarks.lab import Lab
from benchmarks.one_core import one_core
from training.clip_store import ClipStore
from training.config import load_recipe
from training.effects.chain import Chain, Effects
from training.effects.config import ChainConfig, EffectsConfig
from training.effects.noise import NoiseStore
from training.mixing import Mixer
from training.nlakh.dataset import DatasetInstrument

RECIPE = Path("ours-multi-effects")
INSTRUMENTS, CLIPS_EACH = 60, 8
ITEMS = 64  # in a batch, as in training
RUNS = 5  # the fastest counts: what else the machine does is not the effects' cost


@dataclass(frozen=True)
class NoiseBank:
    """Clips `[clips, samples]` of noise at -20 dBFS: what they sound like does not matter to the clock."""

    clips: NDArray[np.int16]

    @classmethod
    def make(cls, clip_samples: int) -> "NoiseBank":
        rng = np.random.default_rng(0)
        clips = rng.normal(0, 3277, (INSTRUMENTS * CLIPS_EACH, clip_samples))
        return cls(clips.clip(-32768, 32767).astype(np.int16))

    @property
    def instruments(self) -> tuple[DatasetInstrument, ...]:
        names = (f"noise_{number}" for number in range(INSTRUMENTS))
        return tuple(
            DatasetInstrument(i + 1, name, name, None, "noise", "train") for i, name in enumerate(names)
        )

    @property
    def instrument_of_clip(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(INSTRUMENTS), CLIPS_EACH)

    @property
    def num_clips(self) -> int:
        return len(self.clips)

    @property
    def clip_samples(self) -> int:
        return self.clips.shape[1]

    def rows(self, indices: NDArray[np.int64]) -> NDArray[np.int16]:
        return self.clips[indices]

    def to_tensor(self, device: torch.device) -> torch.Tensor:
        return torch.from_numpy(self.clips).to(device)


def measure(lab: Lab) -> list[Figure]:
    return [*_each_effect(), *_mixtures()]


def _fastest_seconds(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(RUNS):
        with one_core() as watch:
            work()
        seconds.append(watch.seconds)
    return min(seconds)


def _each_effect() -> list[Figure]:
    front_end = load_recipe(RECIPE).encoder.front_end
    wave = 0.1 * torch.randn(ITEMS, front_end.clip_samples, generator=torch.Generator().manual_seed(0))
    noise = NoiseStore(front_end.sample_rate)
    figures = []
    for name in (field.name for field in fields(ChainConfig)):
        config = ChainConfig.from_dict({name: {"probability": 1.0}})
        chain = Chain(config, front_end.sample_rate, noise)
        plan = chain.plan(ITEMS, torch.Generator().manual_seed(0))
        seconds = _fastest_seconds(lambda chain=chain, plan=plan: chain.apply_(wave.clone(), plan))  # type: ignore[misc]
        figures.append(
            Figure(f"effect, {name}", 1000 * seconds / ITEMS, "ms", detail="of a five-second item")
        )
    return figures


def _mixtures() -> list[Figure]:
    recipe = load_recipe(RECIPE)
    front_end, mixing = recipe.encoder.front_end, recipe.mixing
    store = ClipStore(NoiseBank.make(front_end.clip_samples), torch.device("cpu"))
    seconds = []
    for config in (EffectsConfig(), recipe.effects):
        effects = Effects(config, front_end.sample_rate)
        mixer = Mixer(store, mixing.min_instruments, mixing.max_instruments, mixing.gain_db, effects)
        seconds.append(
            _fastest_seconds(lambda mixer=mixer: mixer.draw(ITEMS, torch.Generator().manual_seed(0))) / ITEMS  # type: ignore[misc]
        )
    dry, wet = seconds
    detail = f"recipe {RECIPE.name}, {mixing.min_instruments}-{mixing.max_instruments} instruments, one core"
    return [
        Figure("effects, all of a mixture", 1000 * (wet - dry), "ms", None, detail),
        Figure("mixtures, without effects", 1 / dry, "mixtures/s", detail=detail),
        Figure("mixtures, with effects", 1 / wet, "mixtures/s", detail=detail),
    ]
