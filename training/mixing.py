"""Random mixtures, made on the training device from clips stored as int16.

Kim et al. 2022, section 5.2: two to nine instruments, one random clip of each, summed. Each stem is brought to one level and
given a random gain. A recipe's effects apply to each stem before it is levelled, and to the sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models.errors import TrainingError
from training.clip_store import ClipStore
from training.effects.chain import DrawnEffects, Effects
from training.nlakh.dataset import DatasetInstrument
from training.real.rows import ID_PREFIX

ABSENT = -1
CPU_STEMS = 64  # stems processed at a time on a CPU: few enough to reuse the same memory


@dataclass(frozen=True)
class MixtureSpec:
    """The stems of a batch of mixtures, `[batch, stem]`: `clip` and `instrument` (`ABSENT` if there is none), `gain_db`."""

    clip: Tensor
    instrument: Tensor
    gain_db: Tensor

    @property
    def mask(self) -> Tensor:
        """`[batch, stem]` bool, True where a stem exists."""
        return self.instrument != ABSENT


@dataclass(frozen=True)
class MixtureBatch(MixtureSpec):
    """A batch of mixtures as samples: `wave [batch, samples]` beside the stems that it consists of.

    `stem_effects` has one row per existing stem, `mixture_effects` one per mixture; both are None without effects.
    """

    wave: Tensor
    stem_effects: DrawnEffects | None = None
    mixture_effects: DrawnEffects | None = None


class MixtureSampler(Protocol):
    """Draws the stems of a batch of mixtures. `rendered` stems keep their levels and their alignment in time."""

    rendered: bool

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MixtureSpec: ...


class RandomMixtureSampler:
    """Draws `min_instruments`…`max_instruments` distinct instruments, one clip of each, and gains within ±`gain_db`.

    Instruments are drawn in proportion to `weight [instruments]`, or all alike without it.
    """

    rendered = False

    def __init__(
        self,
        store: ClipStore,
        min_instruments: int = 2,
        max_instruments: int = 9,
        gain_db: float = 6.0,
        weight: Tensor | None = None,
    ) -> None:
        if not 1 <= min_instruments <= max_instruments <= store.num_instruments:
            limit = store.num_instruments
            message = f"cannot mix {min_instruments}-{max_instruments} of {limit} instruments"
            raise TrainingError(message, value=max_instruments, limit=limit)
        self._clips_each = store.num_clips // store.num_instruments
        if not torch.equal(
            store.instrument_of_clip, torch.arange(store.num_instruments).repeat_interleave(self._clips_each)
        ):
            raise ValueError(
                "random mixtures need the same number of clips for every instrument, side by side"
            )
        self._num_instruments, self._weight = store.num_instruments, weight
        self.min_instruments, self.max_instruments, self.gain_db = min_instruments, max_instruments, gain_db

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MixtureSpec:
        """Draw a batch on the CPU; it depends on the generator alone. `max_instruments` lowers the sampler's own limit."""
        stems = self.max_instruments
        most = min(stems, max_instruments or stems)
        count = torch.randint(self.min_instruments, most + 1, (batch_size, 1), generator=generator)
        present = torch.arange(stems) < count  # [batch, stem]
        order = torch.rand(batch_size, self._num_instruments, generator=generator)
        if self._weight is not None:
            order = (
                order.log() / self._weight
            )  # the largest are a weighted sample (Efraimidis and Spirakis 2006)
        instrument = order.topk(stems, dim=1).indices
        take = torch.randint(self._clips_each, instrument.shape, generator=generator)
        gain_db = (torch.rand(instrument.shape, generator=generator) * 2 - 1) * self.gain_db
        clip = instrument * self._clips_each + take
        return MixtureSpec(
            clip.masked_fill(~present, ABSENT),
            instrument.masked_fill(~present, ABSENT),
            gain_db.masked_fill(~present, 0.0),
        )


