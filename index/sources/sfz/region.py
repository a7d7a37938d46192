"""One region of an SFZ instrument: the notes it answers, the sample it plays and how that sounds.

Opcodes are inherited from <group>, <master> and <global> (sfzformat.com). Controllers stand at the value that <control>
sets, else at their MIDI default, and never move during a phrase, so a player has nothing to look up.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from index.sources.sfz.opcodes import (
    CONDITION,
    CROSSFADE,
    FILTERS,
    FULL_CONTROLLER,
    MODULATION,
    MODULATION_DEFAULTS,
    RANGES,
    BadValue,
    Values,
)

MIDDLE_C = 60
MAX_CENTS = 6000  # a sample moves by five octaves at most
MAX_GAIN = 1e5  # 100 dB; squares of the loudest decoded samples still fit in float32
CONTROLLER_DEFAULTS = {7: 100.0, 10: 64.0, 11: 127.0}  # volume, pan and expression in MIDI
BIPOLAR_CURVE = 1  # ARIA's curve from −1 to 1; every other curve is treated as linear


class NotPlayed(Exception):
    """A valid region that a plain note does not start; the message says what does."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Amplitude over time; `sustain` is 0…1."""

    attack_seconds: float
    hold_seconds: float
    decay_seconds: float
    sustain: float
    release_seconds: float


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that does not move during a note; `veltrack` is in cents at full velocity."""

    kind: str
    cutoff_hz: float
    resonance_db: float
    veltrack: float


@dataclass(frozen=True, slots=True)
class Crossfade:
    """An equal-power gain that rises (or falls) from `low` to `high` on an axis: key, velocity or a controller."""

    axis: str
    rising: bool
    low: float
    high: float

    def gain(self, value: float) -> float:
        if self.high <= self.low:
            share = float(value >= self.high)
        else:
            share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return math.sqrt(share if self.rising else 1.0 - share)


@dataclass(frozen=True, slots=True)
class Region:
    """A playable region. Positions count samples of the file; ends are exclusive."""

    sample: Path
    keys: tuple[int, int]
    velocities: tuple[int, int]
    keycenter: float | None  # None: the key in the sample's own header
    keytrack: float  # cents per key
    cents: float
    gain: float  # at full velocity
    veltrack: float  # −1…1
    start: int
    end: int | None
    loop_mode: str | None
    loop_start: int | None
    loop_end: int | None
    delay_seconds: float
    envelope: Envelope
    crossfades: tuple[Crossfade, ...]  # by key and velocity
    filter: Filter | None

    def gain_of(self, pitch: int, velocity: int) -> float:
        """Return the gain of a note: volume, velocity and crossfades between layers."""
        curve = (velocity / 127.0) ** 2
        gain = self.gain * (
            1.0 + self.veltrack * (curve - 1.0) if self.veltrack >= 0 else 1.0 + self.veltrack * curve
        )
        for fade in self.crossfades:
            gain *= fade.gain(pitch if fade.axis == "key" else velocity)
        return gain


def number(values: Values, name: str, default: float) -> float:
    """Return an opcode's number, or `default` where it is not set."""
    value = values.get(name, default)
    assert not isinstance(value, str)
    return value


def optional_number(values: Values, name: str) -> float | None:
    """Return an opcode's number, or None where it is not set."""
    return number(values, name, 0.0) if name in values else None


def check_trigger(values: Values) -> None:
    """Raise NotPlayed unless pressing a key starts the region, as the first of its round robins."""
    trigger = values.get("trigger", "attack")
    if trigger not in ("attack", "first"):
        raise NotPlayed("answer the release of a key" if trigger != "legato" else "answer legato notes")
    if "sw_down" in values:
        raise NotPlayed("wait for a key that is held")
    if number(values, "end", 0.0) == -1:
        raise NotPlayed("are switched off by end=-1")
    if number(values, "hikey", 127) < 0:
        raise NotPlayed("answer no key")
    if number(values, "seq_position", 1) != 1 or number(values, "lorand", 0) > 0:
        raise NotPlayed("are later round robins")


def region_of(values: Values, sample: Path, set_controllers: Mapping[int, float]) -> Region:
    """Build a region from its inherited opcodes. `set_controllers` are the values (0…127) that <control> sets.

    Raises BadValue if values contradict each other, NotPlayed if a controller's value keeps the region silent.
    """
    controllers = {**CONTROLLER_DEFAULTS, **set_controllers}
    _check_conditions(values, controllers)
    values = _modulated(values, controllers)
    fades = tuple(_crossfades(values))
    gain = _loudness(values)
    for fade in fades:
        if fade.axis.startswith("cc"):
            gain *= fade.gain(controllers.get(int(fade.axis[2:]), 0.0))
    end, loop_end = optional_number(values, "end"), optional_number(values, "loop_end")
    loop_start = optional_number(values, "loop_start")
    keycenter = values.get("pitch_keycenter", float(MIDDLE_C))
    keytrack = number(values, "pitch_keytrack", 100.0)
    cents = 100.0 * number(values, "transpose", 0.0) + sum(_levels(values, "tune", 0.0))
    keys = _bounds(values, "lokey", "hikey")
    if keytrack and not isinstance(keycenter, str):
        keys = _within_reach(keys, keycenter, keytrack, cents)
    mode = values.get("loop_mode")
    return Region(
        sample=sample,
        keys=(max(0, keys[0]), keys[1]),
        velocities=_bounds(values, "lovel", "hivel"),
        keycenter=None if isinstance(keycenter, str) else keycenter,
        keytrack=keytrack,
        cents=cents,
        gain=gain,
        veltrack=max(-1.0, min(1.0, number(values, "amp_veltrack", 100.0) / 100.0)),
        start=int(number(values, "offset", 0)),
        end=None if not end else int(end) + 1,
        loop_mode=None if mode is None else str(mode),
        loop_start=None if loop_start is None else int(loop_start),
        loop_end=None if loop_end is None else int(loop_end) + 1,
        delay_seconds=number(values, "delay", 0.0) + number(values, "ampeg_delay", 0.0),
        envelope=_envelope(values),
        crossfades=tuple(fade for fade in fades if not fade.axis.startswith("cc")),
        filter=_filter(values),
    )


