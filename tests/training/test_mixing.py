"""Mixing: the mixture is the sum of its stems, counts and gains stay in range, the generator alone decides."""

import pytest
import torch

from tests.training.small_bank import SmallBank
from training.mixing import ABSENT, ClipStore, Mixer, active_rms

CPU = torch.device("cpu")


@pytest.fixture
def store() -> ClipStore:
    return ClipStore(SmallBank(12, 3), CPU)


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
    with pytest.raises(ValueError, match="2-13 of 12"):
        Mixer(store, 2, 13)
