"""Passages at the noise floor, the room before and after music, are no music."""

import numpy as np
import pytest

from index.instrument_index import InstrumentIndex
from index.query import run_query
from index.retrieval import encode_samples
from models.encoder_pair import EncoderPair
from tests.index.conftest import LIBRARY


@pytest.mark.parametrize(("below_db", "is_heard"), [(50.0, False), (30.0, True)])
def test_room_noise_before_and_after_music_makes_no_lane(
    enrolled: InstrumentIndex, pair: EncoderPair, rng: np.random.Generator, below_db: float, is_heard: bool
) -> None:
    """A quiet passage is music down to 40 dB below the loudest; what is quieter is the noise floor, at any level."""
    seconds, music = np.arange(15 * 16_000) / 16_000, np.zeros(45 * 16_000, np.float32)
    music[15 * 16_000 : 30 * 16_000] = 0.5 * np.sin(2 * np.pi * 220 * seconds)
    noise = 0.5 * 10 ** (-below_db / 20) * rng.standard_normal(len(music)) / np.sqrt(2)
    slots, starts = encode_samples(pair, (music + noise).astype(np.float32))
    heard = np.asarray(slots.embedding.any(axis=(1, 2)))
    assert heard[[12.0 <= start / 16_000 <= 28 for start in starts]].all()
    outside = [start / 16_000 <= 10 or start / 16_000 >= 30 for start in starts]
    assert heard[outside].all() == heard[outside].any() == is_heard
    result, _ = run_query(enrolled, pair, (music + noise).astype(np.float32), library=LIBRARY)
    spans = [edge for slot in result.slots for span in slot.active for edge in span]
    assert is_heard or all(10.0 <= edge <= 35.0 for edge in spans)
