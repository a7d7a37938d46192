"""Mel mixing gives nearly the image and level of the mixed samples, and depends on the generator alone."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.errors import TrainingError
from models.front_end import FrontEnd, FrontEndConfig, LogMel
from tests.training.small_bank import SmallBank, small_mixtures
from tests.training.tiny_runs import recipe
from training.clip_store import ClipStore
from training.config import MelEffectsConfig
from training.effects.config import ChainConfig
from training.mel_effects import mean_square
from training.mel_mixing import MelClipStore, MelMixer, open_mel_mixer
from training.mixing import ABSENT, Mixer, RandomMixtureSampler
from training.stored_mixtures import StoredMixer, StoredMixtureSampler

CPU = torch.device("cpu")
CONFIG = FrontEndConfig(clip_seconds=0.5)
DRY = MelEffectsConfig()
EVERYTHING = MelEffectsConfig(1.0, 6.0, 1.0, (20.0, 50.0))


@pytest.fixture(scope="module")
def store() -> ClipStore:
    return ClipStore(SmallBank(8, 3), CPU)


@pytest.fixture(scope="module")
def mel_clips(store: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> MelClipStore:
    return MelClipStore.compute(store, fitting(store), tmp_path_factory.mktemp("mel") / "mel.pt")


def fitting(store: ClipStore) -> FrontEndConfig:
    return replace(CONFIG, clip_seconds=store.take(torch.tensor([0])).shape[1] / CONFIG.sample_rate)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_is_what_the_front_end_hears_of_the_same_stems(store: ClipStore, mel_clips: MelClipStore) -> None:
    """Sums of power ignore phase, so the images are similar, not equal."""
    waves = Mixer(store, 2, 2, 0.0).draw(16, generator())
    power = torch.stack(
        [mel_clips.power(row[row != ABSENT], torch.zeros(2).long()).sum(dim=0) for row in waves.clip]
    )
    mixer = MelMixer(RandomMixtureSampler(store, 2, 2), mel_clips, DRY)
    front_end = FrontEnd(mel_clips.config)
    image = front_end.image(mixer.effects.to_target_level(power).transpose(1, 2))
    heard = front_end(waves.wave)
    assert torch.corrcoef(torch.stack([image.flatten(), heard.flatten()]))[0, 1] > 0.98
    assert (image - heard).abs().mean() < 0.15 * heard.std()


def test_rendered_mixtures_keep_their_levels(tmp_path: Path) -> None:
    stems = small_mixtures(SmallBank(clip_samples=8_000))
    store = ClipStore(stems, CPU)
    mel_clips = MelClipStore.compute(store, fitting(store), tmp_path / "mel.pt")
    mixer = MelMixer(StoredMixtureSampler(store, stems), mel_clips, DRY)
    seen, heard = mixer.draw(24, generator()), StoredMixer(store, stems).draw(24, generator())
    assert torch.equal(seen.clip, heard.clip)
    image = FrontEnd(mel_clips.config)(heard.wave)
    assert torch.corrcoef(torch.stack([seen.image.flatten(), image.flatten()]))[0, 1] > 0.98
    assert (seen.image - image).abs().mean() < 0.15 * image.std()


def test_the_level_follows_from_the_mel_power() -> None:
    wave = torch.randn(4, 16_000, generator=generator()) * torch.tensor([0.01, 0.1, 0.5, 1.0])[:, None]
    power = LogMel(CONFIG).power(wave).transpose(1, 2)
    assert torch.allclose(mean_square(power, CONFIG.n_fft), wave.square().mean(dim=1), rtol=0.1)


@pytest.mark.parametrize("effects", [DRY, EVERYTHING])
def test_images_are_level_finite_and_drawn_by_the_generator(
    store: ClipStore, mel_clips: MelClipStore, effects: MelEffectsConfig
) -> None:
    mixer = MelMixer(RandomMixtureSampler(store, 2, 5), mel_clips, effects)
    first, again, other = (mixer.draw(6, generator(seed)) for seed in (1, 1, 2))
    assert first.image.shape == (6, 1, mel_clips.config.n_mels, mel_clips.config.num_frames)
    assert first.image.isfinite().all()
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.clip, again.clip)
    assert not torch.equal(first.image, other.image)
    power = (
        first.image[:, 0] * mel_clips.config.log_std + mel_clips.config.log_mean
    ).exp() - mel_clips.config.log_floor
    level = mean_square(power.transpose(1, 2), mel_clips.config.n_fft)
    assert torch.allclose(level, torch.full((6,), mel_clips.config.target_rms**2), rtol=1e-2)


def test_effects_change_what_is_heard_and_not_the_stems(store: ClipStore, mel_clips: MelClipStore) -> None:
    dry, wet = (
        MelMixer(RandomMixtureSampler(store, 2, 5), mel_clips, effects) for effects in (DRY, EVERYTHING)
    )
    one, other = dry.draw(6, generator()), wet.draw(6, generator())
    assert torch.equal(one.clip, other.clip)
    assert (one.image - other.image).abs().mean() > 0.05


def test_turning_a_clip_moves_its_frames_round(mel_clips: MelClipStore) -> None:
    clip = torch.tensor([4, 4])
    still, turned = mel_clips.power(clip, torch.tensor([0, 3]))
    assert torch.equal(still.roll(3, dims=0), turned)


def test_the_cache_is_taken_up_only_by_the_same_front_end(store: ClipStore, tmp_path: Path) -> None:
    config = fitting(store)
    made = MelClipStore.compute(store, config, tmp_path / "mel.pt")
    stamp = (tmp_path / "mel.pt").stat().st_mtime_ns
    assert torch.equal(MelClipStore.compute(store, config, tmp_path / "mel.pt").magnitude, made.magnitude)
    assert (tmp_path / "mel.pt").stat().st_mtime_ns == stamp
    coarser = MelClipStore.compute(store, replace(config, n_mels=64), tmp_path / "mel.pt")
    assert coarser.magnitude.shape[2] == 64


def test_a_cache_without_levels_is_made_anew(store: ClipStore, tmp_path: Path) -> None:
    cache = tmp_path / "mel.pt"
    made = MelClipStore.compute(store, fitting(store), cache)
    saved = torch.load(cache, weights_only=True)
    del saved["level"]
    torch.save(saved, cache)
    assert torch.equal(MelClipStore.compute(store, fitting(store), cache).level, made.level)


def test_every_clip_passes_its_own_effects(store: ClipStore, mel_clips: MelClipStore, tmp_path: Path) -> None:
    """They follow from the seed, and a cache made with others is made anew."""
    cache, config = tmp_path / "mel.pt", fitting(store)
    rooms = ChainConfig.from_dict({"reverb": {"probability": 0.6, "rt60_seconds": [0.1, 0.3]}})
    first = MelClipStore.compute(store, config, cache, rooms, seed=1).magnitude
    changed = (first != mel_clips.magnitude).flatten(1).any(dim=1)
    assert 0.2 < changed.float().mean() < 0.9
    stamp = cache.stat().st_mtime_ns
    assert torch.equal(MelClipStore.compute(store, config, cache, rooms, seed=1).magnitude, first)
    assert cache.stat().st_mtime_ns == stamp
    assert not torch.equal(MelClipStore.compute(store, config, cache, rooms, seed=2).magnitude, first)
    assert torch.equal(MelClipStore.compute(store, config, cache).magnitude, mel_clips.magnitude)


def test_a_mixture_needs_samples_for_its_effects(store: ClipStore, tmp_path: Path) -> None:
    bus = recipe("multi", "effects.mixture.compressor.probability = 1")
    with pytest.raises(TrainingError, match=r"not \[effects.mixture\]"):
        open_mel_mixer(bus, RandomMixtureSampler(store, 1, 2), store, tmp_path / "mel.pt")
