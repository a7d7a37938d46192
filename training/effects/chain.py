"""Effect chains: each item receives a random choice of effects, in the order of a small studio.

Pitch, delay and vibrato (tape and player), amplifier, chorus and echo (pedals), equaliser, low-pass and reverb (desk and room,
in one convolution), compressor, saturation, then noise and codec (the recording). A CPU generator draws them, so they are the
same on every device.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.effects.config import ChainConfig, EffectsConfig, Parameters
from training.effects.convolution import convolve
from training.effects.dynamics import QUIET, compress, saturate
from training.effects.filters import TAPS, band_limit, equaliser_sections, impulse_of, low_pass_sections
from training.effects.modulation import amplify, chorus, echo, vibrate
from training.effects.noise import ROOM, NoiseStore, add_codec_noise, add_noise, rms
from training.effects.reverb import room_impulse, room_taps
from training.effects.shifts import delay, shift_pitch

PEDALS: dict[str, Callable[..., Tensor]] = {"vibrato": vibrate, "amplifier": amplify, "chorus": chorus}
CPU_ROWS, GPU_ROWS = 16, 256  # items at a time: few enough for a CPU's cache, enough to fill a GPU


@dataclass(frozen=True)
class DrawnEffects:
    """The effects drawn for `number` = n items, on the CPU.

    `chosen[effect] [n]` is bool; `parameters[effect][name] [n, …]` also has rows for items without the effect.
    """

    number: int
    chosen: dict[str, Tensor]
    parameters: dict[str, Parameters]

    def select(self, rows: Tensor, effects: Iterable[str] | None = None) -> "DrawnEffects":
        """Return the effects of the items `rows`, restricted to the named effects if given."""
        names = self.chosen.keys() if effects is None else self.chosen.keys() & set(effects)
        parameters = {
            name: {key: value[rows] for key, value in self.parameters[name].items()} for name in names
        }
        return DrawnEffects(len(rows), {name: self.chosen[name][rows] for name in names}, parameters)

    def has_any(self, *effects: str) -> Tensor:
        """Return which items have at least one of these effects, `[n]` bool."""
        has = torch.zeros(self.number, dtype=torch.bool)
        for name in effects:
            has |= self.chosen.get(name, has)
        return has

    def describe(self, row: int) -> dict[str, dict[str, float | list[float]]]:
        """Return the effects of one item with their parameters, as plain numbers."""
        return {
            name: {key: value[row].tolist() for key, value in self.parameters[name].items()}
            for name, chosen in self.chosen.items()
            if chosen[row]
        }


ApplyEffects = Callable[[Tensor, DrawnEffects], Tensor]


def _to(device: torch.device, parameters: Parameters) -> Parameters:
    return {name: value.to(device, non_blocking=True) for name, value in parameters.items()}


class Chain:
    """The effects of one `ChainConfig`; a call with `wave [n, samples]` and a generator draws and applies them."""

    def __init__(self, config: ChainConfig, sample_rate: int, noise: NoiseStore) -> None:
        self.sample_rate, self._noise, self._active = sample_rate, noise, config.active()

    def __call__(self, wave: Tensor, generator: torch.Generator) -> Tensor:
        return self.apply_(wave.clone(), self.draw(len(wave), generator)) if self._active else wave

    def draw(self, number: int, generator: torch.Generator) -> DrawnEffects:
        """Draw effects for `number` items. An effect of probability 0 draws nothing from the generator."""
        chosen, parameters = {}, {}
        for name, effect in self._active.items():
            chosen[name] = torch.rand(number, generator=generator) < effect.probability
            parameters[name] = effect.draw(number, generator)
        return DrawnEffects(number, chosen, parameters)

    def apply_(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        """Apply drawn effects to `wave [n, samples]` in place: allocating memory would cost more than the effects."""
        reverberant = drawn.has_any("reverb")
        dry = drawn.has_any("equaliser", "low_pass") & ~reverberant
        steps: tuple[tuple[Tensor, ApplyEffects, tuple[str, ...]], ...] = (
            (drawn.has_any("pitch"), self._pitch, ("pitch",)),
            (drawn.has_any("delay"), self._delay, ("delay",)),
            *((drawn.has_any(name), self._pedal(name), (name,)) for name in PEDALS),
            (drawn.has_any("echo"), self._echo, ("echo",)),
            (dry, self._filters, ("equaliser", "low_pass")),
            # separate from the dry items, because a room's response makes the transform longer
            (reverberant, self._filters, ("equaliser", "low_pass", "reverb")),
            (drawn.has_any("compressor"), self._compressor, ("compressor",)),
            (drawn.has_any("saturation"), self._saturation, ("saturation",)),
            (drawn.has_any("noise"), self._background, ("noise",)),
            (drawn.has_any("codec"), self._codec, ("codec",)),
        )
        at_once = CPU_ROWS if wave.device.type == "cpu" else GPU_ROWS
        for chosen, step, effects in steps:
            rows = chosen.nonzero()[:, 0]
            for part in rows.split(at_once) if len(rows) else ():
                place = part.to(wave.device)
                wave.index_copy_(0, place, step(wave.index_select(0, place), drawn.select(part, effects)))
        return wave

    def _pitch(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        return shift_pitch(wave, drawn.parameters["pitch"]["cents"])

    def _delay(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        by_samples = (drawn.parameters["delay"]["seconds"] * self.sample_rate).round().long()
        return delay(wave, by_samples)

    def _pedal(self, name: str) -> ApplyEffects:
        """The step of an effect that needs no more than its parameters."""

        def apply(wave: Tensor, drawn: DrawnEffects) -> Tensor:
            parameters = _to(wave.device, drawn.parameters[name])
            return PEDALS[name](wave, **parameters, sample_rate=self.sample_rate)

        return apply

    def _echo(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        return echo(wave, **drawn.parameters["echo"], sample_rate=self.sample_rate)

    def _filters(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        """Apply equaliser, low-pass and reverb in one convolution; an item without one of them gets it at no depth."""
        sections = []
        if drawn.has_any("equaliser").any():
            parameters = drawn.parameters["equaliser"]
            gain_db = parameters["gain_db"] * drawn.chosen["equaliser"][:, None]
            parameters = _to(wave.device, parameters | {"gain_db": gain_db})
            sections.append(equaliser_sections(**parameters, sample_rate=self.sample_rate))
        if drawn.has_any("low_pass").any():
            cutoff_hz = drawn.parameters["low_pass"]["cutoff_hz"]
            cutoff_hz = cutoff_hz.masked_fill(~drawn.chosen["low_pass"], math.inf)
            sections.append(low_pass_sections(cutoff_hz.to(wave.device), self.sample_rate))
        if not drawn.has_any("reverb").any():
            return convolve(wave, impulse_of(torch.cat(sections, dim=1)))
        room = self._room(drawn.parameters["reverb"], wave.device)
        if sections:
            room = convolve(functional.pad(room, (0, TAPS)), impulse_of(torch.cat(sections, dim=1)))
        return convolve(wave, room)

    def _room(self, parameters: Parameters, device: torch.device) -> Tensor:
        taps = room_taps(parameters["rt60_seconds"], parameters["predelay_seconds"], self.sample_rate)
        colour = torch.full_like(parameters["place"], ROOM, dtype=torch.long)
        noise = self._noise.take(colour, parameters["place"], taps, device)
        room = {name: value for name, value in parameters.items() if name != "place"}
        return room_impulse(noise, **_to(device, room), sample_rate=self.sample_rate)

    def _compressor(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        parameters = _to(wave.device, drawn.parameters["compressor"])
        level_db = 20 * rms(wave)[:, 0].clamp(min=QUIET).log10()
        parameters["threshold_db"] = parameters["threshold_db"] + level_db
        return compress(wave, **parameters, sample_rate=self.sample_rate)

    def _saturation(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        return saturate(wave, **_to(wave.device, drawn.parameters["saturation"]))

    def _background(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        parameters = drawn.parameters["noise"]
        noise = self._noise.take(parameters["colour"], parameters["place"], wave.shape[1], wave.device)
        return add_noise(wave, noise, parameters["snr_db"].to(wave.device))

    def _codec(self, wave: Tensor, drawn: DrawnEffects) -> Tensor:
        parameters = drawn.parameters["codec"]
        white = torch.zeros_like(parameters["place"], dtype=torch.long)
        noise = self._noise.take(white, parameters["place"], wave.shape[1], wave.device)
        low_hz, high_hz, snr_db = (
            parameters[name].to(wave.device) for name in ("low_hz", "high_hz", "snr_db")
        )
        return add_codec_noise(band_limit(wave, low_hz, high_hz, self.sample_rate), noise, snr_db)


class Effects:
    """The two chains of a recipe: `stems` for single clips `[n, samples]`, `mixture` for their sums `[batch, samples]`."""

    def __init__(self, config: EffectsConfig, sample_rate: int) -> None:
        noise = NoiseStore(sample_rate)
        self.stems = Chain(config.stems, sample_rate, noise)
        self.mixture = Chain(config.mixture, sample_rate, noise)
