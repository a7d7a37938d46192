"""The learned features of attention recognition: log-mel 96 x 64 of a second → 128 numbers, by a network shaped like VGGish.

Taenzer et al. 2021 ("Deep Learning-Based Music Instrument Recognition: Exploring Learned Feature Representations"), sections
2.1 and 2.2, after Hershey et al. 2017. Where the text and the published network part:

- The text pools after each of six convolutions; the published network has four poolings. Four are taken.
- The mel filters are the published network's range, 125 to 7,500 Hz, and the offset before the logarithm its .01; the text
  names neither. The triangles are those of the encoders' front end (`models/front_end.py`), linear in hertz.

`width` scales every layer but the last, so that two cores can train it; 1 is the published size.
"""

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.front_end import FrontEndConfig, mel_filters

WINDOW_SAMPLES, HOP_SAMPLES, FFT_SAMPLES = 400, 160, 512  # 25 and 10 ms at 16 kHz
PATCH_FRAMES, NUM_BANDS = 96, 64
PATCH_SAMPLES = (PATCH_FRAMES - 1) * HOP_SAMPLES + WINDOW_SAMPLES  # 15,600: of one patch
PATCH_HOP_SAMPLES = PATCH_FRAMES * HOP_SAMPLES  # from one patch to the next: .96 s
LOG_OFFSET = 0.01
NUM_FEATURES = 128
SAMPLE_RATE = 16_000
MEL = FrontEndConfig(SAMPLE_RATE, n_fft=FFT_SAMPLES, n_mels=NUM_BANDS, min_hz=125.0, max_hz=7_500.0)
CONVOLUTIONS = ((64,), (128,), (256, 256), (512, 512))  # a pooling follows each group
DENSE = 4_096
MIN_CHANNELS = 4


@dataclass(frozen=True)
class VggishConfig:
    """All that is needed to rebuild the extractor; `objective` names how it was trained, "random" if it was not."""

    width: float = 1.0
    objective: str = "random"

    def __post_init__(self) -> None:
        if not 0 < self.width <= 1:
            raise ValueError(f"width is {self.width}; it must be above 0 and at most 1")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class VggishLogMel(nn.Module):
    """Waveforms at 16 kHz → log-mel patches; magnitudes, not power, as in the published network."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES), persistent=False)
        self.register_buffer("filters", mel_filters(MEL), persistent=False)

    def frames(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` → `[batch, frames, 64]`, a frame for each whole window; nothing is padded.

        Raises ValueError for less than a patch of audio.
        """
        if wave.shape[-1] < PATCH_SAMPLES:
            raise ValueError(f"the audio has {wave.shape[-1]} samples; a patch has {PATCH_SAMPLES}")
        with torch.autocast(wave.device.type, enabled=False):
            cut = wave.float().unfold(-1, WINDOW_SAMPLES, HOP_SAMPLES) * self.window
            magnitude = torch.fft.rfft(cut, n=FFT_SAMPLES).abs()  # [batch, frames, bins]
            return torch.log(magnitude @ self.filters + LOG_OFFSET)

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` → patches `[batch, seconds, 96, 64]`, side by side; what is left over is dropped."""
        image = self.frames(wave)
        whole = image.shape[1] // PATCH_FRAMES
        return image[:, : whole * PATCH_FRAMES].unflatten(1, (whole, PATCH_FRAMES))


class Vggish(nn.Module):
    """Patches or waveforms → a vector of 128 for each patch (72.1 M parameters at width 1)."""

    def __init__(self, config: VggishConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = VggishLogMel()
        layers: list[nn.Module] = []
        channels, rows, columns = 1, PATCH_FRAMES, NUM_BANDS
        for group in CONVOLUTIONS:
            for published in group:
                wide = _scaled(published, config.width)
                layers += [nn.Conv2d(channels, wide, 3, padding=1), nn.ReLU()]
                channels = wide
            layers.append(nn.MaxPool2d(2))
            rows, columns = rows // 2, columns // 2
        dense = _scaled(DENSE, config.width)
        layers += [nn.Flatten(), nn.Linear(channels * rows * columns, dense), nn.ReLU()]
        layers += [nn.Linear(dense, dense), nn.ReLU(), nn.Linear(dense, NUM_FEATURES), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        for module in self.layers:
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def features_of(self, patch: Tensor) -> Tensor:
        """`patch [batch, 96, 64]` → `[batch, 128]`, none below 0."""
        out: Tensor = self.layers(patch[:, None])
        return out

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` at 16 kHz → a vector for each .96 s, `[batch, seconds, 128]`."""
        patches = self.log_mel(wave)
        return self.features_of(patches.flatten(0, 1)).unflatten(0, patches.shape[:2])


def _scaled(channels: int, width: float) -> int:
    return max(MIN_CHANNELS, round(channels * width))
