"""The multi encoder's targets: the frozen single encoder's embedding of every clip, computed once.

Kim et al. 2022, section 3.2: the targets are `f(x_n)` of the stems. The front end normalises the level, so a stem's embedding
does not depend on its gain in the mixture and can be looked up.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.atomic import atomic_file
from models.device import autocast, native_bfloat16
from models.encoders import SingleInstrumentEncoder
from training.clip_store import ClipStore

TARGETS_FILE = "targets.pt"  # a cache in the run's folder
CLIPS_AT_ONCE = 128  # embedded together


class Targets:
    """Target embeddings: `embedding [clips, dim]` of unit norm, and each instrument's mean, `prototype [instruments, dim]`.

    `family [instruments]` numbers the instruments' families, `UNKNOWN` (training/clip_store.py) where there is none.
    """

    def __init__(self, embedding: Tensor, store: ClipStore) -> None:
        self.embedding, self.family = embedding, store.family.to(embedding.device)
        total = torch.zeros(store.num_instruments, embedding.shape[1], device=embedding.device)
        total.index_add_(0, store.instrument_of_clip.to(embedding.device), embedding.float())
        self.prototype = functional.normalize(total, dim=-1)

    def clips(self, clip: Tensor) -> Tensor:
        """Return the targets of `clip [batch, stem]`, `[batch, stem, dim]`; arbitrary where `clip` is negative (absent)."""
        return self.embedding[clip.clamp(min=0)].float()

    @classmethod
    @torch.no_grad()
    def compute(
        cls, single: SingleInstrumentEncoder, store: ClipStore, cache: Path, encoder_hash: str
    ) -> "Targets":
        """Embed every clip, or load the cache if its encoder and number of clips match."""
        if cache.exists():
            saved = torch.load(cache, weights_only=True)
            if saved["encoder"] == encoder_hash and len(saved["embedding"]) == store.num_clips:
                return cls(saved["embedding"].to(store.device), store)
        single = single.to(store.device).eval()
        parts = []
        for _, wave in store.in_order(CLIPS_AT_ONCE):
            with autocast(store.device, native_bfloat16(store.device)):
                parts.append(single(wave).half())
        embedding = torch.cat(parts)
        with atomic_file(cache) as file:
            torch.save({"encoder": encoder_hash, "embedding": embedding.cpu()}, file)
        return cls(embedding, store)