def _check_conditions(values: Values, controllers: Mapping[int, float]) -> None:
    for name in values:
        found = CONDITION.fullmatch(name) if "cc" in name else None
        if found is None:
            continue
        event, bound, controller = found.groups()
        if event:
            raise NotPlayed("answer controllers")
        value, limit = controllers.get(int(controller), 0.0), number(values, name, 0.0)
        if value < limit if bound == "lo" else value > limit:
            raise NotPlayed("wait for a controller")


def _modulated(values: Values, controllers: Mapping[int, float]) -> Values:
    """Return the values plus what resting controllers add to them (`…_onccN`), within each opcode's range."""
    changed: Values = {}
    for name in values:
        found = MODULATION.fullmatch(name) if "cc" in name else None
        if not found or found[1] not in MODULATION_DEFAULTS:
            continue
        target, controller = found[1], found[2]
        share = controllers.get(int(controller), 0.0) / FULL_CONTROLLER
        if number(values, f"{target}_curvecc{controller}", 0.0) == BIPOLAR_CURVE:
            share = 2.0 * share - 1.0
        depth = number(values, name, 0.0) * share
        if target.endswith("amplitude"):  # percent of the current amplitude
            moved = number(changed, target, number(values, target, 100.0)) * depth / 100.0
        elif not depth or (target == "cutoff" and target not in values):
            continue  # nothing moves, or there is no filter to move
        else:
            moved = number(changed, target, number(values, target, MODULATION_DEFAULTS[target])) + depth
        low, high = RANGES[target]
        changed[target] = min(high, max(low, moved))
    return {**values, **changed} if changed else values


def _crossfades(values: Values) -> Iterator[Crossfade]:
    bounds: dict[tuple[str, bool], dict[str, float]] = {}
    for name in values:
        if name.startswith("xf") and (found := CROSSFADE.fullmatch(name)):
            direction, bound, axis = found.groups()
            bounds.setdefault((axis, direction == "in"), {})[bound] = number(values, name, 0.0)
    for (axis, rising), ends in bounds.items():
        unset = 0.0 if rising else 127.0  # an end that is not set leaves the gain at 1
        yield Crossfade(axis, rising, ends.get("lo", unset), ends.get("hi", unset))


def _bounds(values: Values, low: str, high: str) -> tuple[int, int]:
    first, last = math.ceil(number(values, low, 0)), math.floor(number(values, high, 127))
    if first > last:
        raise BadValue(f"{low}={first} is above {high}={last}")
    return first, last


def _within_reach(keys: tuple[int, int], keycenter: float, keytrack: float, cents: float) -> tuple[int, int]:
    """Cut a key range to the keys that move the sample by at most five octaves."""
    ends = sorted(keycenter + (side - cents) / keytrack for side in (-MAX_CENTS, MAX_CENTS))
    low, high = max(keys[0], math.ceil(ends[0])), min(keys[1], math.floor(ends[1]))
    if low > high:
        raise BadValue(f"keys {keys[0]} to {keys[1]} lie more than five octaves from its sample")
    return low, high


def _levels(values: Values, name: str, default: float) -> Iterator[float]:
    """Yield an opcode's value at each level that adds up: `tune`, `group_tune`, …"""
    return (number(values, prefix + name, default) for prefix in ("", "group_", "master_", "global_"))


def _loudness(values: Values) -> float:
    decibels = sum(_levels(values, "volume", 0.0)) + number(values, "gain", 0.0)
    amplitude = math.prod(percent / 100.0 for percent in _levels(values, "amplitude", 100.0))
    gain = 10.0 ** (min(decibels, 1000.0) / 20.0) * amplitude
    if gain > MAX_GAIN:
        raise BadValue(f"volume and amplitude multiply the level by {gain:.3g}, above {MAX_GAIN:g}")
    return gain


def _envelope(values: Values) -> Envelope:
    sustain = max(0.0, min(1.0, number(values, "ampeg_sustain", 100.0) / 100.0))
    stages = ("attack", "hold", "decay", "release")
    attack, hold, decay, release = (number(values, f"ampeg_{stage}", 0.0) for stage in stages)
    return _shared_envelope(attack, hold, decay, sustain, release)


@lru_cache(maxsize=1024)  # most regions share one
def _shared_envelope(*numbers: float) -> Envelope:
    return Envelope(*numbers)


def _filter(values: Values) -> Filter | None:
    """Return the filter, or None for an unknown type or one that an envelope moves."""
    kind, cutoff = values.get("fil_type", "lpf_2p"), number(values, "cutoff", 0.0)
    if "cutoff" not in values or kind not in FILTERS or number(values, "fileg_depth", 0.0):
        return None
    resonance = max(0.0, min(40.0, number(values, "resonance", 0.0)))
    return Filter(str(kind), cutoff, resonance, number(values, "fil_veltrack", 0.0))
