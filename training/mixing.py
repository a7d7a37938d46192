"""Random mixtures made on the fly on the training device, from clips kept as int16.

Kim et al. 2022, section 5.2: between two and nine instruments, one random clip of each, summed. The clip bank lies in device
memory on a GPU and in memory-mapped files on a CPU; stems are brought to one level and given random gains.
Effects, where a recipe has some, are applied to each stem before it is levelled, and to the sum.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from models.errors import TrainingError
from training.clip_store import ClipStore
from training.effects.chain import Effects, Plan
from training.levels import active_rms

ABSENT = -1
CPU_STEMS = 64  # worked on at a time: few enough for memory that is used again and again


@dataclass(frozen=True)
class Cast:
    """Which stems a batch of mixtures has, `[batch, stem]`: `clip` and `instrument` (`ABSENT` where none), `gain_db`."""

    clip: Tensor
    instrument: Tensor
    gain_db: Tensor

    @property
    def mask(self) -> Tensor:
        """`[batch, stem]` bool, True where a stem exists."""
        return self.instrument != ABSENT


@dataclass(frozen=True)
class MixtureBatch(Cast):
    """A cast and its mixtures `wave [batch, samples]`.

    The effects drawn: `stem_effects` for the stems that exist, row by row, and `mixture_effects`; None without effects.
    """

    wave: Tensor
    stem_effects: Plan | None = None
    mixture_effects: Plan | None = None


class Caster(Protocol):
    """Decides who plays in a batch of mixtures."""

    rendered: bool  # stems belong together as they are: their levels and their time are kept

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> Cast: ...


class Casting:
    """Draws `min_instruments`…`max_instruments` distinct instruments, a clip of each, and gains of ±`gain_db`."""

    rendered = False

    def __init__(
        self, store: ClipStore, min_instruments: int = 2, max_instruments: int = 9, gain_db: float = 6.0
    ) -> None:
        if not 1 <= min_instruments <= max_instruments <= store.num_instruments:
            limit = store.num_instruments
            message = f"cannot mix {min_instruments}-{max_instruments} of {limit} instruments"
            raise TrainingError(message, value=max_instruments, limit=limit)
        self._clips_each = store.num_clips // store.num_instruments
        if not torch.equal(
            store.instrument_of_clip, torch.arange(store.num_instruments).repeat_interleave(self._clips_each)
        ):
            raise ValueError("random mixtures need equally many clips of each instrument, side by side")
        self._num_instruments = store.num_instruments
        self.min_instruments, self.max_instruments, self.gain_db = min_instruments, max_instruments, gain_db

    def draw(self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None) -> Cast:
        """The stems of a batch of mixtures, on the CPU; the generator alone decides."""
        stems = self.max_instruments
        most = min(stems, max_instruments or stems)
        count = torch.randint(self.min_instruments, most + 1, (batch_size, 1), generator=generator)
        present = torch.arange(stems) < count  # [batch, stem]
        order = torch.rand(batch_size, self._num_instruments, generator=generator)
        instrument = order.topk(stems, dim=1).indices
        take = torch.randint(self._clips_each, instrument.shape, generator=generator)
        gain_db = (torch.rand(instrument.shape, generator=generator) * 2 - 1) * self.gain_db
        clip = instrument * self._clips_each + take
        return Cast(
            clip.masked_fill(~present, ABSENT),
            instrument.masked_fill(~present, ABSENT),
            gain_db.masked_fill(~present, 0.0),
        )


class Mixer:
    """Random mixtures as samples, with a recipe's effects."""

    def __init__(
        self,
        store: ClipStore,
        min_instruments: int = 2,
        max_instruments: int = 9,
        gain_db: float = 6.0,
        effects: Effects | None = None,
    ) -> None:
        self.casting = Casting(store, min_instruments, max_instruments, gain_db)
        self.store, self.effects = store, effects

    def draw(
        self, batch_size: int, generator: torch.Generator, max_instruments: int | None = None
    ) -> MixtureBatch:
        """A batch of random mixtures; the (CPU) generator alone decides which. `max_instruments` may be lowered."""
        cast = self.casting.draw(batch_size, generator, max_instruments)
        stem_effects = self.effects.stems.plan(int(cast.mask.sum()), generator) if self.effects else None
        wave = self._sum(cast.clip, cast.mask, cast.gain_db, stem_effects)
        mixture_effects = self.effects.mixture.plan(batch_size, generator) if self.effects else None
        if self.effects and mixture_effects:
            wave = self.effects.mixture.apply_(wave, mixture_effects)
        device = self.store.device
        return MixtureBatch(
            cast.clip.to(device),
            cast.instrument.to(device),
            cast.gain_db.to(device),
            wave=wave,
            stem_effects=stem_effects,
            mixture_effects=mixture_effects,
        )

    def _sum(self, clip: Tensor, present: Tensor, gain_db: Tensor, effects: Plan | None) -> Tensor:
        """Sum the present stems `[batch, stem]`, with their effects, at their gains: `[batch, samples]`."""
        device = self.store.device
        clips, gain = clip[present], 10 ** (gain_db[present] / 20).unsqueeze(1)  # stems in all
        mixture = present.nonzero()[:, 0]
        wave = torch.empty(0)
        at_once = CPU_STEMS if device.type == "cpu" else len(clips)
        for part in torch.arange(len(clips)).split(at_once):
            stem = self.store.take(clips[part])  # [part, samples]
            if self.effects and effects:
                stem = self.effects.stems.apply_(stem, effects.rows(part))
            stem *= gain[part].to(device) / active_rms(stem).clamp(min=1e-5)
            wave = wave if len(wave) else torch.zeros(len(clip), stem.shape[1], device=device)
            wave.index_add_(0, mixture[part].to(device), stem)
        return wave