def is_recorded(instrument: DatasetInstrument) -> bool:
    """Whether an instrument comes from real recordings."""
    return instrument.id.startswith(ID_PREFIX)


def recorded_weight(instruments: Sequence[DatasetInstrument], share: float) -> Tensor | None:
    """Weights `[instruments]` by which real recordings are drawn for `share` (below 1) of all stems; None for a share of 0.

    Raises TrainingError where all instruments are recordings, or none is.
    """
    if not share:
        return None
    recorded = torch.tensor([is_recorded(one) for one in instruments])
    number = int(recorded.sum())
    if not 0 < number < len(instruments):
        message = f"recorded_share {share} needs recorded and other instruments; {number} of {len(instruments)} are recorded"
        raise TrainingError(message, value=number, limit=len(instruments))
    return torch.where(recorded, share / number, (1 - share) / (len(instruments) - number))


class Mixer:
    """Random mixtures as samples, with a recipe's effects."""

    def __init__(
        self,
        store: ClipStore,
        min_instruments: int = 2,
        max_instruments: int = 9,
        gain_db: float = 6.0,
        effects: Effects | None = None,
        weight: Tensor | None = None,
    ) -> None:
        self.sampler = RandomMixtureSampler(store, min_instruments, max_instruments, gain_db, weight)
        self.store, self.effects = store, effects

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MixtureBatch:
        """Draw a batch; it depends on the (CPU) generator alone. `max_instruments` lowers the sampler's limit."""
        spec = self.sampler.draw(batch_size, generator, max_instruments)
        stem_effects = self.effects.stems.draw(int(spec.mask.sum()), generator) if self.effects else None
        wave = self._sum(spec.clip, spec.mask, spec.gain_db, stem_effects)
        mixture_effects = self.effects.mixture.draw(batch_size, generator) if self.effects else None
        if self.effects and mixture_effects:
            wave = self.effects.mixture.apply_(wave, mixture_effects)
        device = self.store.device
        return MixtureBatch(
            spec.clip.to(device),
            spec.instrument.to(device),
            spec.gain_db.to(device),
            wave=wave,
            stem_effects=stem_effects,
            mixture_effects=mixture_effects,
        )

    def _sum(self, clip: Tensor, present: Tensor, gain_db: Tensor, effects: DrawnEffects | None) -> Tensor:
        """Sum the present stems `[batch, stem]`, with their effects and gains: `[batch, samples]`."""
        device = self.store.device
        clips, gain = clip[present], 10 ** (gain_db[present] / 20).unsqueeze(1)  # [stems of the batch]
        mixture = present.nonzero()[:, 0]
        wave = torch.empty(0)
        at_once = CPU_STEMS if device.type == "cpu" else len(clips)
        for part in torch.arange(len(clips)).split(at_once):
            stem = self.store.take(clips[part])  # [part, samples]
            if self.effects and effects:
                stem = self.effects.stems.apply_(stem, effects.select(part))
            stem *= gain[part].to(device) / active_rms(stem).clamp(min=1e-5)
            wave = wave if len(wave) else torch.zeros(len(clip), stem.shape[1], device=device)
            wave.index_add_(0, mixture[part].to(device), stem)
        return wave


def active_rms(wave: Tensor, frame_samples: int = 800, range_db: float = 40.0) -> Tensor:
    """RMS over the frames within `range_db` of the loudest: `[n, samples]` → `[n, 1]`.

    Silent frames do not count, so levelling does not boost a sparse clip.
    """
    usable = wave.shape[1] // frame_samples * frame_samples
    frames = wave[:, :usable].reshape(len(wave), -1, frame_samples)
    power = torch.linalg.vector_norm(frames, dim=2).square() / frame_samples  # without a copy of the squares
    active = power >= power.amax(dim=1, keepdim=True) * 10 ** (-range_db / 10)
    return ((power * active).sum(dim=1, keepdim=True) / active.sum(dim=1, keepdim=True)).sqrt()
