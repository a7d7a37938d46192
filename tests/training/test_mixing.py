"""Mixing: a mixture is the sum of its stems, counts and gains stay in range, and only the generator decides."""

import pytest
import torch

from models.errors import TrainingError
from tests.training.small_bank import SmallBank
from training.clip_store import ClipStore
from training.effects.chain import Effects
from training.effects.config import ChainConfig, EffectsConfig, Equaliser, Noise, Pitch, Reverb, Saturation
from training.mixing import ABSENT, CPU_STEMS, Mixer, MixtureBatch, active_rms, recorded_weight

CPU = torch.device("cpu")


@pytest.fixture
def store() -> ClipStore:
    return ClipStore(SmallBank(12, 3), CPU)


EFFECTS = Effects(
    EffectsConfig(
        stems=ChainConfig(
            pitch=Pitch(0.3), equaliser=Equaliser(0.5), reverb=Reverb(0.3, rt60_seconds=(0.1, 0.2))
        ),
        mixture=ChainConfig(saturation=Saturation(0.5), noise=Noise(0.5)),
    ),
    16_000,
)
OFF = Effects(EffectsConfig(), 16_000)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_mixture_is_the_sum_of_its_stems(store: ClipStore) -> None:
    batch = Mixer(store, 2, 9).draw(5, generator())
    for row in range(5):
        total = torch.zeros(4_000)
        for clip, gain_db in zip(batch.clip[row], batch.gain_db[row], strict=True):
            if clip != ABSENT:
                stem = store.take(clip[None])[0]
                total += stem / active_rms(stem[None])[0] * 10 ** (gain_db / 20)
        assert torch.allclose(batch.wave[row], total, atol=1e-4)


def test_counts_instruments_and_gains_stay_in_range(store: ClipStore) -> None:
    batch = Mixer(store, 2, 5, gain_db=6).draw(200, generator())
    counts = batch.mask.sum(dim=1)
    assert set(counts.tolist()) == {2, 3, 4, 5}
    assert batch.gain_db.abs().max() <= 6
    assert torch.equal(batch.clip[batch.mask] // 3, batch.instrument[batch.mask])
    for row in batch.instrument:
        used = row[row != ABSENT].tolist()
        assert len(used) == len(set(used))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_recordings_play_the_asked_share_of_stems(share: float) -> None:
    bank = SmallBank(80, 1, prefixes=("real_", "", "", ""))
    weight = recorded_weight(bank.instruments, share)
    batch = Mixer(ClipStore(bank, CPU), 2, 4, weight=weight).draw(2_000, generator())
    drawn = batch.instrument[batch.mask]
    assert (drawn % 4 == 0).float().mean().item() == pytest.approx(share, abs=0.05)
    number = torch.bincount(drawn, minlength=80)
    assert number.min() > 0
    for row in batch.instrument[:50]:
        used = row[row != ABSENT].tolist()
        assert len(used) == len(set(used))


def test_a_share_of_recordings_needs_both_kinds() -> None:
    assert recorded_weight(SmallBank(4).instruments, 0.0) is None
    for prefix, number in (("", 0), ("real_", 4)):
        with pytest.raises(TrainingError, match=f"{number} of 4 are recorded"):
            recorded_weight(SmallBank(4, prefixes=(prefix,)).instruments, 0.5)


def test_the_generator_decides(store: ClipStore) -> None:
    mixer = Mixer(store)
    assert torch.equal(mixer.draw(4, generator(1)).wave, mixer.draw(4, generator(1)).wave)
    assert not torch.equal(mixer.draw(4, generator(1)).wave, mixer.draw(4, generator(2)).wave)


def test_a_sparse_clip_is_as_loud_as_a_full_one() -> None:
    full = torch.ones(1, 8_000)
    sparse = torch.zeros(1, 8_000)
    sparse[:, :800] = 1
    assert active_rms(sparse) == active_rms(full) == 1
    assert active_rms(torch.zeros(1, 8_000)) == 0


def test_more_stems_than_instruments_are_refused(store: ClipStore) -> None:
    with pytest.raises(TrainingError, match="2-13 of 12"):
        Mixer(store, 2, 13)


def mixed_by_a_loop(batch: MixtureBatch, store: ClipStore, effects: Effects) -> torch.Tensor:
    """Reference: sum stem by stem, with the effects and gains that the batch records."""
    assert batch.stem_effects is not None
    assert batch.mixture_effects is not None
    wave = torch.zeros_like(batch.wave)
    for number, (row, place) in enumerate(batch.mask.nonzero().tolist()):
        stem = store.take(batch.clip[row, place][None])
        stem = effects.stems.apply_(stem, batch.stem_effects.select(torch.tensor([number])))
        gain = 10 ** (batch.gain_db[row, place] / 20)
        wave[row] += (stem * (gain / active_rms(stem).clamp(min=1e-5)))[0]
    for row in range(len(wave)):
        alone = batch.mixture_effects.select(torch.tensor([row]))
        wave[row] = effects.mixture.apply_(wave[row : row + 1].clone(), alone)[0]
    return wave


def test_without_effects_a_mixture_is_the_loops_to_the_last_bit(store: ClipStore) -> None:
    batch = Mixer(store, 2, 9, effects=OFF).draw(40, generator())
    assert int(batch.mask.sum()) > 2 * CPU_STEMS
    assert torch.equal(batch.wave, mixed_by_a_loop(batch, store, OFF))
    plain = Mixer(store, 2, 9).draw(40, generator())
    assert torch.equal(batch.wave, plain.wave)
    assert plain.stem_effects is plain.mixture_effects is None


def test_with_effects_a_mixture_is_the_loops(store: ClipStore) -> None:
    batch = Mixer(store, 2, 9, effects=EFFECTS).draw(30, generator())
    slow = mixed_by_a_loop(batch, store, EFFECTS)
    assert (batch.wave - slow).abs().max() < 1e-4 * slow.abs().max()


def test_effects_leave_stems_gains_and_the_bank_as_they_are(store: ClipStore) -> None:
    dry, wet = (Mixer(store, 2, 9, effects=each).draw(30, generator()) for each in (OFF, EFFECTS))
    assert torch.equal(dry.clip, wet.clip)
    assert torch.equal(dry.gain_db, wet.gain_db)
    assert not torch.allclose(dry.wave, wet.wave, atol=1e-2)
    assert torch.equal(Mixer(store, 2, 9, effects=OFF).draw(30, generator()).wave, dry.wave)


def test_the_generator_decides_the_effects_too(store: ClipStore) -> None:
    mixer = Mixer(store, effects=EFFECTS)
    assert torch.equal(mixer.draw(8, generator(1)).wave, mixer.draw(8, generator(1)).wave)
