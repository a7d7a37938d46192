"""Every clip of a bank as mel magnitudes at one level, and that level: what mixing in the mel domain reads.

Mixtures are sums, and so, on average over phases, are their power spectra: a mixture's log-mel image made of its stems' mel
power is nearly that of their samples (a test holds the two together) at a third of the cost (`python -m benchmarks --only
training` prints it).
"""

from pathlib import Path

import torch
from torch import Tensor

from models.atomic import atomic_file
from models.front_end import FrontEnd, FrontEndConfig
from training.clip_store import ClipStore
from training.levels import active_rms

AT_ONCE = 64  # clips


class MelBank:
    """`magnitude [clips, frames, n_mels]` float16: the root of the mel power of each clip at an active RMS of 1.

    It lies in memory, on the training device: 40 kB a clip of five seconds. `level [clips]`, on the CPU, is the active RMS
    that each clip was stored with.
    """

    def __init__(self, magnitude: Tensor, level: Tensor, config: FrontEndConfig) -> None:
        self.magnitude, self.level, self.config = magnitude, level, config

    @classmethod
    @torch.no_grad()
    def compute(cls, store: ClipStore, config: FrontEndConfig, cache: Path) -> "MelBank":
        """Transform every clip of the store, or take the cache if it is of the same front end and as many clips."""
        if cache.exists():
            saved = torch.load(cache, weights_only=True)
            levels = saved.get("level", ())  # none in caches of earlier versions
            if saved["front_end"] == config.to_dict() and len(levels) == store.num_clips:
                return cls(saved["magnitude"].to(store.device), levels, config)
        front_end = FrontEnd(config).to(store.device)
        magnitude = torch.empty(store.num_clips, config.num_frames, config.n_mels, dtype=torch.float16)
        level = torch.empty(store.num_clips)
        for clip in torch.arange(store.num_clips).split(AT_ONCE):
            wave = front_end.fit_length(store.take(clip))
            active = active_rms(wave).clamp(min=1e-5)  # [clips, 1]
            power = front_end.log_mel.power(wave / active)
            level[clip] = active[:, 0].cpu()
            magnitude[clip] = power.sqrt().transpose(1, 2).half().cpu()
        with atomic_file(cache) as file:
            torch.save({"front_end": config.to_dict(), "magnitude": magnitude, "level": level}, file)
        return cls(magnitude.to(store.device), level, config)

    def power(self, clip: Tensor, shift_frames: Tensor) -> Tensor:
        """Mel power of clips `[n]`, each turned round by `shift_frames [n]`: `[n, frames, n_mels]`."""
        _, frames, n_mels = self.magnitude.shape
        turned = (torch.arange(frames)[None] - shift_frames[:, None]) % frames
        row = (clip[:, None] * frames + turned).flatten().to(self.magnitude.device)
        chosen = self.magnitude.view(-1, n_mels).index_select(0, row).float()
        return chosen.square_().view(len(clip), frames, n_mels)
