"""Mixtures made in the mel domain: the sum of the stems' mel power, levelled as the front end would.

Kim et al. 2022, section 5.2 trains on random and on rendered ones; here they cost so little that the network is the limit
on a CPU and on a GPU alike.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.errors import TrainingError
from models.front_end import FrontEnd, mel_filters
from training.clip_store import ClipStore
from training.config import MelEffectsConfig, Recipe
from training.mel_bank import MelBank
from training.mixing import Cast, Caster

MEL_FILE = "mel.pt"  # a cache in the run's folder
KNOTS = 7  # of an equaliser's curve, evenly over the mel scale
STEEPEST = 2.0  # noise falls with the frequency to a power between 0 and this


def mean_square(power: Tensor, n_fft: int) -> Tensor:
    """A wave's mean square from its mel power `[n, frames, n_mels]`: `[n]`, by Parseval for a Hann window.

    The triangular filters sum to one over the frequencies between their outermost centres, so nearly all power is counted.
    """
    return power.sum(dim=2).mean(dim=1) * 16 / (3 * n_fft**2)


@dataclass(frozen=True)
class MelBatch(Cast):
    """A cast and what the front end would make of its mixtures: `image [batch, 1, n_mels, frames]`."""

    image: Tensor


class MelMixer:
    """Draws mixtures as images; the (CPU) generator alone decides which, whatever the device."""

    def __init__(self, casting: Caster, bank: MelBank, effects: MelEffectsConfig) -> None:
        self.casting, self.bank, self.effects = casting, bank, effects
        self.device = bank.magnitude.device
        self._front_end = FrontEnd(bank.config).to(self.device)
        bins = bank.config.n_fft // 2 + 1
        self._bin_hz = torch.linspace(0, bank.config.sample_rate / 2, bins).clamp(min=20.0)
        self._filters = mel_filters(bank.config)  # [bins, n_mels]

    @torch.no_grad()
    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MelBatch:
        """A batch of mixtures, `image [batch, 1, n_mels, frames]`; `max_instruments` may be lowered."""
        cast = self.casting.draw(batch_size, generator, max_instruments)
        power = self._stems(cast, generator)
        mixture = cast.mask.nonzero()[:, 0].to(self.device)
        total = torch.zeros(batch_size, *power.shape[1:], device=self.device).index_add_(0, mixture, power)
        total *= self._equaliser(batch_size, generator).to(self.device)[:, None]
        total = self._level(self._noisy(self._level(total), generator))
        image = self._front_end.image(total.transpose(1, 2)).contiguous()
        device = self.device
        return MelBatch(cast.clip.to(device), cast.instrument.to(device), cast.gain_db.to(device), image)

    def _stems(self, cast: Cast, generator: torch.Generator) -> Tensor:
        """Mel power of the stems that exist: `[stems, frames, n_mels]`. Random ones start anywhere."""
        clip, gain = cast.clip[cast.mask], 10 ** (cast.gain_db[cast.mask] / 10)  # [stems]
        if self.casting.rendered:
            shift_frames = torch.zeros_like(clip)
            gain = gain * self.bank.level[clip].square()
        else:
            shift_frames = torch.randint(self.bank.config.num_frames, clip.shape, generator=generator)
        gain = gain[:, None] * self._equaliser(len(clip), generator)  # [stems, n_mels]
        return self.bank.power(clip, shift_frames).mul_(gain.to(self.device)[:, None])

    def _level(self, power: Tensor) -> Tensor:
        """Brought to the front end's `target_rms`."""
        config = self.bank.config
        heard = mean_square(power, config.n_fft).clamp(min=config.silence_rms**2)
        return power * (config.target_rms**2 / heard)[:, None, None]

    def _equaliser(self, number: int, generator: torch.Generator) -> Tensor:
        """Gains in power over the mel bands, `[number, n_mels]`; 1 for those that have no equaliser."""
        chosen = torch.rand(number, 1, generator=generator) < self.effects.equaliser_probability
        knots_db = (
            (torch.rand(number, KNOTS, generator=generator) * 2 - 1) * self.effects.equaliser_db * chosen
        )
        curve_db = functional.interpolate(
            knots_db[:, None], self.bank.config.n_mels, mode="linear", align_corners=True
        )
        return 10 ** (curve_db[:, 0] / 10)

    def _noisy(self, power: Tensor, generator: torch.Generator) -> Tensor:
        """Background noise of a random colour under mixtures `[batch, frames, n_mels]` at the target level."""
        number, frames, n_mels = power.shape
        low, high = self.effects.noise_snr_db
        snr_db = low + (high - low) * torch.rand(number, generator=generator)
        steepness = STEEPEST * torch.rand(number, 1, generator=generator)
        chosen = (torch.rand(number, generator=generator) < self.effects.noise_probability).nonzero()[:, 0]
        if not len(chosen):
            return power
        colour = (self._bin_hz / 1_000.0) ** -steepness[chosen] @ self._filters  # [noisy, n_mels]
        flutter = torch.empty(len(chosen), frames, n_mels).exponential_(generator=generator)
        noise = self._level((colour[:, None] * flutter).to(self.device))
        share = 10 ** (-snr_db[chosen] / 10).to(self.device)
        return power.index_add(0, chosen.to(self.device), noise * share[:, None, None])


def open_mel_mixer(recipe: Recipe, casting: Caster, store: ClipStore, cache: Path) -> MelMixer:
    """The recipe's mixer in the mel domain. Raises TrainingError when it has `[effects]`, which are for samples."""
    if recipe.effects.any():
        raise TrainingError("the mel domain has effects of its own: use [mel_effects], not [effects]")
    bank = MelBank.compute(store, recipe.encoder.front_end, cache)
    return MelMixer(casting, bank, recipe.mel_effects)
