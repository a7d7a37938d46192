"""Background noise, codec noise, and the store of noise that they and the reverb take excerpts from.

Noise is generated once and cut at random places: faster than drawing it anew, and the same on every device.
"""

import math
from functools import cache

import torch
from torch import Tensor

from models.errors import TrainingError

BACKGROUNDS = ("white", "pink", "brown", "hum")
ROOM = len(BACKGROUNDS)  # the store's last row, for reverb
STORE_SECONDS = 30
CORNER_HZ = 20.0  # pink and brown noise are flat below
ROOM_HZ = (100.0, 3_000.0)  # band limits of room noise; walls and air absorb the rest
HUM_HZ = 50.0
HUM_HARMONICS = (1.0, 0.5, 0.6, 0.25, 0.3, 0.1, 0.15)
SEED = 1979


def _coloured(samples: int, sample_rate: int) -> Tensor:
    """Generate white, pink, brown and room noise, `[4, samples]`."""
    hz = torch.fft.rfftfreq(samples, 1 / sample_rate)
    octaves = hz.clamp(min=CORNER_HZ) / CORNER_HZ
    low, high = (hz / edge for edge in ROOM_HZ)
    room = low / (1 + low.square()).sqrt() / (1 + high.square()).sqrt()
    spectrum = torch.stack([torch.ones_like(hz), octaves**-0.5, octaves**-1.0, room])
    spectrum[1:, 0] = 0  # no offset
    white = torch.randn(len(spectrum), samples, generator=torch.Generator().manual_seed(SEED))
    return torch.fft.irfft(torch.fft.rfft(white) * spectrum, samples)


def _hum(samples: int, sample_rate: int) -> Tensor:
    turns = torch.arange(samples, dtype=torch.float64) * HUM_HZ / sample_rate % 1
    number = torch.arange(1, len(HUM_HARMONICS) + 1)[:, None]
    return (torch.tensor(HUM_HARMONICS)[:, None] * torch.sin(2 * math.pi * number * turns.float())).sum(dim=0)


@cache
def _all_noise(sample_rate: int) -> Tensor:
    """Generate every row of the store at unit RMS, `[rows, samples]`, on the CPU."""
    samples = STORE_SECONDS * sample_rate
    *background, room = _coloured(samples, sample_rate)
    noise = torch.stack([*background, _hum(samples, sample_rate), room])
    return noise / noise.square().mean(dim=1, keepdim=True).sqrt()


class NoiseStore:
    """Half a minute of each of `BACKGROUNDS` and of `ROOM` noise, identical in every process."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.num_samples = STORE_SECONDS * sample_rate
        self._on: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """Return all rows, `[rows, num_samples]`; each device that uses them keeps a copy."""
        if device not in self._on:
            self._on[device] = _all_noise(self.sample_rate).to(device)
        return self._on[device]

    def take(self, colour: Tensor, place: Tensor, samples: int, device: torch.device) -> Tensor:
        """Cut noise `[n, samples]` of about unit variance at `place [n]` in 0…1 from the rows `colour [n]`.

        Raises TrainingError for more than half of the store.
        """
        limit = self.num_samples // 2  # so that a place is independent of the length
        if samples > limit:
            raise TrainingError(
                f"{samples} samples of noise exceed the limit of {limit}", value=samples, limit=limit
            )
        noise = self.on(device)
        begins = (place * (self.num_samples - limit)).long().tolist()
        cuts = zip(colour.tolist(), begins, strict=True)
        return torch.stack([noise[row, begin : begin + samples] for row, begin in cuts])


def rms(wave: Tensor) -> Tensor:
    """RMS of each row of `[n, samples]`: `[n, 1]`."""
    return torch.linalg.vector_norm(wave, dim=1, keepdim=True) / math.sqrt(wave.shape[1])


def _scaled(noise: Tensor, wave: Tensor, snr_db: Tensor) -> Tensor:
    """Scale `noise` to `snr_db [batch]` below `wave`; to zero for infinity and for a silent wave."""
    return noise * (rms(wave) / rms(noise).clamp(min=1e-12) * 10 ** (-snr_db / 20)[:, None])


def add_noise(wave: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Add `noise [batch, samples]` at `snr_db [batch]` below the wave's RMS; infinity adds nothing."""
    return wave + _scaled(noise, wave, snr_db)


def add_codec_noise(wave: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Add noise that follows the wave's amplitude, like the error of companded quantisation (ITU-T G.711)."""
    return wave + _scaled(noise * wave.abs(), wave, snr_db)
