"""The features that attention recognition hears, and how they are computed for clips of ten seconds.

Taenzer et al. 2021, section 6.2: log-mel, an untrained extractor, and extractors by their objective. `audioset` are the
features that come with OpenMIC-2018, from the VGGish network that was trained on AudioSet; where the data has none, `musicnn`
stands in their place.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from models.checkpoint import load_musicnn, load_vggish
from models.recognition.musicnn import HOP_SAMPLES, SAMPLE_RATE, WINDOW_FRAMES
from models.recognition.vggish import VggishLogMel

LOG_MEL, RANDOM, MUSICNN, AUDIOSET = "log-mel", "random", "musicnn", "audioset"
OBJECTIVES = ("identification", "textual", "denoising-additive", "denoising-multiplicative", "alignment")
FEATURES = (LOG_MEL, RANDOM, *OBJECTIVES, MUSICNN, AUDIOSET)

Hear = Callable[
    [Tensor], Tensor
]  # clips [batch, CLIP_SAMPLES] on the device → features [batch, steps, dimensions]


def hear_by(kind: str, weights: Path | None, device: torch.device) -> Hear:
    """How clips become features of a kind; `weights` are those of the extractor or of musicnn, None for log-mel.

    Raises CheckpointError for weights of another network.
    """
    if weights is None:
        log_mel = VggishLogMel().to(device)
        return lambda wave: moments(log_mel(wave))
    if kind == MUSICNN:
        network = load_musicnn(weights).to(device)
        return lambda wave: network.features_of(windows(network.log_mel(wave)).flatten(0, 1)).unflatten(
            0, (len(wave), -1)
        )
    return load_vggish(weights)[0].to(device)


def moments(patches: Tensor) -> Tensor:
    """The mean and the deviation of each band over a patch: `[batch, seconds, 96, 64]` → `[batch, seconds, 128]`.

    Taenzer et al. give the head the log-mel itself, without saying how 96 frames become the vector of a second. These 128
    numbers fit the head as it is.
    """
    return torch.cat([patches.mean(dim=2), patches.std(dim=2)], dim=2)


def windows(image: Tensor) -> Tensor:
    """Windows of three seconds of musicnn's log-mel, one begun each second: `[batch, frames, 96]` → `[batch, w, 187, 96]`."""
    last = image.shape[1] - WINDOW_FRAMES
    starts = [
        round(second * SAMPLE_RATE / HOP_SAMPLES) for second in range(last * HOP_SAMPLES // SAMPLE_RATE + 1)
    ]
    return torch.stack([image[:, start : start + WINDOW_FRAMES] for start in starts if start <= last], dim=1)
