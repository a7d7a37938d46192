"""A pair of encoders that recognises sines, so that the answer of a whole query is known in advance.

It has the interface of `EncoderPair`: an embedding is the energy in sixteen bands, a slot is one band that sounds.
"""

import numpy as np

from models.encoder_pair import EncoderPair
from tests.encoders import match_by_similarity

BAND_HZ = 200
LOUD = 0.05  # amplitude from which a tone counts as present


class TonePair(EncoderPair):
    """Clips of one second at 8 kHz; band `b` is the tone of `band_hz(b)`."""

    def __init__(self, num_slots: int = 4) -> None:
        self.sample_rate = self.clip_samples = 8000
        self.embedding_dim = 16
        self.num_slots = num_slots
        self.device = "cpu"
        self.encoder_hash = "sha256:tones"
        self.presence_threshold = 0.5
        self.match = match_by_similarity(self.embedding_dim)
        self.family = None

    def embed(self, clips: np.ndarray) -> np.ndarray:
        bands = self._bands(clips)
        return np.asarray(bands / np.linalg.norm(bands, axis=1, keepdims=True), np.float32)

    def encode(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bands = self._bands(windows)
        strongest = np.argsort(-bands, axis=1)[:, : self.num_slots]  # [w, M]
        presence = (np.take_along_axis(bands, strongest, axis=1) > LOUD).astype(np.float32)
        return np.eye(self.embedding_dim, dtype=np.float32)[strongest], presence

    def _bands(self, clips: np.ndarray) -> np.ndarray:
        """Return the amplitude of the strongest partial of each band `[n, 16]`."""
        amplitude = np.abs(np.fft.rfft(clips, axis=1)) * 2 / clips.shape[1]
        return amplitude[:, : 16 * BAND_HZ].reshape(len(clips), 16, BAND_HZ).max(axis=2) + 1e-6


def band_hz(band: int) -> float:
    """Return the centre frequency of a band."""
    return (band + 0.5) * BAND_HZ
