"""Mixtures made in the mel domain: the sum of the stems' mel power, brought to the front end's level.

Power spectra of stems add up on average over phases, so the log-mel image of this sum is nearly that of the summed samples (a
test compares them), at a third of the cost (`python -m benchmarks --only training`). Kim et al. 2022, section 5.2, trains on
random and on rendered mixtures; both can be made here.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.atomic import atomic_file
from models.errors import TrainingError
from models.front_end import FrontEnd, FrontEndConfig
from training.clip_store import ClipStore
from training.config import MelEffectsConfig, Recipe
from training.effects.chain import Effects
from training.effects.config import ChainConfig, EffectsConfig
from training.mel_effects import MelEffects
from training.mixing import MixtureSampler, MixtureSpec, active_rms

MEL_FILE = "mel.pt"  # a cache in the run's folder
CLIPS_AT_ONCE = 64  # transformed to mel together


class MelClipStore:
    """Every clip of a data set as mel magnitudes, in memory on the training device: 40 kB for a clip of five seconds.

    `magnitude [clips, frames, n_mels]` float16 is the root of the mel power of each clip at an active RMS of 1;
    `level [clips]`, on the CPU, is the active RMS of the stored clip. Effects that need samples, such as rooms, are drawn once
    for every clip; the many clips of an instrument pass many different ones.
    """

    def __init__(self, magnitude: Tensor, level: Tensor, config: FrontEndConfig) -> None:
        self.magnitude, self.level, self.config = magnitude, level, config

    @classmethod
    @torch.no_grad()
    def compute(
        cls,
        store: ClipStore,
        config: FrontEndConfig,
        cache: Path,
        effects: ChainConfig = ChainConfig(),
        seed: int = 0,
    ) -> "MelClipStore":
        """Transform every clip, with effects drawn by `seed`, or load the cache if it was made in the same way."""
        made_by = {
            "front_end": config.to_dict(),
            "effects": repr((effects, seed)) if effects.active() else "",
        }
        if cache.exists():
            saved = torch.load(cache, weights_only=True)
            levels = saved.get("level", ())  # missing in caches of early versions
            same = all(saved.get(name, "") == value for name, value in made_by.items())
            if same and len(levels) == store.num_clips:
                return cls(saved["magnitude"].to(store.device), levels, config)
        chain = Effects(EffectsConfig(stems=effects), config.sample_rate).stems
        generator = torch.Generator().manual_seed(seed)
        front_end = FrontEnd(config).to(store.device)
        magnitude = torch.empty(store.num_clips, config.num_frames, config.n_mels, dtype=torch.float16)
        level = torch.empty(store.num_clips)
        for clip, samples in store.in_order(CLIPS_AT_ONCE):
            wave = front_end.fit_length(chain(samples, generator))
            active = active_rms(wave).clamp(min=1e-5)  # [clips, 1]
            power = front_end.log_mel.power(wave / active)
            level[clip] = active[:, 0].cpu()
            magnitude[clip] = power.sqrt().transpose(1, 2).half().cpu()
        with atomic_file(cache) as file:
            torch.save({**made_by, "magnitude": magnitude, "level": level}, file)
        return cls(magnitude.to(store.device), level, config)

    def power(self, clip: Tensor, shift_frames: Tensor) -> Tensor:
        """Mel power of clips `[n]`, each rotated in time by `shift_frames [n]`: `[n, frames, n_mels]`."""
        _, frames, n_mels = self.magnitude.shape
        rotated = (torch.arange(frames)[None] - shift_frames[:, None]) % frames
        row = (clip[:, None] * frames + rotated).flatten().to(self.magnitude.device)
        chosen = self.magnitude.view(-1, n_mels).index_select(0, row).float()
        return chosen.square_().view(len(clip), frames, n_mels)


@dataclass(frozen=True)
class MelBatch(MixtureSpec):
    """A batch of mixtures as front-end images: `image [batch, 1, n_mels, frames]` beside the stems that it consists of."""

    image: Tensor


class MelMixer:
    """Draws mixtures as front-end images; they depend on the (CPU) generator alone, on any device."""

    def __init__(self, sampler: MixtureSampler, clips: MelClipStore, effects: MelEffectsConfig) -> None:
        self.sampler, self.clips = sampler, clips
        self.device = clips.magnitude.device
        self.effects = MelEffects(effects, clips.config, self.device)

    @torch.no_grad()
    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MelBatch:
        """Draw a batch, `image [batch, 1, n_mels, frames]`. `max_instruments` lowers the sampler's limit."""
        spec = self.sampler.draw(batch_size, generator, max_instruments)
        power = self._stem_power(spec, generator)
        mixture = spec.mask.nonzero()[:, 0].to(self.device)
        total = torch.zeros(batch_size, *power.shape[1:], device=self.device).index_add_(0, mixture, power)
        image = self.effects.image(total, generator)
        device = self.device
        return MelBatch(spec.clip.to(device), spec.instrument.to(device), spec.gain_db.to(device), image)

    def _stem_power(self, spec: MixtureSpec, generator: torch.Generator) -> Tensor:
        """Mel power of the existing stems, `[stems, frames, n_mels]`; random stems are rotated in time."""
        clip, gain = spec.clip[spec.mask], 10 ** (spec.gain_db[spec.mask] / 10)  # [stems]
        if self.sampler.rendered:
            shift_frames = torch.zeros_like(clip)
            gain = gain * self.clips.level[clip].square()
        else:
            shift_frames = torch.randint(self.clips.config.num_frames, clip.shape, generator=generator)
        gain = gain[:, None] * self.effects.equaliser(len(clip), generator)  # [stems, n_mels]
        return self.clips.power(clip, shift_frames).mul_(gain.to(self.device)[:, None])


def open_mel_mixer(recipe: Recipe, sampler: MixtureSampler, store: ClipStore, cache: Path) -> MelMixer:
    """Return the recipe's mixer in the mel domain.

    Raises TrainingError for `[effects.mixture]`, which need the mixture's samples.
    """
    if recipe.effects.mixture.active():
        raise TrainingError("the mel domain has its own effects: use [mel_effects], not [effects.mixture]")
    clips = MelClipStore.compute(store, recipe.encoder.front_end, cache, recipe.effects.stems, recipe.seed)
    return MelMixer(sampler, clips, recipe.mel_effects)
