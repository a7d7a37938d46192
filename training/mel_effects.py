"""Effects on mel power, drawn anew for every batch: an equaliser, background noise, and the front end's level.

They need no samples, so they cost a fraction of `training/effects/`; rooms and codecs are drawn once for every clip
(`training/mel_mixing.py`, `MelClipStore`).
"""

import torch
from torch import Tensor
from torch.nn import functional

from models.front_end import FrontEnd, FrontEndConfig, mel_filters
from training.config import MelEffectsConfig

KNOTS = 7  # of an equaliser's curve, evenly spaced on the mel scale
STEEPEST = 2.0  # noise power falls with frequency to an exponent between 0 and this


def mean_square(power: Tensor, n_fft: int) -> Tensor:
    """Mean square of the samples whose mel power is `[n, frames, n_mels]`: `[n]`, by Parseval for a Hann window.

    The triangular filters sum to one between the outermost centre frequencies, so nearly all power is counted.
    """
    return power.sum(dim=2).mean(dim=1) * 16 / (3 * n_fft**2)


class MelEffects:
    """The effects of a recipe's `[mel_effects]` for images of one front end; a CPU generator draws them."""

    def __init__(self, effects: MelEffectsConfig, config: FrontEndConfig, device: torch.device) -> None:
        self.effects, self.config, self.device = effects, config, device
        self._front_end = FrontEnd(config).to(device)
        bins = config.n_fft // 2 + 1
        self._bin_hz = torch.linspace(0, config.sample_rate / 2, bins).clamp(min=20.0)
        self._filters = mel_filters(config)  # [bins, n_mels]

    def image(self, power: Tensor, generator: torch.Generator) -> Tensor:
        """Mel power `[n, frames, n_mels]` with an equaliser and noise → front-end images `[n, 1, n_mels, frames]`."""
        power = power * self.equaliser(len(power), generator).to(self.device)[:, None]
        power = self.to_target_level(self._add_noise(self.to_target_level(power), generator))
        return self._front_end.image(power.transpose(1, 2)).contiguous()

    def to_target_level(self, power: Tensor) -> Tensor:
        """Scale mel power `[n, frames, n_mels]` to the front end's `target_rms`."""
        level = mean_square(power, self.config.n_fft).clamp(min=self.config.silence_rms**2)
        return power * (self.config.target_rms**2 / level)[:, None, None]

    def equaliser(self, number: int, generator: torch.Generator) -> Tensor:
        """Draw power gains over the mel bands, `[number, n_mels]`; all 1 for items without an equaliser."""
        chosen = torch.rand(number, 1, generator=generator) < self.effects.equaliser_probability
        knots_db = (
            (torch.rand(number, KNOTS, generator=generator) * 2 - 1) * self.effects.equaliser_db * chosen
        )
        curve_db = functional.interpolate(
            knots_db[:, None], self.config.n_mels, mode="linear", align_corners=True
        )
        return 10 ** (curve_db[:, 0] / 10)

    def _add_noise(self, power: Tensor, generator: torch.Generator) -> Tensor:
        """Add noise of a random colour to some of the items `[n, frames, n_mels]`, which are at the target level."""
        number, frames, n_mels = power.shape
        low, high = self.effects.noise_snr_db
        snr_db = low + (high - low) * torch.rand(number, generator=generator)
        steepness = STEEPEST * torch.rand(number, 1, generator=generator)
        chosen = (torch.rand(number, generator=generator) < self.effects.noise_probability).nonzero()[:, 0]
        if not len(chosen):
            return power
        colour = (self._bin_hz / 1_000.0) ** -steepness[chosen] @ self._filters  # [noisy, n_mels]
        flutter = torch.empty(len(chosen), frames, n_mels).exponential_(generator=generator)
        noise = self.to_target_level((colour[:, None] * flutter).to(self.device))
        share = 10 ** (-snr_db[chosen] / 10).to(self.device)
        return power.index_add(0, chosen.to(self.device), noise * share[:, None, None])
