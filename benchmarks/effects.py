"""Effects on five-second clips, on one core: milliseconds of each effect per item, and mixtures drawn per second.

Mixtures follow the recipe `ours-multi-effects`, with and without its effects, over noise clips in memory.
"""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import torch

from benchmarks.figures import Measurement
from benchmarks.lab import Lab
from benchmarks.noise_bank import NoiseBank
from benchmarks.one_core import one_core
from training.clip_store import ClipStore
from training.config import load_recipe
from training.effects.chain import Chain, Effects
from training.effects.config import ChainConfig, EffectsConfig
from training.effects.noise import NoiseStore
from training.mixing import Mixer

RECIPE = Path("ours-multi-effects")
ITEMS = 64  # in a batch, as in training
RUNS = 5  # the fastest counts, so that other programs do not add to the cost


def measure(lab: Lab) -> list[Measurement]:
    return [*_each_effect(), *_mixtures()]


def _fastest_seconds(work: Callable[[], object]) -> float:
    work()
    seconds = []
    for _ in range(RUNS):
        with one_core() as watch:
            work()
        seconds.append(watch.seconds)
    return min(seconds)


def _each_effect() -> list[Measurement]:
    front_end = load_recipe(RECIPE).encoder.front_end
    wave = 0.1 * torch.randn(ITEMS, front_end.clip_samples, generator=torch.Generator().manual_seed(0))
    noise = NoiseStore(front_end.sample_rate)
    figures = []
    for name in (field.name for field in fields(ChainConfig)):
        config = ChainConfig.from_dict({name: {"probability": 1.0}})
        chain = Chain(config, front_end.sample_rate, noise)
        drawn = chain.draw(ITEMS, torch.Generator().manual_seed(0))
        seconds = _fastest_seconds(lambda chain=chain, drawn=drawn: chain.apply_(wave.clone(), drawn))  # type: ignore[misc]
        figures.append(
            Measurement(f"effect, {name}", 1000 * seconds / ITEMS, "ms", detail="of a five-second item")
        )
    return figures


def _mixtures() -> list[Measurement]:
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
        Measurement("effects, all of a mixture", 1000 * (wet - dry), "ms", None, detail),
        Measurement("mixtures, without effects", 1 / dry, "mixtures/s", detail=detail),
        Measurement("mixtures, with effects", 1 / wet, "mixtures/s", detail=detail),
    ]
