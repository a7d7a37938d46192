"""One region of an SFZ instrument: which notes it answers, which sample it plays, and how that sounds.

A region inherits from <group>, <master> and <global> (sfzformat.com); here all of that is settled, controllers at their
defaults, so that a player has nothing to look up.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from index.sources.sfz.conditions import (
    CONTROLLER_DEFAULTS,
    Fade,
    NotPlayed,
    controller_gain,
    fade_bounds,
    get,
    modulated,
    stated,
)
from index.sources.sfz.opcodes import FILTERS, VELOCITY_POINT, BadValue, Values

MIDDLE_C = 60
MAX_GAIN = 1e5  # 100 dB: with the loudest samples that are decoded, squares still are float32
MAX_CENTS = 6000  # a sample is moved by five octaves at most


@dataclass(frozen=True, slots=True)
class Envelope:
    """Amplitude over time; `sustain` is 0…1."""

    delay_seconds: float
    attack_seconds: float
    hold_seconds: float
    decay_seconds: float
    sustain: float
    release_seconds: float


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that stands still during a note; `keytrack` and `veltrack` are cents per key and at full velocity."""

    kind: str
    cutoff_hz: float
    resonance_db: float
    keytrack: float
    keycenter: float
    veltrack: float


@dataclass(frozen=True, slots=True)
class Region:
    """`sample` is a file, or a generator's name such as `*sine`. Positions count the file's samples; ends are exclusive."""

    sample: Path | str
    keys: tuple[int, int]
    velocities: tuple[int, int]
    keycenter: float | None  # None: what the sample's own header says
    keytrack: float  # cents per key
    cents: float
    gain: float  # at full velocity
    veltrack: float  # −1…1
    velocity_curve: tuple[tuple[float, float], ...]  # (velocity, gain); empty: the square of velocity
    start: int
    end: int | None
    count: int
    loop_mode: str | None
    loop_start: int | None
    loop_end: int | None
    delay_seconds: float
    envelope: Envelope
    fades: tuple[Fade, ...]
    sequence: tuple[int, int]  # (position from 1, length)
    random: tuple[float, float]
    filter: Filter | None

    @property
    def reachable_keys(self) -> tuple[int, int]:
        """The keys that are answered with a sound: not those too far from the sample's own."""
        if isinstance(self.sample, str) or self.keycenter is None or self.keytrack == 0.0:
            return self.keys
        ends = [self.keycenter + (side - self.cents) / self.keytrack for side in (-MAX_CENTS, MAX_CENTS)]
        low, high = max(self.keys[0], math.ceil(min(ends))), min(self.keys[1], math.floor(max(ends)))
        return (low, high) if low <= high else self.keys

    @property
    def plays_to_its_end(self) -> bool:
        """Whether letting the key go is not heard."""
        return self.loop_mode == "one_shot" or self.count > 0

    def gain_of(self, pitch: int, velocity: int) -> float:
        """The gain of a note: volume, pan, `amp_veltrack`, `amp_velcurve_N` and crossfades between layers."""
        gain = self.gain * self._velocity_gain(velocity)
        for fade in self.fades:
            gain *= fade.gain(pitch if fade.by_key else velocity)
        return gain

    def _velocity_gain(self, velocity: int) -> float:
        curve = (
            _interpolated(self.velocity_curve, velocity) if self.velocity_curve else (velocity / 127.0) ** 2
        )
        return 1.0 + self.veltrack * (curve - 1.0) if self.veltrack >= 0 else 1.0 + self.veltrack * curve


def region_of(values: Values, sample: Path | str, controllers: Mapping[int, float]) -> Region:
    """The region that inherited opcodes make. `controllers` are the values (0…127) that <control> sets.

    Raises BadValue if the values contradict each other, NotPlayed if a controller or a key is missing for it to sound.
    """
    controllers = {**CONTROLLER_DEFAULTS, **controllers}
    values = modulated(values, controllers)
    gain = controller_gain(values, controllers)
    end = stated(values, "end")
    if end == -1:
        raise NotPlayed("are switched off by end=-1")
    keycenter = values.get("pitch_keycenter", float(MIDDLE_C))
    loop_start, loop_end = stated(values, "loop_start"), stated(values, "loop_end")
    mode = values.get("loop_mode")
    velocities = _pair(values, "lovel", "hivel", (0, 127))
    position, length = int(get(values, "seq_position", 1)), int(get(values, "seq_length", 1))
    if position > length:
        raise BadValue(f"seq_position={position} is above seq_length={length}")
    return Region(
        sample=sample,
        keys=_keys(values),
        velocities=(math.ceil(velocities[0]), math.floor(velocities[1])),
        keycenter=None if isinstance(keycenter, str) else keycenter,
        keytrack=get(values, "pitch_keytrack", 100.0),
        cents=100.0 * get(values, "transpose", 0.0) + sum(_levels(values, "tune", 0.0)),
        gain=gain * _loudness(values),
        veltrack=max(-1.0, min(1.0, get(values, "amp_veltrack", 100.0) / 100.0)),
        velocity_curve=_velocity_curve(values),
        start=int(get(values, "offset", 0)),
        end=None if not end else int(end) + 1,
        count=int(get(values, "count", 0)),
        loop_mode=None if mode is None else str(mode),
        loop_start=None if loop_start is None else int(loop_start),
        loop_end=None if loop_end is None else int(loop_end) + 1,
        delay_seconds=get(values, "delay", 0.0),
        envelope=_envelope(values),
        fades=tuple(_fades(values)),
        sequence=(position, length),
        random=_pair(values, "lorand", "hirand", (0.0, 1.0)),
        filter=_filter(values),
    )


