"""The network of musicnn: three seconds of music → 200 features that were learned with 50 tags, for comparison.

Pons & Serra 2019 ("musicnn: Pre-trained Convolutional Neural Networks for Music Audio Tagging"), built anew layer by layer:
batch normalisation of log-mel 187 x 96; timbral convolutions of 7x38 and 7x67, the most over frequency; temporal ones of 128x1,
64x1 and 32x1; three dense layers of seven frames with residuals; mean and maximum over time; 200 units; 50 tags. Its weights,
trained on real music, are converted by `training/recognition/convert_musicnn.py`. It stands in the place of AudioSet features.

The front end is that of librosa 0.7: 96 Slaney mels at 16 kHz, windows of 512, a hop of 256, log10(10,000 x + 1).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 16_000
FFT_SAMPLES, HOP_SAMPLES, NUM_BANDS = 512, 256, 96
WINDOW_FRAMES = 187  # three seconds
NUM_FEATURES, NUM_TAGS = 200, 50
TIMBRAL_CHANNELS, TEMPORAL_CHANNELS, MIDDLE_CHANNELS = 204, 51, 64
TIMBRAL_BANDS = (38, 67)
TEMPORAL_FRAMES = (128, 64, 32)
TIME_KERNEL = 7
COMPRESSION = 10_000.0
NORM_EPSILON = 1e-3

# Slaney's mel scale: 200/3 Hz to a mel up to 1 kHz, then 27 to the factor 6.4.
LINEAR_HZ, BREAK_HZ, LOG_STEP = 200 / 3, 1_000.0, np.log(6.4) / 27


def slaney_filters() -> NDArray[np.float32]:
    """Triangular filters of equal area on Slaney's mel scale, from 0 to 8 kHz, `[bins, bands]`."""
    break_mel = BREAK_HZ / LINEAR_HZ
    most = break_mel + np.log(SAMPLE_RATE / 2 / BREAK_HZ) / LOG_STEP
    mel = np.linspace(0, most, NUM_BANDS + 2)
    corner_hz = np.where(
        mel < break_mel,
        mel * LINEAR_HZ,
        BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mel, break_mel) - break_mel)),
    )
    bin_hz = np.linspace(0, SAMPLE_RATE / 2, FFT_SAMPLES // 2 + 1)
    rising = (bin_hz[:, None] - corner_hz[:-2]) / np.diff(corner_hz)[:-1]
    falling = (corner_hz[2:] - bin_hz[:, None]) / np.diff(corner_hz)[1:]
    triangle = np.maximum(0, np.minimum(rising, falling))
    return (triangle * 2 / (corner_hz[2:] - corner_hz[:-2])).astype(np.float32)


class MusicnnLogMel(nn.Module):
    """Waveforms at 16 kHz → the log-mel of musicnn."""

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(FFT_SAMPLES), persistent=False)
        self.register_buffer("filters", torch.from_numpy(slaney_filters()), persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]` → `[batch, frames, 96]`; the first frame is centred at the first sample."""
        with torch.autocast(wave.device.type, enabled=False):
            padded = functional.pad(wave.float(), (FFT_SAMPLES // 2,) * 2, mode="reflect")
            cut = padded.unfold(-1, FFT_SAMPLES, HOP_SAMPLES) * self.window
            spectrum = torch.fft.rfft(cut)
            power = spectrum.real.square() + spectrum.imag.square()
            return torch.log10(COMPRESSION * (power @ self.filters) + 1)


class Musicnn(nn.Module):
    """Log-mel windows of three seconds → features and tags (790 thousand parameters)."""

    def __init__(self) -> None:
        super().__init__()
        self.log_mel = MusicnnLogMel()
        self.first = nn.BatchNorm2d(1, eps=NORM_EPSILON)
        self.timbral = nn.ModuleList(
            _Convolution(1, TIMBRAL_CHANNELS, (TIME_KERNEL, bands)) for bands in TIMBRAL_BANDS
        )
        self.temporal = nn.ModuleList(
            _Convolution(1, TEMPORAL_CHANNELS, (frames, 1)) for frames in TEMPORAL_FRAMES
        )
        front = len(TIMBRAL_BANDS) * TIMBRAL_CHANNELS + len(TEMPORAL_FRAMES) * TEMPORAL_CHANNELS  # 561
        widths = (front, MIDDLE_CHANNELS, MIDDLE_CHANNELS)
        self.middle = nn.ModuleList(
            _Convolution(1, MIDDLE_CHANNELS, (TIME_KERNEL, width)) for width in widths
        )
        pooled = 2 * (front + len(widths) * MIDDLE_CHANNELS)  # 1,506
        self.pooled_norm = nn.BatchNorm1d(pooled, eps=NORM_EPSILON)
        self.dense = nn.Linear(pooled, NUM_FEATURES)
        self.dense_norm = nn.BatchNorm1d(NUM_FEATURES, eps=NORM_EPSILON)
        self.tags = nn.Linear(NUM_FEATURES, NUM_TAGS)

    def features_of(self, image: Tensor) -> Tensor:
        """`image [batch, frames, 96]` → the penultimate layer, `[batch, 200]`."""
        normal = self.first(image[:, None])
        maps = [layer(normal).amax(dim=3) for layer in (*self.timbral, *self.temporal)]
        layers = [torch.cat(maps, dim=1)]  # [batch, 561, frames]
        for place, layer in enumerate(self.middle):
            found = layer(layers[-1].transpose(1, 2)[:, None])[..., 0]  # [batch, 64, frames]
            layers.append(found + layers[-1] if place else found)
        channels = torch.cat(layers, dim=1)
        # The original lays the maximum and the mean of each channel side by side.
        pooled = torch.stack([channels.amax(dim=2), channels.mean(dim=2)], dim=2).flatten(1)
        out: Tensor = self.dense_norm(functional.relu(self.dense(self.pooled_norm(pooled))))
        return out

    def forward(self, image: Tensor) -> Tensor:
        """`image [batch, frames, 96]` → the logits of the tags, `[batch, 50]`."""
        out: Tensor = self.tags(self.features_of(image))
        return out


class _Convolution(nn.Module):
    """A convolution that keeps the number of frames, ReLU, batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        self.before, self.after = (
            (kernel[0] - 1) // 2,
            kernel[0] // 2,
        )  # an even kernel sees one frame more ahead
        self.convolution = nn.Conv2d(inputs, outputs, kernel)
        self.norm = nn.BatchNorm2d(outputs, eps=NORM_EPSILON)

    def forward(self, image: Tensor) -> Tensor:
        padded = functional.pad(image, (0, 0, self.before, self.after))
        out: Tensor = self.norm(functional.relu(self.convolution(padded)))
        return out
