"""When an SFZ region answers a plain note, controllers, wheels and pedals standing still, and how loud they make it.

Controllers stand where <control> has set them, else where sfzformat.com says they begin; a phrase moves none of them.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from index.sources.sfz.opcodes import CONTROLLER, LIMITS, MODULATED, MODULATION, Values

CONTROLLER_DEFAULTS = {7: 100.0, 10: 64.0, 11: 127.0}  # volume, pan and expression as MIDI has them at first
RESTING = {"bend": 0.0, "chanaft": 0.0, "polyaft": 0.0, "bpm": 120.0}  # what a `lo…`/`hi…` pair looks at


class NotPlayed(Exception):
    """A region that is sound, but not for a plain note; the message says for what."""


@dataclass(frozen=True, slots=True)
class Fade:
    """A gain that rises (or falls) between two keys or two velocities; below and above it stays."""

    by_key: bool
    rising: bool
    low: float
    high: float
    equal_power: bool

    def gain(self, value: float) -> float:
        share = (
            float(value >= self.high)
            if self.high <= self.low
            else (value - self.low) / (self.high - self.low)
        )
        share = min(1.0, max(0.0, share))
        linear = share if self.rising else 1.0 - share
        return math.sqrt(linear) if self.equal_power else linear


def get(values: Values, name: str, default: float) -> float:
    """The number that an opcode has, or its default."""
    value = values.get(name, default)
    assert not isinstance(value, str)
    return value


def stated(values: Values, name: str) -> float | None:
    """The number that an opcode has, None if it is not there."""
    return get(values, name, 0.0) if name in values else None


def check_trigger(values: Values) -> None:
    """Raises NotPlayed unless pressing a key starts the region."""
    trigger = values.get("trigger", "attack")
    if trigger not in ("attack", "first"):
        raise NotPlayed("answer the release of a key" if trigger != "legato" else "answer legato notes")
    if "sw_down" in values:
        raise NotPlayed("wait for a key that is held")
    for name, resting in RESTING.items():
        if not get(values, f"lo{name}", -math.inf) <= resting <= get(values, f"hi{name}", math.inf):
            raise NotPlayed("wait for a controller")


def modulated(values: Values, controllers: Mapping[int, float]) -> Values:
    """The values with what controllers at rest add to them (`…_onccN`), within the limits of each."""
    changed: Values = {}
    for name in values:
        found = MODULATION.fullmatch(name) if "cc" in name else None
        if not found or found[1] not in MODULATED:
            continue
        target, controller = found[1], found[2]
        share = controllers.get(int(controller), 0.0) / 127.0
        depth = get(values, name, 0.0) * _curved(share, get(values, f"{target}_curvecc{controller}", 0.0))
        if target.endswith("amplitude"):  # percent of what it is
            moved = get(changed, target, get(values, target, 100.0)) * depth / 100.0
        elif not depth or (target == "cutoff" and target not in values):
            continue  # nothing moves, or there is no filter to move
        else:
            moved = get(changed, target, get(values, target, MODULATED[target])) + depth
        low, high = LIMITS[target]
        changed[target] = min(high, max(low, moved))
    return {**values, **changed} if changed else values


def _curved(share: float, curve: float) -> float:
    """What the curve of this number makes of a controller at `share` of its way: ARIA's first seven; else a straight line."""
    two_ways = 2.0 * share - 1.0
    falling = 1.0 - share
    known = (share, two_ways, falling, -two_ways, share**2, math.sqrt(share), math.sqrt(falling))
    return known[int(curve)] if 0 <= curve < len(known) else share


def controller_gain(values: Values, controllers: Mapping[int, float]) -> float:
    """The gain that crossfades by controllers make. Raises NotPlayed where a condition does not hold."""
    gain = 1.0
    fades: dict[tuple[str, int], dict[str, float]] = {}
    for name in values:
        found = CONTROLLER.fullmatch(name) if "cc" in name else None
        if found is None:
            continue
        kind, bound, fine, number = found.groups()
        limit = get(values, name, 0.0) * (127.0 if fine else 1.0)
        value = controllers.get(int(number), 0.0)
        if kind in ("on", "start"):
            raise NotPlayed("answer controllers")
        if kind is None and (value < limit if bound == "lo" else value > limit):
            raise NotPlayed("wait for a controller")
        if kind is not None:
            fades.setdefault((kind, int(number)), {})[bound] = limit
    power = values.get("xf_cccurve", "power") == "power"
    for (kind, number), bounds in fades.items():
        low, high = fade_bounds(kind, bounds.get("lo"), bounds.get("hi"))
        gain *= Fade(False, kind == "xfin", low, high, power).gain(controllers.get(number, 0.0))
    return gain


def fade_bounds(kind: str, low: float | None, high: float | None) -> tuple[float, float]:
    """Both ends of a crossfade; what is not said makes none: 0 for one that rises, 127 for one that falls."""
    default = 0.0 if kind == "xfin" else 127.0
    return (default if low is None else low), (default if high is None else high)
