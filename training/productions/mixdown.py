"""Mixes a production: a chain of effects for each part by its family, one room, levels, and a master bus over the sum.

The master only multiplies by gains and filters, which are the same for all parts, so it is applied to each of them: the parts
as they are heard sum to the finished mix. Compressor and limiter follow the sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.effects.chain import Chain
from training.effects.config import (
    Amplifier,
    ChainConfig,
    Chorus,
    Compressor,
    Echo,
    Equaliser,
    Range,
    Saturation,
)
from training.effects.convolution import convolve
from training.effects.dynamics import compressor_gain, limiter_gain
from training.effects.filters import band_limit_sections, impulse_of, shelf_sections
from training.effects.noise import ROOM, NoiseStore
from training.effects.reverb import room_impulse, room_taps
from training.mixing import active_rms

FULL_SCALE = 32767
CEILING_DB = -1.0  # of the mix
VOICE = "voice"  # beside the families: a voice that was recorded


@dataclass(frozen=True)
class FamilySound:
    """How parts of a family, or voices, are mixed: level and room in dB (each varies), and the probabilities of effects."""

    level_db: float
    room_db: float  # reflections relative to the direct sound
    compressor: float = 0.4
    saturation: float = 0.15
    amplifier: float = 0.0
    chorus: float = 0.0
    echo: float = 0.0

    @property
    def chain(self) -> ChainConfig:
        """The effects of the part alone, lighter than those of random mixtures."""
        return ChainConfig(
            amplifier=Amplifier(self.amplifier, (3.0, 24.0), (3_500.0, 6_500.0)),
            chorus=Chorus(self.chorus),
            echo=Echo(self.echo),
            equaliser=Equaliser(0.8, (-4.0, 4.0)),
            compressor=Compressor(self.compressor, (-4.0, 8.0), (1.5, 5.0), (0.003, 0.04), (0.06, 0.4)),
            saturation=Saturation(self.saturation, (1.0, 6.0)),
        )


OTHERS = FamilySound(-6.0, -14.0, chorus=0.15, echo=0.1)
SOUNDS = {
    "bass": FamilySound(-1.0, -30.0, compressor=0.8, saturation=0.35),
    "brass": FamilySound(-4.0, -13.0, compressor=0.5),
    "drum": FamilySound(0.0, -18.0, compressor=0.7, saturation=0.3),
    "flute": FamilySound(-5.0, -12.0, echo=0.1),
    "guitar": FamilySound(-4.0, -16.0, amplifier=0.3, chorus=0.2, echo=0.2),
    "keyboard": FamilySound(-5.0, -14.0, chorus=0.15, echo=0.05),
    "mallet": FamilySound(-6.0, -12.0, compressor=0.2, saturation=0.05),
    "organ": FamilySound(-7.0, -13.0, saturation=0.3, chorus=0.3),
    "reed": FamilySound(-4.0, -13.0, compressor=0.5, echo=0.1),
    "string": FamilySound(-7.0, -9.0, compressor=0.3, saturation=0.05),
    "synth_lead": FamilySound(-3.0, -14.0, saturation=0.3, chorus=0.25, echo=0.3),
    "synth_pad": FamilySound(-8.0, -9.0, compressor=0.2, chorus=0.3, echo=0.1),
    "vocal": FamilySound(-5.0, -11.0, compressor=0.5),  # choirs
    VOICE: FamilySound(1.0, -14.0, compressor=0.9, echo=0.2),  # over the music
}
LEVEL_SPREAD_DB = 3.0  # standard deviation of a part's distance from its family's level
MOST_LEVEL_DB = 7.0  # its limit
ROOM_SPREAD_DB = 3.0
ROOM_SECONDS, ROOM_PREDELAY_SECONDS = (0.25, 1.6), (0.0, 0.03)
BUS_PROBABILITY, BUS_THRESHOLD_DB, BUS_RATIO = 0.8, (-2.0, 8.0), (1.3, 3.0)
BUS_ATTACK_SECONDS, BUS_RELEASE_SECONDS = (0.01, 0.05), (0.1, 0.5)
SHELF_DB, SHELF_HZ = 2.5, (150.0, 3_000.0)  # the master's tone: a shelf below and one above
NARROW_PROBABILITY = 0.15  # of a narrow band, as after a low bit rate or in small speakers
NARROW_HZ = ((40.0, 150.0), (4_500.0, 7_500.0))
LOUDNESS_DB = (-20.0, -11.0)  # RMS of the mix while it sounds, before the limiter
LIMITER_ATTACK_SECONDS, LIMITER_RELEASE_SECONDS = 0.008, (0.05, 0.3)


class Studio:
    """Mixes the parts of productions at one sample rate."""

    def __init__(self, sample_rate: int) -> None:
        self._rate, self._noise = sample_rate, NoiseStore(sample_rate)
        self._chains = {
            sound: Chain(sound.chain, sample_rate, self._noise) for sound in (*SOUNDS.values(), OTHERS)
        }

    def mix(
        self, kinds: Sequence[str | None], played: Sequence[NDArray[np.float32]], rng: np.random.Generator
    ) -> NDArray[np.int16]:
        """Mix `played` parts [samples]: int16 [parts, samples], as heard in the mix, which is their sum.

        `kinds` are their families, or VOICE. No sample of the mix or of a part exceeds `CEILING_DB`.
        """
        sounds = [SOUNDS.get(kind or "", OTHERS) for kind in kinds]
        stems = [
            self._processed(sound, torch.from_numpy(samples)[None], rng)
            for sound, samples in zip(sounds, played, strict=True)
        ]
        return self._mastered(self._in_room(sounds, torch.cat(stems), rng), rng)

    def _processed(self, sound: FamilySound, wave: Tensor, rng: np.random.Generator) -> Tensor:
        """Apply the family's chain to `wave [1, samples]`, and bring it to its level in the mix."""
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        wave = self._chains[sound](wave, generator)
        apart = float(np.clip(rng.normal(0, LEVEL_SPREAD_DB), -MOST_LEVEL_DB, MOST_LEVEL_DB))
        gain = 10 ** ((sound.level_db + apart) / 20)
        return wave * (gain / active_rms(wave).clamp(min=1e-6))

    def _in_room(self, sounds: Sequence[FamilySound], stems: Tensor, rng: np.random.Generator) -> Tensor:
        """Put all stems `[parts, samples]` into one room, each as near as its family usually stands."""
        rt60, predelay, place = _drawn(rng, ROOM_SECONDS, ROOM_PREDELAY_SECONDS, (0.0, 1.0))
        taps = room_taps(rt60, predelay, self._rate)
        noise = self._noise.take(torch.tensor([ROOM]), place, taps, stems.device)
        wet_db = [sound.room_db + float(rng.normal(0, ROOM_SPREAD_DB)) for sound in sounds]
        room = room_impulse(
            noise.expand(len(sounds), -1).clone(),
            rt60.expand(len(sounds)),
            torch.tensor(wet_db),
            predelay.expand(len(sounds)),
            self._rate,
        )
        return convolve(stems, room)

    def _mastered(self, stems: Tensor, rng: np.random.Generator) -> NDArray[np.int16]:
        """Compress, equalise, raise and limit the sum of `stems [parts, samples]`; round them to 16 bits."""
        if rng.random() < BUS_PROBABILITY:
            stems = stems * self._bus_gain(stems.sum(dim=0, keepdim=True), rng)
        stems = convolve(stems, self._tone(rng).expand(len(stems), -1))
        mix = stems.sum(dim=0, keepdim=True)
        stems = stems * (10 ** (rng.uniform(*LOUDNESS_DB) / 20) / active_rms(mix).clamp(min=1e-6))
        # Rounding can add half a step for each stem; a hundredth of a decibel is more than that.
        ceiling_db, release = torch.tensor([CEILING_DB - 0.01]), _drawn(rng, LIMITER_RELEASE_SECONDS)[0]
        loudest = torch.cat([stems, stems.sum(dim=0, keepdim=True)]).abs().amax(dim=0, keepdim=True)
        attack = torch.tensor([LIMITER_ATTACK_SECONDS])
        stems = stems * limiter_gain(loudest, ceiling_db, attack, release, self._rate)
        return (stems * FULL_SCALE).round().to(torch.int16).numpy()

    def _bus_gain(self, mix: Tensor, rng: np.random.Generator) -> Tensor:
        """The gain of the bus compressor on `mix [1, samples]`; its threshold is relative to the mix's level."""
        level_db = 20 * active_rms(mix)[:, 0].clamp(min=1e-6).log10()
        threshold, ratio = _drawn(rng, BUS_THRESHOLD_DB, BUS_RATIO)
        attack, release = _drawn(rng, BUS_ATTACK_SECONDS, BUS_RELEASE_SECONDS)
        return compressor_gain(
            mix, threshold + level_db, ratio, attack, release, torch.zeros(1), sample_rate=self._rate
        )

    def _tone(self, rng: np.random.Generator) -> Tensor:
        """The impulse response [1, taps] of the master's shelves, and sometimes of a narrow band."""
        gain_db = torch.from_numpy(rng.uniform(-SHELF_DB, SHELF_DB, (1, 2))).float()
        sections = [shelf_sections(gain_db, torch.tensor([SHELF_HZ]), torch.tensor([1.0, -1.0]), self._rate)]
        if rng.random() < NARROW_PROBABILITY:
            low, high = _drawn(rng, *NARROW_HZ)
            sections.append(band_limit_sections(low, high, self._rate))
        return impulse_of(torch.cat(sections, dim=1))


def _drawn(rng: np.random.Generator, *ranges: Range) -> tuple[Tensor, ...]:
    """Draw a number from each range, uniformly: tensors [1]."""
    return tuple(torch.tensor([rng.uniform(*limits)], dtype=torch.float32) for limits in ranges)
