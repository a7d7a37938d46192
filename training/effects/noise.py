"""Background noise and the noise of a coarse codec, and the store of noise from which they and the reverb are cut.

Noise is made once and cut at random places, which is faster than drawing it and the same on every device.
"""

import math

import torch
from torch import Tensor

from models.errors import TrainingError

BACKGROUNDS = ("white", "pink", "brown", "hum")
ROOM = len(BACKGROUNDS)  # the store's last row: what a reverb's tail is made of
STORE_SECONDS = 30
CORNER_HZ = 20.0  # pink and brown noise rise no further below it
ROOM_HZ = (100.0, 3_000.0)  # walls and air take the rest
HUM_HZ = 50.0
HUM_HARMONICS = (1.0, 0.5, 0.6, 0.25, 0.3, 0.1, 0.15)
SEED = 1979


def _coloured(samples: int, sample_rate: int) -> Tensor:
    """White, pink, brown and room noise, `[4, samples]`."""
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


class NoiseStore:
    """Half a minute of each of `BACKGROUNDS` and of `ROOM` noise, the same wherever and whenever it is made."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.num_samples = STORE_SECONDS * sample_rate
        self._on: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """All rows, `[rows, num_samples]`; made when they are first wanted, and kept on each device that wanted them."""
        if device not in self._on:
            *background, room = _coloured(self.num_samples, self.sample_rate)
            noise = torch.stack([*background, _hum(self.num_samples, self.sample_rate), room])
            self._on[device] = (noise / noise.square().mean(dim=1, keepdim=True).sqrt()).to(device)
        return self._on[device]

    def take(self, colour: Tensor, place: Tensor, samples: int, device: torch.device) -> Tensor:
        """Noise `[n, samples]` of about unit variance, cut at `place [n]` in 0…1; `colour [n]` numbers the rows.

        Raises TrainingError for more than half of the store.
        """
        limit = self.num_samples // 2  # so that a place means the same whatever the length
        if samples > limit:
            raise TrainingError(
                f"{samples} samples of noise are wanted of {limit}", value=samples, limit=limit
            )
        noise = self.on(device)
        begins = (place * (self.num_samples - limit)).long().tolist()
        cuts = zip(colour.tolist(), begins, strict=True)
        return torch.stack([noise[row, begin : begin + samples] for row, begin in cuts])


def rms(wave: Tensor) -> Tensor:
    """Of each row of `[n, samples]`: `[n, 1]`."""
    return torch.linalg.vector_norm(wave, dim=1, keepdim=True) / math.sqrt(wave.shape[1])


def _scaled(noise: Tensor, wave: Tensor, snr_db: Tensor) -> Tensor:
    """`noise` brought `snr_db [batch]` below `wave`; none for infinity, and none beneath silence."""
    return noise * (rms(wave) / rms(noise).clamp(min=1e-12) * 10 ** (-snr_db / 20)[:, None])


def add_noise(wave: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Lay `noise [batch, samples]` under the wave, `snr_db [batch]` below its RMS; infinity does nothing."""
    return wave + _scaled(noise, wave, snr_db)


def add_codec_noise(wave: Tensor, noise: Tensor, snr_db: Tensor) -> Tensor:
    """Noise that follows the wave's amplitude, as the error of companded quantisation (ITU-T G.711) does; infinity: none."""
    return wave + _scaled(noise * wave.abs(), wave, snr_db)