def _pair(values: Values, low: str, high: str, default: tuple[float, float]) -> tuple[float, float]:
    pair = get(values, low, default[0]), get(values, high, default[1])
    if pair[0] > pair[1]:
        raise BadValue(f"{low}={pair[0]:g} is above {high}={pair[1]:g}")
    return pair


def _levels(values: Values, name: str, default: float) -> Iterator[float]:
    """The values of an opcode and of its twins that add up over the levels: `tune`, `group_tune`, …"""
    return (get(values, prefix + name, default) for prefix in ("", "group_", "master_", "global_"))


def _keys(values: Values) -> tuple[int, int]:
    low, high = get(values, "lokey", 0), get(values, "hikey", 127)
    if high < 0:
        raise NotPlayed("answer no key")
    low, high = _pair(values, "lokey", "hikey", (0, 127))
    return max(0, math.ceil(low)), math.floor(high)


def _fades(values: Values) -> Iterator[Fade]:
    for kind in ("xfin", "xfout"):
        for what, curve in (("key", "xf_keycurve"), ("vel", "xf_velcurve")):
            low, high = stated(values, f"{kind}_lo{what}"), stated(values, f"{kind}_hi{what}")
            if low is not None or high is not None:
                bounds = fade_bounds(kind, low, high)
                yield Fade(what == "key", kind == "xfin", *bounds, values.get(curve, "power") == "power")


def _loudness(values: Values) -> float:
    """The gain of volume, amplitude and pan; pan is heard as the mean of both channels of equal power."""
    decibels = sum(_levels(values, "volume", 0.0)) + get(values, "gain", 0.0)
    amplitude = math.prod(percent / 100.0 for percent in _levels(values, "amplitude", 100.0))
    angle = (max(-100.0, min(100.0, get(values, "pan", 0.0))) + 100.0) / 200.0 * math.pi / 2.0
    gain = 10.0 ** (min(decibels, 1000.0) / 20.0) * amplitude
    if gain > MAX_GAIN:
        raise BadValue(f"volume and amplitude make it {gain:.3g} times as loud, above {MAX_GAIN:g}")
    return gain * (math.cos(angle) + math.sin(angle)) / math.sqrt(2.0)


def _envelope(values: Values) -> Envelope:
    sustain = max(0.0, min(1.0, get(values, "ampeg_sustain", 100.0) / 100.0))
    stages = ("delay", "attack", "hold", "decay", "release")
    delay, attack, hold, decay, release = (get(values, f"ampeg_{stage}", 0.0) for stage in stages)
    return _same_envelope(delay, attack, hold, decay, sustain, release)


@lru_cache(maxsize=1024)  # regions share most of them
def _same_envelope(*numbers: float) -> Envelope:
    return Envelope(*numbers)


def _velocity_curve(values: Values) -> tuple[tuple[float, float], ...]:
    points = {
        float(found[1]): get(values, name, 0.0)
        for name in values
        if name.startswith("amp_velcurve_") and (found := VELOCITY_POINT.fullmatch(name))
    }
    if not points:
        return ()
    return tuple(sorted({0.0: 0.0, 127.0: 1.0, **points}.items()))


def _interpolated(points: tuple[tuple[float, float], ...], at: float) -> float:
    for (x, y), (next_x, next_y) in pairwise(points):
        if at <= next_x:
            return y + (next_y - y) * (at - x) / (next_x - x)
    return points[-1][1]


def _filter(values: Values) -> Filter | None:
    """The filter, if it is one that is played: one that an envelope moves would be wrong where it rests."""
    kind, cutoff = values.get("fil_type", "lpf_2p"), get(values, "cutoff", 0.0)
    if "cutoff" not in values or kind not in FILTERS or get(values, "fileg_depth", 0.0):
        return None
    return Filter(
        kind=str(kind),
        cutoff_hz=cutoff,
        resonance_db=max(0.0, min(40.0, get(values, "resonance", 0.0))),
        keytrack=get(values, "fil_keytrack", 0.0),
        keycenter=get(values, "fil_keycenter", float(MIDDLE_C)),
        veltrack=get(values, "fil_veltrack", 0.0),
    )
