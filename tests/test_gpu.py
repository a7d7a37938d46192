"""Compares answers of GPU and CPU. Run with `pytest -m gpu`; skipped where there is no GPU."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import training as training_speed
from benchmarks.lab import Lab
from index.vector_store import VectorStore
from models.encoder_pair import WEIGHTS, EncoderPair
from tests.training.small_bank import SmallBank
from training import train_multi, train_single
from training.clip_store import ClipStore
from training.config import MelEffectsConfig, load_recipe
from training.effects.chain import Effects
from training.effects.config import ChainConfig, EffectsConfig
from training.mel_mixing import MelBatch, MelClipStore, MelMixer
from training.mixing import Mixer, RandomMixtureSampler
from training.run import TrainingRun

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU on this machine"),
]


FITTING = "encoder.front_end.clip_seconds = 0.25"  # as long as the small bank's clips


def clips(number: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(number, 80_000)).astype(np.float32) * 0.1


def test_shipped_encoders_agree_within_the_stated_tolerance() -> None:
    cpu, gpu = EncoderPair.load(WEIGHTS, "cpu"), EncoderPair.load(WEIGHTS, "cuda")
    wave = clips(40)
    assert (cpu.embed(wave) * gpu.embed(wave)).sum(axis=1).min() > 0.99
    (slots, presence), (gpu_slots, gpu_presence) = cpu.encode(wave), gpu.encode(wave)
    assert np.median((slots * gpu_slots).sum(axis=2)) > 0.99
    assert np.abs(presence - gpu_presence).mean() < 0.05


def test_search_on_the_gpu_finds_what_the_cpu_finds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(500, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found, cosines = [], []
    for device in ("cpu", "cuda"):
        store = VectorStore(tmp_path / device, 32, device=device)
        store.add(np.arange(500, dtype=np.int64), vectors)
        found.append(store.search(vectors[:20], 10, None)[0])
        cosines.append(store.cosines(vectors[:20])[1])
    assert np.array_equal(found[0], found[1])
    assert np.allclose(cosines[0], cosines[1], atol=1e-5)


def test_mixing_on_the_gpu_equals_mixing_on_the_cpu() -> None:
    cpu, gpu = (
        Mixer(ClipStore(SmallBank(), torch.device(name)), 2, 4).draw(8, torch.Generator().manual_seed(1))
        for name in ("cpu", "cuda")
    )
    assert torch.equal(cpu.instrument, gpu.instrument.cpu())
    assert torch.allclose(cpu.wave, gpu.wave.cpu(), atol=1e-3)


def test_mixtures_with_effects_on_the_gpu_equal_those_on_the_cpu() -> None:
    probabilities = {field.name: {"probability": 0.6} for field in fields(ChainConfig)}
    effects = EffectsConfig.from_dict({"stems": probabilities, "mixture": probabilities})
    cpu, gpu = (
        Mixer(ClipStore(SmallBank(), torch.device(name)), 2, 4, effects=Effects(effects, 16_000)).draw(
            60, torch.Generator().manual_seed(1)
        )
        for name in ("cpu", "cuda")
    )
    scale = cpu.wave.square().mean(dim=1, keepdim=True).sqrt()  # make-up gain may have lifted a mixture
    assert torch.allclose(cpu.wave / scale, gpu.wave.cpu() / scale, atol=1e-3)


def test_both_encoders_train_on_the_gpu(tmp_path: Path) -> None:
    device = torch.device("cuda")
    single_recipe = load_recipe(Path("tiny"), ['kind = "single"'])
    single = train_single.train(TrainingRun(single_recipe, SmallBank(), tmp_path, device))
    assert single is not None
    for recipe in (load_recipe(Path("tiny")), load_recipe(Path("tiny"), ['mixing.domain = "mel"', FITTING])):
        out = tmp_path / recipe.mixing.domain
        assert train_multi.train(TrainingRun(recipe, SmallBank(), out, device), single) is not None


def test_images_made_on_the_gpu_equal_those_made_on_the_cpu(tmp_path: Path) -> None:
    front_end = load_recipe(Path("tiny"), [FITTING]).encoder.front_end

    def draw(name: str) -> MelBatch:
        store = ClipStore(SmallBank(), torch.device(name))
        clips = MelClipStore.compute(store, front_end, tmp_path / f"{name}.pt")
        mixer = MelMixer(RandomMixtureSampler(store, 2, 4), clips, MelEffectsConfig(1.0, 6.0, 1.0))
        return mixer.draw(8, torch.Generator().manual_seed(1))

    cpu, gpu = draw("cpu"), draw("cuda")
    assert torch.equal(cpu.clip, gpu.clip.cpu())
    assert torch.allclose(cpu.image, gpu.image.cpu(), atol=0.02)


def test_loaders_and_networks_are_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the rates without judging them: other work on the GPU changes them."""
    figures = training_speed.measure(Lab(tmp_path))
    assert all(figure.value > 0 for figure in figures)
    with capsys.disabled():
        for figure in figures:
            print(f"\n{figure.name}: {figure.value:.0f} {figure.unit}; {figure.detail}", end="")
