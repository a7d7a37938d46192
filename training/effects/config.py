"""How often each effect is applied, and how deep: the section `[effects]` of a training recipe.

All probabilities are 0 unless a recipe says otherwise. A depth is drawn anew for each item from a range `[from, to]`,
evenly, or evenly in octaves where it is a frequency or a time.
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
Drawn = dict[str, Tensor]
BAND_HZ = ((60.0, 250.0), (200.0, 800.0), (600.0, 2_500.0), (1_500.0, 5_000.0), (3_000.0, 6_500.0))
PEAK_Q = (0.5, 2.0)


@dataclass(frozen=True)
class Within:
    """The limits of a range, and how one value of it, or `count`, is drawn for an item."""

    least: float
    most: float
    octaves: bool = False
    count: int = 0


def _limits(kind: type["EffectConfig"]) -> dict[str, Within]:
    """The ranges of an effect, by field."""
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
    """Float32 numbers from `low` to `high`, evenly spread, or their logarithms are."""
    unit = torch.rand(shape, generator=generator)
    return low * (high / low) ** unit if octaves else low + (high - low) * unit


@dataclass(frozen=True)
class EffectConfig:
    """One effect: its probability for an item, and the ranges its subclasses add. Raises TrainingError outside limits."""

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

    def draw(self, number: int, generator: torch.Generator) -> Drawn:
        """The parameters of `number` items, `[number]` or `[number, count]` each, on the CPU."""
        drawn = {}
        for key, limits in _limits(type(self)).items():
            low, high = getattr(self, key)
            shape = (number, limits.count) if limits.count else (number,)
            drawn[key] = _draw(low, high, limits.octaves, shape, generator)
        return drawn


@dataclass(frozen=True)
class Pitch(EffectConfig):
    """Resampling: pitch and tempo together."""

    cents: Annotated[Range, Within(-100.0, 100.0)] = (-50.0, 50.0)


@dataclass(frozen=True)
class Delay(EffectConfig):
    """Later, or earlier where negative; silence comes in."""

    seconds: Annotated[Range, Within(-5.0, 5.0)] = (-0.5, 0.5)


@dataclass(frozen=True)
class Compressor(EffectConfig):
    """The threshold counts from the item's RMS, so that level does not matter."""

    threshold_db: Annotated[Range, Within(-40.0, 40.0)] = (-6.0, 8.0)
    ratio: Annotated[Range, Within(1.0, 100.0, octaves=True)] = (1.5, 6.0)
    attack_seconds: Annotated[Range, Within(0.001, 1.0, octaves=True)] = (0.003, 0.05)
    release_seconds: Annotated[Range, Within(0.001, 5.0, octaves=True)] = (0.05, 0.5)
    makeup_db: Annotated[Range, Within(0.0, 24.0)] = (0.0, 6.0)


@dataclass(frozen=True)
class Saturation(EffectConfig):
    drive_db: Annotated[Range, Within(0.0, 40.0)] = (2.0, 12.0)


@dataclass(frozen=True)
class Equaliser(EffectConfig):
    """Every band draws a gain, and its frequency and width from fixed ranges."""

    gain_db: Annotated[Range, Within(-24.0, 24.0, count=BANDS)] = (-6.0, 6.0)

    def draw(self, number: int, generator: torch.Generator) -> Drawn:
        drawn = super().draw(number, generator)
        bands = [_draw(*band, True, (number,), generator) for band in BAND_HZ]
        drawn["hz"] = torch.stack(bands, dim=1)
        drawn["q"] = _draw(*PEAK_Q, True, (number, BANDS - 2), generator)
        return drawn


@dataclass(frozen=True)
class LowPass(EffectConfig):
    cutoff_hz: Annotated[Range, Within(100.0, 100_000.0, octaves=True)] = (2_000.0, 7_000.0)


@dataclass(frozen=True)
class Reverb(EffectConfig):
    """`wet_db` is the energy of all reflections against the direct sound's."""

    rt60_seconds: Annotated[Range, Within(0.02, 10.0, octaves=True)] = (0.2, 1.5)
    wet_db: Annotated[Range, Within(-120.0, 20.0)] = (-20.0, -3.0)
    predelay_seconds: Annotated[Range, Within(0.0, 0.2)] = (0.0, 0.03)

    def draw(self, number: int, generator: torch.Generator) -> Drawn:
        return super().draw(number, generator) | {"place": torch.rand(number, generator=generator)}


@dataclass(frozen=True)
class Noise(EffectConfig):
    """White, pink or brown noise, or mains hum, under the item."""

    snr_db: Annotated[Range, Within(-20.0, 120.0)] = (20.0, 50.0)

    def draw(self, number: int, generator: torch.Generator) -> Drawn:
        colour = torch.randint(len(BACKGROUNDS), (number,), generator=generator)
        place = torch.rand(number, generator=generator)
        return super().draw(number, generator) | {"colour": colour, "place": place}


@dataclass(frozen=True)
class Codec(EffectConfig):
    """A telephone, an old radio, a low bit rate: a limited band, and noise that follows the signal."""

    low_hz: Annotated[Range, Within(40.0, 2_000.0, octaves=True)] = (40.0, 300.0)
    high_hz: Annotated[Range, Within(2_000.0, 100_000.0, octaves=True)] = (3_000.0, 7_000.0)
    snr_db: Annotated[Range, Within(0.0, 120.0)] = (20.0, 45.0)

    def draw(self, number: int, generator: torch.Generator) -> Drawn:
        return super().draw(number, generator) | {"place": torch.rand(number, generator=generator)}


@dataclass(frozen=True)
class ChainConfig:
    """The effects of a stem or of a mixture, in the order in which they are applied."""

    pitch: Pitch = field(default_factory=Pitch)
    delay: Delay = field(default_factory=Delay)
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
        """The effects that can occur, by name."""
        effects = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: effect for name, effect in effects.items() if effect.probability > 0}


@dataclass(frozen=True)
class EffectsConfig:
    """Effects on each stem before it is levelled, and on the mixture of them all."""

    stems: ChainConfig = field(default_factory=ChainConfig)
    mixture: ChainConfig = field(default_factory=ChainConfig)

    def any(self) -> bool:
        """Whether any effect can occur."""
        return bool(self.stems.active() or self.mixture.active())

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "EffectsConfig":
        """From `{"stems": {"reverb": {"probability": …, …}, …}, "mixture": …}`.

        Raises TrainingError for an unknown effect or a value outside its limits, TypeError for an unknown key.
        """
        return cls(**{name: ChainConfig.from_dict(values) for name, values in raw.items()})
