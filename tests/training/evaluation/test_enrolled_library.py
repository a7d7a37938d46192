"""A library enrolled in memory is the one that the service enrols, and is kept for the same encoder and files."""

from pathlib import Path

import numpy as np
import pytest

from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from models.encoder_pair import EncoderPair
from models.errors import TrainingError
from tests.encoders import random_pair, random_pair_of
from tests.index.fake_source import FakeInstrument, FakeSource
from training.evaluation.enrolled_library import enroll_in_memory

TONES = tuple(
    FakeInstrument(name, hz, family=family)
    for name, hz, family in (("Low", 110.0, "bass"), ("Silent", None, "reed"), ("High", 1900.0, None))
)


class CountingPair(EncoderPair):
    """A pair that counts the clips it embeds."""

    embedded = 0

    def embed(self, clips: np.ndarray) -> np.ndarray:
        self.embedded += len(clips)
        return super().embed(clips)


def test_it_is_the_library_of_the_service(pair: EncoderPair, tmp_path: Path) -> None:
    library = enroll_in_memory(pair, "tones", TONES, (), tmp_path / "cache")
    assert library.ids == ("low", "high")
    assert library.families == ("bass", None)
    assert library.place_of == {"low": 0, "high": 1}
    assert library.describe() == "tones: 2 instruments, 1 bass, 1 of no family"
    index = InstrumentIndex(tmp_path / "data", pair.encoder_hash, pair.embedding_dim)
    index.open()
    enroll(index, pair, index.libraries.create("Tones").id, FakeSource(*TONES))
    vectors = index.searchable("Tones")
    assert vectors.store.vectors(vectors.store.ids) == pytest.approx(library.embedding, abs=1e-6)
    index.close()


def test_embeddings_are_kept_for_the_same_encoder_and_files(tmp_path: Path) -> None:
    sample, cache = tmp_path / "sample.wav", tmp_path / "cache"
    sample.write_bytes(b"one")
    counting = random_pair_of(CountingPair)
    first = enroll_in_memory(counting, "tones", TONES, (sample,), cache)
    once = counting.embedded
    again = enroll_in_memory(counting, "tones", TONES, (sample,), cache)
    assert counting.embedded == once
    assert np.array_equal(first.embedding, again.embedding)
    sample.write_bytes(b"two and more")
    enroll_in_memory(counting, "tones", TONES, (sample,), cache)
    assert counting.embedded == 2 * once
    other = enroll_in_memory(random_pair(seed=1), "tones", TONES, (sample,), cache)
    assert not np.allclose(other.embedding, first.embedding)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"\x93NUMPY"])
def test_a_damaged_cache_is_written_again(pair: EncoderPair, tmp_path: Path, damage: bytes) -> None:
    first = enroll_in_memory(pair, "tones", TONES, (), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    again = enroll_in_memory(pair, "tones", TONES, (), tmp_path)
    assert np.array_equal(first.embedding, again.embedding)
    assert path.stat().st_size > len(damage)


def test_a_library_of_nothing_is_refused(pair: EncoderPair, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no instrument of silence"):
        enroll_in_memory(pair, "silence", TONES[1:2], (), tmp_path)
    assert not list(tmp_path.iterdir())
