"""The section `[effects]` of a training recipe: the probability of each effect and the ranges of its parameters.

All probabilities are 0 by default. A parameter is drawn for each item from a range `[from, to]`: uniformly, or uniformly in
octaves if it is a frequency, a time or a ratio.
"""

import re
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, get_type_hints

import torch
from torch import Tensor

from models.errors import TrainingError
from training.effects.filters import BANDS
from training.effects.noise import BACKGROUNDS

Range = tuple[float, float]
Parameters = dict[str, Tensor]
BAND_HZ = ((60.0, 250.0), (200.0, 800.0), (600.0, 2_500.0), (1_500.0, 5_000.0), (3_000.0, 6_500.0))
PEAK_Q = (0.5, 2.0)


@dataclass(frozen=True)
class RangeLimits:
    """The limits of a range, and how values are drawn from it; with `count` > 0 an item draws that many values."""

    least: float
    most: float
    octaves: bool = False
    count: int = 0


def _limits(kind: type["EffectConfig"]) -> dict[str, RangeLimits]:
    """Return the limits of an effect's ranges, by field."""
    hints = get_type_hints(kind, include_extras=True)
    return {item.name: hints[item.name].__metadata__[0] for item in fields(kind)[1:]}


def _check(name: str, shown: Any, values: Any, least: float, most: float) -> None:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not numbers or not all(least <= value <= most for value in values) or sorted(values) != list(values):
        limit = f"{least:g}…{most:g}"
        order = ", the lower end first" if len(values) > 1 else ""
        raise TrainingError(f"{name} is {shown}; it must lie within {limit}{order}", value=shown, limit=limit)


def _draw(
    low: float, high: float, octaves: bool, shape: tuple[int, ...], generator: torch.Generator
) -> Tensor:
    """Draw float32 numbers from `low` to `high`, uniformly or uniformly in octaves."""
    unit = torch.rand(shape, generator=generator)
    return low * (high / low) ** unit if octaves else low + (high - low) * unit


