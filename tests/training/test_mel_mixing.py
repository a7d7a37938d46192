"""Mixing in the mel domain gives what the front end would hear, levels and all, and the generator alone decides."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.front_end import FrontEnd, FrontEndConfig, LogMel
from tests.training.small_bank import SmallBank, small_mixtures
from training.clip_store import ClipStore
from training.config import MelEffectsConfig
from training.mel_bank import MelBank
from training.mel_mixing import MelMixer, mean_square
from training.mixing import ABSENT, Casting, Mixer
from training.stored_mixtures import StoredMixer, StoredMixtureSampler

CPU = torch.device("cpu")
CONFIG = FrontEndConfig(clip_seconds=0.5)
DRY = MelEffectsConfig()
EVERYTHING = MelEffectsConfig(1.0, 6.0, 1.0, (20.0, 50.0))


@pytest.fixture(scope="module")
def store() -> ClipStore:
    return ClipStore(SmallBank(8, 3), CPU)


@pytest.fixture(scope="module")
def bank(store: ClipStore, tmp_path_factory: pytest.TempPathFactory) -> MelBank:
    return MelBank.compute(store, fitting(store), tmp_path_factory.mktemp("mel") / "mel.pt")


def fitting(store: ClipStore) -> FrontEndConfig:
    return replace(CONFIG, clip_seconds=store.take(torch.tensor([0])).shape[1] / CONFIG.sample_rate)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_is_what_the_front_end_hears_of_the_same_cast(store: ClipStore, bank: MelBank) -> None:
    """Sums of power leave out how phases meet, so the images are alike, not equal."""
    waves = Mixer(store, 2, 2, 0.0).draw(16, generator())
    power = torch.stack(
        [bank.power(row[row != ABSENT], torch.zeros(2).long()).sum(dim=0) for row in waves.clip]
    )
    mixer = MelMixer(Casting(store, 2, 2), bank, DRY)
    front_end = FrontEnd(bank.config)
    image = front_end.image(mixer._level(power).transpose(1, 2))
    heard = front_end(waves.wave)
    assert torch.corrcoef(torch.stack([image.flatten(), heard.flatten()]))[0, 1] > 0.98
    assert (image - heard).abs().mean() < 0.15 * heard.std()


def test_rendered_mixtures_keep_their_levels(tmp_path: Path) -> None:
    stems = small_mixtures(SmallBank(clip_samples=8_000))
    store = ClipStore(stems, CPU)
    bank = MelBank.compute(store, fitting(store), tmp_path / "mel.pt")
    mixer = MelMixer(StoredMixtureSampler(store, stems), bank, DRY)
    seen, heard = mixer.draw(24, generator()), StoredMixer(store, stems).draw(24, generator())
    assert torch.equal(seen.clip, heard.clip)
    image = FrontEnd(bank.config)(heard.wave)
    assert torch.corrcoef(torch.stack([seen.image.flatten(), image.flatten()]))[0, 1] > 0.98
    assert (seen.image - image).abs().mean() < 0.15 * image.std()


def test_the_level_follows_from_the_mel_power() -> None:
    wave = torch.randn(4, 16_000, generator=generator()) * torch.tensor([0.01, 0.1, 0.5, 1.0])[:, None]
    power = LogMel(CONFIG).power(wave).transpose(1, 2)
    assert torch.allclose(mean_square(power, CONFIG.n_fft), wave.square().mean(dim=1), rtol=0.1)


@pytest.mark.parametrize("effects", [DRY, EVERYTHING])
def test_images_are_level_finite_and_drawn_by_the_generator(
    store: ClipStore, bank: MelBank, effects: MelEffectsConfig
) -> None:
    mixer = MelMixer(Casting(store, 2, 5), bank, effects)
    first, again, other = (mixer.draw(6, generator(seed)) for seed in (1, 1, 2))
    assert first.image.shape == (6, 1, bank.config.n_mels, bank.config.num_frames)
    assert first.image.isfinite().all()
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.clip, again.clip)
    assert not torch.equal(first.image, other.image)
    power = (first.image[:, 0] * bank.config.log_std + bank.config.log_mean).exp() - bank.config.log_floor
    level = mean_square(power.transpose(1, 2), bank.config.n_fft)
    assert torch.allclose(level, torch.full((6,), bank.config.target_rms**2), rtol=1e-2)


def test_effects_change_what_is_heard_and_not_who_plays(store: ClipStore, bank: MelBank) -> None:
    dry, wet = (MelMixer(Casting(store, 2, 5), bank, effects) for effects in (DRY, EVERYTHING))
    one, other = dry.draw(6, generator()), wet.draw(6, generator())
    assert torch.equal(one.clip, other.clip)
    assert (one.image - other.image).abs().mean() > 0.05


def test_turning_a_clip_moves_its_frames_round(bank: MelBank) -> None:
    clip = torch.tensor([4, 4])
    still, turned = bank.power(clip, torch.tensor([0, 3]))
    assert torch.equal(still.roll(3, dims=0), turned)


def test_the_cache_is_taken_up_only_by_the_same_front_end(store: ClipStore, tmp_path: Path) -> None:
    config = fitting(store)
    made = MelBank.compute(store, config, tmp_path / "mel.pt")
    stamp = (tmp_path / "mel.pt").stat().st_mtime_ns
    assert torch.equal(MelBank.compute(store, config, tmp_path / "mel.pt").magnitude, made.magnitude)
    assert (tmp_path / "mel.pt").stat().st_mtime_ns == stamp
    coarser = MelBank.compute(store, replace(config, n_mels=64), tmp_path / "mel.pt")
    assert coarser.magnitude.shape[2] == 64


def test_a_cache_without_levels_is_made_anew(store: ClipStore, tmp_path: Path) -> None:
    cache = tmp_path / "mel.pt"
    made = MelBank.compute(store, fitting(store), cache)
    saved = torch.load(cache, weights_only=True)
    del saved["level"]
    torch.save(saved, cache)
    assert torch.equal(MelBank.compute(store, fitting(store), cache).level, made.level)
