"""The encoders' front end: all DSP numbers of the project, and the log-mel spectrogram that they define.

Kim et al. 2022 use mel spectrograms of five-second clips at 16 kHz. The numbers are those of the paper's rendered data set
(window 1024, hop 512, 128 mels); the filters are torchaudio's defaults (HTK scale, no area normalisation).
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class FrontEndConfig:
    """All DSP numbers. Lengths are in samples, frequencies in hertz, levels are power in log units."""

    sample_rate: int = 16_000
    clip_seconds: float = 5.0
    n_fft: int = 1024
    hop_length: int = 512
    n_mels: int = 128
    min_hz: float = 0.0
    max_hz: float = 8_000.0
    target_rms: float = 0.1  # level of every clip, so that gain does not matter
    silence_rms: float = 1e-6  # a clip below this (-120 dBFS) becomes silence
    log_floor: float = 1e-5  # power added before the logarithm
    log_mean: float = -3.0  # ln power, subtracted to centre music-like input
    log_std: float = 4.0

    def __post_init__(self) -> None:
        if not 0 <= self.min_hz < self.max_hz <= self.sample_rate / 2:
            raise ValueError(f"mel range {self.min_hz}-{self.max_hz} Hz exceeds 0-{self.sample_rate / 2} Hz")
        if not 0 < self.hop_length <= self.n_fft:
            raise ValueError(f"hop_length {self.hop_length} must lie in 1..n_fft ({self.n_fft})")

    @property
    def clip_samples(self) -> int:
        return round(self.clip_seconds * self.sample_rate)

    @property
    def num_frames(self) -> int:
        return self.clip_samples // self.hop_length + 1

    def to_dict(self) -> dict[str, int | float]:
        return asdict(self)


def hz_to_mel(hz: Tensor) -> Tensor:
    return 2595.0 * torch.log10(1.0 + hz / 700.0)


def mel_to_hz(mel: Tensor) -> Tensor:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


def mel_filters(config: FrontEndConfig) -> Tensor:
    """Triangular HTK mel filters, `[n_fft // 2 + 1, n_mels]`."""
    bin_hz = torch.linspace(0, config.sample_rate / 2, config.n_fft // 2 + 1)
    low, high = hz_to_mel(torch.tensor([config.min_hz, config.max_hz])).tolist()
    corner_hz = mel_to_hz(torch.linspace(low, high, config.n_mels + 2))
    width_hz = corner_hz.diff()
    distance_hz = corner_hz[None, :] - bin_hz[:, None]  # [bins, corners]
    rising = -distance_hz[:, :-2] / width_hz[:-1]
    falling = distance_hz[:, 2:] / width_hz[1:]
    return torch.minimum(rising, falling).clamp(min=0)


class LogMel(nn.Module):
    """Waveform → log-mel spectrogram in plain torch, so that it runs wherever torch does."""

    window: Tensor
    filters: Tensor

    def __init__(self, config: FrontEndConfig | None = None) -> None:
        super().__init__()
        self.config = config or FrontEndConfig()
        self.register_buffer("window", torch.hann_window(self.config.n_fft), persistent=False)
        self.register_buffer("filters", mel_filters(self.config), persistent=False)

    def power(self, wave: Tensor) -> Tensor:
        """Mel power `[batch, n_mels, frames]` of `wave [batch, samples]`, equal to torchaudio's MelSpectrogram."""
        spectrum = torch.stft(
            wave,
            self.config.n_fft,
            self.config.hop_length,
            window=self.window,
            center=True,
            pad_mode="reflect",
            return_complex=True,
        )  # [batch, bins, frames]
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.matmul(power.transpose(1, 2), self.filters).transpose(1, 2)

    def forward(self, wave: Tensor) -> Tensor:
        """Natural logarithm of mel power plus the floor: `[batch, samples]` → `[batch, n_mels, frames]`."""
        return self.logarithm(self.power(wave))

    def logarithm(self, power: Tensor) -> Tensor:
        """Natural logarithm of mel power plus the floor; any shape."""
        return torch.log(power + self.config.log_floor)


class FrontEnd(nn.Module):
    """Waveform → standardised log-mel image, at one length and one level."""

    def __init__(self, config: FrontEndConfig | None = None) -> None:
        super().__init__()
        self.log_mel = LogMel(config)
        self.config = self.log_mel.config

    def fit_length(self, wave: Tensor) -> Tensor:
        """Zero-pad or cut `[batch, samples]` to `[batch, clip_samples]`."""
        missing = self.config.clip_samples - wave.shape[-1]
        return nn.functional.pad(wave, (0, missing)) if missing > 0 else wave[..., : self.config.clip_samples]

    def level(self, wave: Tensor) -> Tensor:
        """Bring each clip to `target_rms`; silence stays silence."""
        rms = wave.square().mean(dim=-1, keepdim=True).sqrt()
        gain = torch.where(
            rms > self.config.silence_rms,
            self.config.target_rms / rms.clamp(min=self.config.silence_rms),
            torch.zeros_like(rms),
        )
        return wave * gain

    def image(self, power: Tensor) -> Tensor:
        """Mel power `[batch, n_mels, frames]` at `target_rms` → input of a backbone, `[batch, 1, n_mels, frames]`."""
        return ((self.log_mel.logarithm(power) - self.config.log_mean) / self.config.log_std).unsqueeze(1)

    def forward(self, wave: Tensor) -> Tensor:
        """`wave [batch, samples]`, float, at any level → `[batch, 1, n_mels, frames]`, centred at zero."""
        if wave.dim() != 2:
            raise ValueError(f"expected a waveform [batch, samples], got shape {tuple(wave.shape)}")
        with torch.autocast(wave.device.type, enabled=False):
            return self.image(self.log_mel.power(self.level(self.fit_length(wave.float()))))
