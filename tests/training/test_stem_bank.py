"""Banks of mixtures in both layouts: a mixture is the sum of its stems, and faulty tables raise clear errors."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import TrainingError
from tests.training.nlakh.written import instruments, write_multi
from training.bank import Bank
from training.clip_store import ClipStore
from training.mixing import ABSENT
from training.stored_mixtures import StoredMixer

SAMPLES = 60
PLAYED = [(1, 3), (2, 3, 5), (1, 2, 4, 5), (4, 5), (1, 5)]

Mixtures = list[list[tuple[int, np.ndarray]]]


@pytest.fixture
def mixtures(rng: np.random.Generator) -> Mixtures:
    return [
        [(key, rng.integers(-8000, 8000, SAMPLES, dtype=np.int16)) for key in played] for played in PLAYED
    ]


@pytest.fixture(params=["compact", "folders", "published"])
def bank(request: pytest.FixtureRequest, tmp_path: Path, mixtures: Mixtures) -> Bank:
    layout = "compact" if request.param == "compact" else "folders"
    write_multi(tmp_path, mixtures, instruments(5), layout=layout)  # type: ignore[arg-type]
    if request.param == "published":
        (tmp_path / "dataset.json").unlink()
    return Bank.open(tmp_path, kind="multi")


def test_stems_are_read_back_with_their_instruments(bank: Bank, mixtures: Mixtures) -> None:
    assert bank.num_mixtures == 5
    flat = [stem for mixture in mixtures for stem in mixture]
    assert [bank.instruments[place].number for place in bank.instrument_of_clip] == [key for key, _ in flat]
    np.testing.assert_array_equal(bank.rows(range(bank.num_clips)), np.stack([stem for _, stem in flat]))
    np.testing.assert_array_equal(bank.to_tensor().numpy(), bank.rows(range(bank.num_clips)))


def test_a_drawn_mixture_is_the_sum_of_its_stems(bank: Bank, mixtures: Mixtures) -> None:
    mixer = StoredMixer(ClipStore(bank, torch.device("cpu")), bank)
    batch = mixer.draw(64, torch.Generator().manual_seed(1))
    drawn = set()
    for wave, clips, played in zip(batch.wave, batch.clip, batch.instrument, strict=True):
        here = clips[clips != ABSENT].tolist()
        numbers = tuple(bank.instruments[place].number for place in played[played != ABSENT].tolist())
        total = sum(stem.astype(np.float64) for _, stem in mixtures[PLAYED.index(numbers)])
        assert here == list(range(here[0], here[0] + len(here)))
        np.testing.assert_allclose(wave.numpy() * 32768, total, atol=0.01)
        drawn.add(numbers)
    assert drawn == set(PLAYED)


def test_mixtures_can_be_kept_small(bank: Bank) -> None:
    store = ClipStore(bank, torch.device("cpu"))
    generator = torch.Generator().manual_seed(2)
    assert int(StoredMixer(store, bank, 3).draw(40, generator).mask.sum(dim=1).max()) == 3
    assert int(StoredMixer(store, bank).draw(40, generator, 2).mask.sum(dim=1).max()) == 2
    assert int(StoredMixer(store, bank).draw(40, generator, 1).mask.sum(dim=1).max()) == 2
    with pytest.raises(TrainingError, match="at least 2 instruments"):
        StoredMixer(store, bank, 1)


def test_a_stem_of_a_strange_instrument_is_refused(tmp_path: Path, mixtures: Mixtures) -> None:
    write_multi(tmp_path, mixtures, instruments(4))
    with pytest.raises(TrainingError, match="instrument 5"):
        Bank.open(tmp_path, kind="multi")


def test_damaged_tables_are_refused(tmp_path: Path, mixtures: Mixtures) -> None:
    write_multi(tmp_path, mixtures, instruments(5))
    table = tmp_path / "train/stems.npy"
    np.save(table, np.load(table)[:-1])
    with pytest.raises(TrainingError, match="in their table"):
        Bank.open(tmp_path, kind="multi")
    table.write_bytes(b"")
    with pytest.raises(TrainingError, match="tables"):
        Bank.open(tmp_path, kind="multi")
