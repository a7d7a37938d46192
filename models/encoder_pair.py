"""The two encoders as serving and the index use them: numpy in, numpy out, in batches, thread-safe.

A multi encoder names the single encoder whose embeddings it learnt to give; loading refuses a pair that does not match.
"""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoint import file_hash, load_multi, load_single
from models.device import autocast, choose_device
from models.encoders import MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import EncoderMismatch

WEIGHTS = Path(__file__).parent / "weights"
SINGLE_FILE, MULTI_FILE = "single.safetensors", "multi.safetensors"
Floats = NDArray[np.float32]
CLOSE_SIMILARITY = 0.35  # for checkpoints without the value; `training.release` chooses it on validation


class EncoderPair:
    """A single and a multi encoder that belong together, on one device.

    `embed` and `encode` take float32 clips at `sample_rate`; both are thread-safe and deterministic for a given batch.
    """

    batch_size = 32
    close_similarity = CLOSE_SIMILARITY  # cosine from which a slot's best hit counts as close

    def __init__(
        self,
        single: SingleInstrumentEncoder,
        multi: MultiInstrumentEncoder,
        encoder_hash: str,
        device: torch.device,
        presence_threshold: float = 0.5,
        close_similarity: float = CLOSE_SIMILARITY,
    ) -> None:
        if single.config.front_end != multi.config.front_end:
            raise EncoderMismatch("the encoders have different front ends", value=multi.config.front_end)
        self._single = single.to(device).eval()
        self._multi = multi.to(device).eval()
        self._device = device
        self._lock = threading.Lock()
        self.encoder_hash = encoder_hash
        self.presence_threshold = presence_threshold
        self.close_similarity = close_similarity
        self.device = str(device)
        self.sample_rate = single.config.front_end.sample_rate
        self.clip_samples = single.config.front_end.clip_samples
        self.embedding_dim = single.config.embedding_dim
        self.num_slots = multi.config.num_slots

    @classmethod
    def load(cls, weights_dir: Path | None = None, device: str = "auto") -> "EncoderPair":
        """Load `single.safetensors` and `multi.safetensors` from a folder; None means the shipped weights.

        Raises CheckpointError if a file is missing or damaged, EncoderMismatch if they were not trained together.
        """
        folder = weights_dir or WEIGHTS
        single, _ = load_single(folder / SINGLE_FILE)
        multi, header = load_multi(folder / MULTI_FILE)
        encoder_hash = file_hash(folder / SINGLE_FILE)
        if header.target_encoder != encoder_hash:
            raise EncoderMismatch(
                f"{MULTI_FILE} was trained against {header.target_encoder}, but {SINGLE_FILE} is {encoder_hash}; "
                "use two files of one training",
                value=encoder_hash,
                limit=header.target_encoder,
            )
        close = header.metrics.get("close_similarity", CLOSE_SIMILARITY)
        return cls(single, multi, encoder_hash, choose_device(device), header.presence_threshold, close)

    def embed(self, clips: Floats) -> Floats:
        """`clips [n, clip_samples]` → unit-norm embeddings `[n, dim]`."""
        return self._batched(clips, lambda wave: (self._single(wave),))[0]

    def encode(self, windows: Floats) -> tuple[Floats, Floats]:
        """`windows [w, clip_samples]` → slot embeddings `[w, M, dim]` of unit norm and presence `[w, M]`."""

        def slots(wave: torch.Tensor) -> tuple[torch.Tensor, ...]:
            out = self._multi(wave)
            return out.embedding, out.presence

        embedding, presence = self._batched(windows, slots)
        return embedding, presence

    def _batched(
        self, clips: Floats, network: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
    ) -> tuple[Floats, ...]:
        if clips.ndim != 2 or clips.shape[1] != self.clip_samples or not len(clips):
            raise ValueError(f"expected clips [n ≥ 1, {self.clip_samples}], got shape {clips.shape}")
        parts: list[tuple[torch.Tensor, ...]] = []
        use_bfloat16 = self._device.type == "cuda"
        with self._lock, torch.inference_mode(), autocast(self._device, use_bfloat16):
            for start in range(0, len(clips), self.batch_size):
                wave = torch.from_numpy(np.ascontiguousarray(clips[start : start + self.batch_size]))
                parts.append(tuple(value.float().cpu() for value in network(wave.to(self._device))))
        return tuple(torch.cat(columns).numpy() for columns in zip(*parts, strict=True))