@dataclass(frozen=True)
class EffectConfig:
    """One effect: its probability, and the ranges that subclasses add. Raises TrainingError for a value outside its limits."""

    probability: float = 0.0

    def __post_init__(self) -> None:
        name = re.sub("(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        _check(f"{name}.probability", self.probability, [self.probability], 0.0, 1.0)
        for key, limits in _limits(type(self)).items():
            value = getattr(self, key)
            if not isinstance(value, list | tuple) or len(value) != 2:
                raise TrainingError(f"{name}.{key} is {value!r}; it must be a range [from, to]", value=value)
            object.__setattr__(self, key, tuple(value))
            _check(f"{name}.{key}", list(value), value, limits.least, limits.most)

    def draw(self, number: int, generator: torch.Generator) -> Parameters:
        """Draw the parameters of `number` items, `[number]` or `[number, count]` each, on the CPU."""
        drawn = {}
        for key, limits in _limits(type(self)).items():
            low, high = getattr(self, key)
            shape = (number, limits.count) if limits.count else (number,)
            drawn[key] = _draw(low, high, limits.octaves, shape, generator)
        return drawn


@dataclass(frozen=True)
class Pitch(EffectConfig):
    """Resampling, which changes pitch and tempo together."""

    cents: Annotated[Range, RangeLimits(-100.0, 100.0)] = (-50.0, 50.0)


@dataclass(frozen=True)
class Delay(EffectConfig):
    """A shift in time, later if positive; silence fills the gap."""

    seconds: Annotated[Range, RangeLimits(-5.0, 5.0)] = (-0.5, 0.5)


@dataclass(frozen=True)
class _Moving(EffectConfig):
    """An effect that sways: it begins anywhere in its turn."""

    def draw(self, number: int, generator: torch.Generator) -> Parameters:
        return super().draw(number, generator) | {"phase": torch.rand(number, generator=generator)}


@dataclass(frozen=True)
class Vibrato(_Moving):
    """The pitch sways by ±`cents`: a player's vibrato at 4 to 7 Hz, a worn tape below 2 Hz."""

    cents: Annotated[Range, RangeLimits(0.0, 200.0)] = (5.0, 40.0)
    hz: Annotated[Range, RangeLimits(0.1, 20.0, octaves=True)] = (0.5, 7.0)


@dataclass(frozen=True)
class Amplifier(EffectConfig):
    """A guitar amplifier: heavy distortion, then a loudspeaker."""

    drive_db: Annotated[Range, RangeLimits(0.0, 60.0)] = (10.0, 40.0)
    cabinet_hz: Annotated[Range, RangeLimits(500.0, 100_000.0, octaves=True)] = (3_000.0, 6_000.0)


@dataclass(frozen=True)
class Chorus(_Moving):
    wet_db: Annotated[Range, RangeLimits(-120.0, 0.0)] = (-12.0, 0.0)
    depth_seconds: Annotated[Range, RangeLimits(0.0, 0.01)] = (0.001, 0.005)
    hz: Annotated[Range, RangeLimits(0.1, 20.0, octaves=True)] = (0.3, 3.0)


@dataclass(frozen=True)
class Echo(EffectConfig):
    """Repeats, as of a tape echo; `feedback` is the level of each relative to the one before."""

    seconds: Annotated[Range, RangeLimits(0.02, 3.0, octaves=True)] = (0.08, 0.6)
    wet_db: Annotated[Range, RangeLimits(-120.0, 0.0)] = (-20.0, -6.0)
    feedback: Annotated[Range, RangeLimits(0.0, 1.0)] = (0.1, 0.6)


@dataclass(frozen=True)
class Compressor(EffectConfig):
    """The threshold is relative to the item's RMS, so the item's level does not matter."""

    threshold_db: Annotated[Range, RangeLimits(-40.0, 40.0)] = (-6.0, 8.0)
    ratio: Annotated[Range, RangeLimits(1.0, 100.0, octaves=True)] = (1.5, 6.0)
    attack_seconds: Annotated[Range, RangeLimits(0.001, 1.0, octaves=True)] = (0.003, 0.05)
    release_seconds: Annotated[Range, RangeLimits(0.001, 5.0, octaves=True)] = (0.05, 0.5)
    makeup_db: Annotated[Range, RangeLimits(0.0, 24.0)] = (0.0, 6.0)


@dataclass(frozen=True)
class Saturation(EffectConfig):
    drive_db: Annotated[Range, RangeLimits(0.0, 40.0)] = (2.0, 12.0)


@dataclass(frozen=True)
class Equaliser(EffectConfig):
    """Each band draws a gain; its frequency and width come from fixed ranges."""

    gain_db: Annotated[Range, RangeLimits(-24.0, 24.0, count=BANDS)] = (-6.0, 6.0)

    def draw(self, number: int, generator: torch.Generator) -> Parameters:
        drawn = super().draw(number, generator)
        bands = [_draw(*band, True, (number,), generator) for band in BAND_HZ]
        drawn["hz"] = torch.stack(bands, dim=1)
        drawn["q"] = _draw(*PEAK_Q, True, (number, BANDS - 2), generator)
        return drawn


@dataclass(frozen=True)
class LowPass(EffectConfig):
    cutoff_hz: Annotated[Range, RangeLimits(100.0, 100_000.0, octaves=True)] = (2_000.0, 7_000.0)


@dataclass(frozen=True)
class Reverb(EffectConfig):
    """`wet_db` is the energy of all reflections relative to the direct sound."""

    rt60_seconds: Annotated[Range, RangeLimits(0.02, 10.0, octaves=True)] = (0.2, 1.5)
    wet_db: Annotated[Range, RangeLimits(-120.0, 20.0)] = (-20.0, -3.0)
    predelay_seconds: Annotated[Range, RangeLimits(0.0, 0.2)] = (0.0, 0.03)

    def draw(self, number: int, generator: torch.Generator) -> Parameters:
        return super().draw(number, generator) | {"place": torch.rand(number, generator=generator)}


@dataclass(frozen=True)
class Noise(EffectConfig):
    """Background noise: white, pink, brown, or mains hum."""

    snr_db: Annotated[Range, RangeLimits(-20.0, 120.0)] = (20.0, 50.0)

    def draw(self, number: int, generator: torch.Generator) -> Parameters:
        colour = torch.randint(len(BACKGROUNDS), (number,), generator=generator)
        place = torch.rand(number, generator=generator)
        return super().draw(number, generator) | {"colour": colour, "place": place}


@dataclass(frozen=True)
class Codec(EffectConfig):
    """Band limit and signal-dependent noise, as of a telephone, an old radio or a low bit rate."""

    low_hz: Annotated[Range, RangeLimits(40.0, 2_000.0, octaves=True)] = (40.0, 300.0)
    high_hz: Annotated[Range, RangeLimits(2_000.0, 100_000.0, octaves=True)] = (3_000.0, 7_000.0)
    snr_db: Annotated[Range, RangeLimits(0.0, 120.0)] = (20.0, 45.0)

    def draw(self, number: int, generator: torch.Generator) -> Parameters:
        return super().draw(number, generator) | {"place": torch.rand(number, generator=generator)}


@dataclass(frozen=True)
class ChainConfig:
    """The effects of a stem or of a mixture, in the order of application."""

    pitch: Pitch = field(default_factory=Pitch)
    delay: Delay = field(default_factory=Delay)
    vibrato: Vibrato = field(default_factory=Vibrato)
    amplifier: Amplifier = field(default_factory=Amplifier)
    chorus: Chorus = field(default_factory=Chorus)
    echo: Echo = field(default_factory=Echo)
    equaliser: Equaliser = field(default_factory=Equaliser)
    low_pass: LowPass = field(default_factory=LowPass)
    reverb: Reverb = field(default_factory=Reverb)
    compressor: Compressor = field(default_factory=Compressor)
    saturation: Saturation = field(default_factory=Saturation)
    noise: Noise = field(default_factory=Noise)
    codec: Codec = field(default_factory=Codec)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "ChainConfig":
        kinds = get_type_hints(cls)
        unknown = sorted(set(raw) - set(kinds))
        if unknown:
            raise TrainingError(f"no effect {unknown[0]}", value=unknown[0], limit=", ".join(kinds))
        return cls(**{name: kinds[name](**values) for name, values in raw.items()})

    def active(self) -> dict[str, EffectConfig]:
        """Return the effects of non-zero probability, by name."""
        effects = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: effect for name, effect in effects.items() if effect.probability > 0}


@dataclass(frozen=True)
class EffectsConfig:
    """Effects on each stem before it is levelled, and on the whole mixture."""

    stems: ChainConfig = field(default_factory=ChainConfig)
    mixture: ChainConfig = field(default_factory=ChainConfig)

    def any(self) -> bool:
        """Return whether any effect has a non-zero probability."""
        return bool(self.stems.active() or self.mixture.active())

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "EffectsConfig":
        """Build from `{"stems": {"reverb": {"probability": …, …}, …}, "mixture": …}`.

        Raises TrainingError for an unknown effect or a value outside its limits, TypeError for an unknown key.
        """
        return cls(**{name: ChainConfig.from_dict(values) for name, values in raw.items()})
