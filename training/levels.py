"""The level of a clip as mixing understands it: of the part that sounds."""

import torch
from torch import Tensor


def active_rms(wave: Tensor, frame_samples: int = 800, range_db: float = 40.0) -> Tensor:
    """RMS over the frames within `range_db` of the loudest: `[n, samples]` → `[n, 1]`; a sparse clip is not boosted."""
    usable = wave.shape[1] // frame_samples * frame_samples
    frames = wave[:, :usable].reshape(len(wave), -1, frame_samples)
    power = torch.linalg.vector_norm(frames, dim=2).square() / frame_samples  # without a copy of the squares
    active = power >= power.amax(dim=1, keepdim=True) * 10 ** (-range_db / 10)
    return ((power * active).sum(dim=1, keepdim=True) / active.sum(dim=1, keepdim=True)).sqrt()
