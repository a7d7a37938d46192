"""A chain of effects: each item is given some of them at random, in the order of a small studio.

Tape and player (pitch, delay), desk and room (equaliser, low-pass, reverb: one convolution), compressor, saturation, then what
a recording suffers (noise, codec). What is drawn comes from a CPU generator, so that it is the same on every device.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.effects.config import ChainConfig, Drawn, EffectsConfig
from training.effects.convolution import convolve
from training.effects.dynamics import QUIET, compress, saturate
from training.effects.filters import TAPS, band_limit, equaliser_sections, impulse_of, low_pass_sections
from training.effects.noise import ROOM, NoiseStore, add_codec_noise, add_noise, rms
from training.effects.reverb import room_impulse, room_taps
from training.effects.shifts import delay, shift_pitch

CPU_ROWS, GPU_ROWS = 16, 256  # items at a time: what stays near a CPU, what fills a GPU


@dataclass(frozen=True)
class Plan:
    """What was drawn for `number` = n items: `chosen[effect] [n]` bool, and `drawn[effect][parameter] [n, …]`, on the CPU."""

    number: int
    chosen: dict[str, Tensor]
    drawn: dict[str, Drawn]

    def rows(self, rows: Tensor, effects: Iterable[str] | None = None) -> "Plan":
        """The same for the items `rows` alone; of these effects alone, where they are named."""
        names = self.chosen.keys() if effects is None else self.chosen.keys() & set(effects)
        drawn = {name: {key: value[rows] for key, value in self.drawn[name].items()} for name in names}
        return Plan(len(rows), {name: self.chosen[name][rows] for name in names}, drawn)

    def among(self, *effects: str) -> Tensor:
        """Which items were given one of these effects, `[n]` bool."""
        among = torch.zeros(self.number, dtype=torch.bool)
        for name in effects:
            among |= self.chosen.get(name, among)
        return among

    def effects_of(self, row: int) -> dict[str, dict[str, float | list[float]]]:
        """For people: the effects of one item with their parameters."""
        return {
            name: {key: value[row].tolist() for key, value in self.drawn[name].items()}
            for name, chosen in self.chosen.items()
            if chosen[row]
        }


Stage = Callable[[Tensor, Plan], Tensor]


def _to(device: torch.device, drawn: Drawn) -> Drawn:
    return {name: value.to(device, non_blocking=True) for name, value in drawn.items()}


class Chain:
    """The effects of one `ChainConfig`; called with `wave [n, samples]` and a generator it draws and applies them."""

    def __init__(self, config: ChainConfig, sample_rate: int, noise: NoiseStore) -> None:
        self.sample_rate, self._noise, self._active = sample_rate, noise, config.active()

    def __call__(self, wave: Tensor, generator: torch.Generator) -> Tensor:
        return self.apply_(wave.clone(), self.plan(len(wave), generator)) if self._active else wave

    def plan(self, number: int, generator: torch.Generator) -> Plan:
        """Draw for `number` items. An effect of probability 0 draws nothing."""
        chosen, drawn = {}, {}
        for name, effect in self._active.items():
            chosen[name] = torch.rand(number, generator=generator) < effect.probability
            drawn[name] = effect.draw(number, generator)
        return Plan(number, chosen, drawn)

    def apply_(self, wave: Tensor, plan: Plan) -> Tensor:
        """Give `wave [n, samples]` the plan's effects, in its own memory: fresh memory would cost more than they do."""
        reverberant = plan.among("reverb")
        dry = plan.among("equaliser", "low_pass") & ~reverberant
        stages: tuple[tuple[Tensor, Stage, tuple[str, ...]], ...] = (
            (plan.among("pitch"), self._pitch, ("pitch",)),
            (plan.among("delay"), self._delay, ("delay",)),
            (dry, self._filters, ("equaliser", "low_pass")),
            # apart, since a room's response makes the transform longer
            (reverberant, self._filters, ("equaliser", "low_pass", "reverb")),
            (plan.among("compressor"), self._compressor, ("compressor",)),
            (plan.among("saturation"), self._saturation, ("saturation",)),
            (plan.among("noise"), self._background, ("noise",)),
            (plan.among("codec"), self._codec, ("codec",)),
        )
        at_once = CPU_ROWS if wave.device.type == "cpu" else GPU_ROWS
        for chosen, stage, effects in stages:
            rows = chosen.nonzero()[:, 0]
            for part in rows.split(at_once) if len(rows) else ():
                place = part.to(wave.device)
                wave.index_copy_(0, place, stage(wave.index_select(0, place), plan.rows(part, effects)))
        return wave

    def _pitch(self, wave: Tensor, plan: Plan) -> Tensor:
        return shift_pitch(wave, plan.drawn["pitch"]["cents"])

    def _delay(self, wave: Tensor, plan: Plan) -> Tensor:
        by_samples = (plan.drawn["delay"]["seconds"] * self.sample_rate).round().long()
        return delay(wave, by_samples)

    def _filters(self, wave: Tensor, plan: Plan) -> Tensor:
        """Equaliser, low-pass and reverb in one convolution; an item that lacks one of them has it at no depth."""
        sections = []
        if plan.among("equaliser").any():
            drawn = plan.drawn["equaliser"]
            gain_db = drawn["gain_db"] * plan.chosen["equaliser"][:, None]
            drawn = _to(wave.device, drawn | {"gain_db": gain_db})
            sections.append(equaliser_sections(**drawn, sample_rate=self.sample_rate))
        if plan.among("low_pass").any():
            cutoff_hz = plan.drawn["low_pass"]["cutoff_hz"].masked_fill(~plan.chosen["low_pass"], math.inf)
            sections.append(low_pass_sections(cutoff_hz.to(wave.device), self.sample_rate))
        if not plan.among("reverb").any():
            return convolve(wave, impulse_of(torch.cat(sections, dim=1)))
        room = self._room(plan.drawn["reverb"], wave.device)
        if sections:
            room = convolve(functional.pad(room, (0, TAPS)), impulse_of(torch.cat(sections, dim=1)))
        return convolve(wave, room)

    def _room(self, drawn: Drawn, device: torch.device) -> Tensor:
        taps = room_taps(drawn["rt60_seconds"], drawn["predelay_seconds"], self.sample_rate)
        colour = torch.full_like(drawn["place"], ROOM, dtype=torch.long)
        noise = self._noise.take(colour, drawn["place"], taps, device)
        room = {name: value for name, value in drawn.items() if name != "place"}
        return room_impulse(noise, **_to(device, room), sample_rate=self.sample_rate)

    def _compressor(self, wave: Tensor, plan: Plan) -> Tensor:
        drawn = _to(wave.device, plan.drawn["compressor"])
        drawn["threshold_db"] = drawn["threshold_db"] + 20 * rms(wave)[:, 0].clamp(min=QUIET).log10()
        return compress(wave, **drawn, sample_rate=self.sample_rate)

    def _saturation(self, wave: Tensor, plan: Plan) -> Tensor:
        return saturate(wave, **_to(wave.device, plan.drawn["saturation"]))

    def _background(self, wave: Tensor, plan: Plan) -> Tensor:
        drawn = plan.drawn["noise"]
        noise = self._noise.take(drawn["colour"], drawn["place"], wave.shape[1], wave.device)
        return add_noise(wave, noise, drawn["snr_db"].to(wave.device))

    def _codec(self, wave: Tensor, plan: Plan) -> Tensor:
        drawn = plan.drawn["codec"]
        white = torch.zeros_like(drawn["place"], dtype=torch.long)
        noise = self._noise.take(white, drawn["place"], wave.shape[1], wave.device)
        low_hz, high_hz, snr_db = (drawn[name].to(wave.device) for name in ("low_hz", "high_hz", "snr_db"))
        return add_codec_noise(band_limit(wave, low_hz, high_hz, self.sample_rate), noise, snr_db)


class Effects:
    """The chains of a recipe: `stems` for clips `[n, samples]` on their own, `mixture` for their sums `[batch, samples]`."""

    def __init__(self, config: EffectsConfig, sample_rate: int) -> None:
        noise = NoiseStore(sample_rate)
        self.stems = Chain(config.stems, sample_rate, noise)
        self.mixture = Chain(config.mixture, sample_rate, noise)
