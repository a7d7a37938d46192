"""Long audio is decoded into one array and encoded a batch of windows at a time, with the same bits as all at once."""

import io
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import soundfile as sf

from index.retrieval import encode_samples
from index.sources.base import Floats, is_silent
from models.audio import decode, split_windows
from models.encoder_pair import EncoderPair
from models.errors import Busy
from tests.encoders import random_pair_of

RATE = 16_000
MINUTES = 4


class WatchedPair(EncoderPair):
    """Remembers how many windows it was given at a time."""

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        self.given = [*getattr(self, "given", []), len(windows)]
        return super().encode(windows)


class CountingEncoder:
    """Answers at once: each slot is the window's first samples."""

    clip_samples, num_slots, embedding_dim, batch_size = 5 * RATE, 2, 4, 8

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        first = windows[:, : 2 * 4].reshape(len(windows), 2, 4)
        return first.copy(), np.ones((len(windows), 2), np.float32)


def peak_bytes(work: Callable[[], object]) -> int:
    """Return the most bytes that `work` has allocated at a time."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def song(minutes: float) -> Floats:
    """Noise with a gap of silence, `[samples]`."""
    samples = np.random.default_rng(3).normal(0, 0.1, int(60 * minutes * RATE)).astype(np.float32)
    samples[len(samples) // 3 : len(samples) // 2] = 0
    return samples


def test_batches_give_the_bits_of_all_windows_at_once() -> None:
    pair, samples = random_pair_of(WatchedPair), song(2.5)
    slots, starts = encode_samples(pair, samples)
    assert max(pair.given) <= pair.batch_size < sum(pair.given)
    size = pair.clip_samples
    windows, expected_starts = split_windows(samples, clip_samples=size, hop_samples=size // 2)
    sounding = np.array([not is_silent(window) for window in windows])
    assert 0 < sounding.sum() < len(windows)
    embedding, presence = random_pair_of(EncoderPair).encode(windows[sounding])
    assert starts == expected_starts
    np.testing.assert_array_equal(slots.embedding[sounding], embedding)
    np.testing.assert_array_equal(slots.presence[sounding], presence)
    assert not slots.embedding[~sounding].any()


def test_the_memory_of_encoding_does_not_grow_with_the_audio() -> None:
    encoder = CountingEncoder()
    batch_bytes = 4 * encoder.batch_size * encoder.clip_samples
    for minutes in (MINUTES, 4 * MINUTES):
        samples = song(minutes)
        assert peak_bytes(partial(encode_samples, encoder, samples)) < 1.5 * batch_bytes


def test_decoded_audio_is_in_memory_once() -> None:
    file = io.BytesIO()
    sf.write(file, song(MINUTES), RATE, format="WAV", subtype="PCM_16")
    decoded_bytes = 4 * 60 * MINUTES * RATE
    for start_seconds in (0.0, 0.5):
        peak = peak_bytes(partial(decode, file, sample_rate=RATE, start_seconds=start_seconds))
        assert peak < 1.4 * decoded_bytes


def test_decoding_asks_before_it_holds_more() -> None:
    file = io.BytesIO()
    sf.write(file, song(1.0), RATE, format="WAV", subtype="PCM_16")
    asked: list[float] = []

    def admit(seconds: float) -> None:
        asked.append(seconds)
        if seconds > 20:
            raise Busy("no more", value=seconds, limit=20)

    decode(file, sample_rate=RATE, end_seconds=15.0, admit=admit)
    assert asked == sorted(asked)
    assert asked[-1] == pytest.approx(15.0, abs=0.1)
    with pytest.raises(Busy):
        decode(file, sample_rate=RATE, admit=admit)
    assert asked[-1] < 30
