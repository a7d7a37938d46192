"""Reads an SFZ instrument into regions: headers inherit from each other, samples are found, faults are listed.

The structure follows sfzformat.com: <control> applies to everything, <region> inherits from <group>, <master> and
<global>.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from index.sources.sfz.opcodes import (
    ALIASES,
    FILTERS,
    FULL_CONTROLLER,
    MODULATION,
    MODULATION_DEFAULTS,
    BadValue,
    Value,
    Values,
    is_audible,
    read_number,
    read_opcode,
)
from index.sources.sfz.paths import SfzTree
from index.sources.sfz.region import NotPlayed, Region, check_trigger, number, optional_number, region_of
from index.sources.sfz.text import SfzHeader, SfzText
from models.errors import SourceError

MAX_REGIONS = 50_000
LEVELS = ("global", "master", "group", "region")  # from the outermost
SILENT_HEADERS = ("curve", "effect", "midi", "sample")  # skipped without a fault

_SHOWN = 5  # faults of one kind that are listed one by one
_MAX_NAMES = 1000  # unknown opcodes that are collected
_SHOWN_NAMES = 40
_FAULT = "fault"  # the key under which a bad value is inherited


@dataclass(frozen=True)
class SfzFile:
    """One parsed .sfz: its playable regions and its faults as (what, reason)."""

    path: Path
    regions: tuple[Region, ...]
    faults: tuple[tuple[str, str], ...]
    texts: tuple[Path, ...]  # the .sfz itself and its includes

    @property
    def samples(self) -> tuple[Path, ...]:
        """The files that its regions play, sorted."""
        return tuple(sorted({region.sample for region in self.regions}))

    @property
    def playable_range(self) -> tuple[int, int]:
        """The lowest and the highest key that a region answers."""
        return min(region.keys[0] for region in self.regions), max(region.keys[1] for region in self.regions)


def read_sfz(path: Path, tree: SfzTree) -> SfzFile:
    """Read `path`, whose samples and includes lie in `tree`. Decodes no audio.

    Raises SourceError for a file that cannot be read, exceeds a limit or has no playable region.
    """
    place = path.parent.resolve()
    if not place.is_relative_to(tree.root) or not path.resolve().is_relative_to(tree.root):
        raise SourceError(f"{path.name} lies outside {tree.root.name}", value=path.name, limit=tree.root.name)
    return _Reader(place / path.name, tree).read()


class _Reader:
    """Collects the regions of one file, header by header."""

    def __init__(self, path: Path, tree: SfzTree) -> None:
        self._path = path
        self._tree = tree
        self._text = SfzText(path, tree)
        self._levels: dict[str, Values] = {}
        self._inherited: Values = {}
        self._sample_prefix = ""
        self._key_shift = {"note_offset": 0, "octave_offset": 0}
        self._controllers: dict[int, float] = {}
        self._regions: list[tuple[Region, tuple[float, float] | None]] = []
        self._default_switch: float | None = None
        self._bad: list[tuple[str, str]] = []
        self._num_regions = self._num_bad = 0
        self._not_played: Counter[str] = Counter()
        self._missing: dict[str, None] = {}
        self._unknown: set[str] = set()

    def read(self) -> SfzFile:
        for header in self._text.headers():
            if header.name == "control":
                self._control(header)
            elif header.name in LEVELS:
                self._level(header)
            elif header.name not in SILENT_HEADERS:
                self._note_unknown(f"<{header.name}>")
        regions = tuple(self._of_default_articulation())
        if not regions:
            raise SourceError(
                f"{self._path.name} has no playable region: {'; '.join(self._reasons())}",
                value=self._path.name,
                limit="at least one <region> whose sample exists",
            )
        return SfzFile(self._path, regions, tuple(self._faults()), tuple(self._text.files))

    def _control(self, header: SfzHeader) -> None:
        """Apply opcodes that hold for everything below them."""
        for name, text in header.opcodes:
            controller = name.removeprefix("set_hdcc").removeprefix("set_cc")
            try:
                if name == "default_path":
                    self._sample_prefix = text
                elif name in self._key_shift:
                    self._key_shift[name] = max(-127, min(127, round(read_number(name, text))))
                elif controller != name and controller.isdecimal() and len(controller) <= 3:
                    full = FULL_CONTROLLER if name.startswith("set_hd") else 1.0
                    value = read_number(name, text) * full
                    self._controllers[int(controller)] = max(0.0, min(FULL_CONTROLLER, value))
                elif is_audible(name):
                    self._note_unknown(name)
            except BadValue as bad:
                self._note_bad(header.place, str(bad))

    def _level(self, header: SfzHeader) -> None:
        """Store the opcodes of a level for those below it, or build the region that inherits them."""
        values = self._values(header)
        if header.name == "region":
            self._region(header.place, {**self._inherited, **values})
            return
        outer = LEVELS[: LEVELS.index(header.name)]
        self._levels = {name: self._levels.get(name, {}) for name in outer} | {header.name: values}
        self._inherited = {key: value for level in self._levels.values() for key, value in level.items()}

    def _values(self, header: SfzHeader) -> Values:
        """Read the opcodes that are played. The first unreadable one becomes the fault of every heir."""
        shift = self._key_shift["note_offset"] + 12 * self._key_shift["octave_offset"]
        values: Values = {}
        for name, text in header.opcodes:
            name = ALIASES.get(name, name)
            try:
                value = self._value(name, text, shift)
            except BadValue as bad:
                values.setdefault(_FAULT, str(bad))
                continue
            if value is not None:
                values[name.replace("hdcc", "cc")] = value
        if (key := values.pop("key", None)) is not None:
            centre = {} if key == -1 else {"pitch_keycenter": key}
            values = {"lokey": key, "hikey": key, **centre, **values}
        if "sw_default" in values:
            self._default_switch = float(values["sw_default"])
        return values

    def _value(self, name: str, text: str, shift: int) -> Value | None:
        if name == "sample":
            return text if text.startswith("*") else self._sample_prefix + text
        if "hdcc" in name and read_opcode(name.replace("hdcc", "cc"), text) is not None:
            return read_number(name, text) * FULL_CONTROLLER
        if (value := read_opcode(name, text, shift)) is not None:
            if name == "fileg_depth" or (name == "fil_type" and value not in FILTERS):
                self._note_unknown(name)
            return value
        modulation = MODULATION.fullmatch(name)
        if modulation is not None and modulation[1] in MODULATION_DEFAULTS:
            return read_number(name, text)
        if is_audible(name) and (modulation is None or self._controllers.get(int(modulation[2]))):
            self._note_unknown(name)  # a controller at zero moves nothing
        return None

    def _region(self, place: str, values: Values) -> None:
        self._num_regions += 1
        self._tree.spend(opcodes=len(values))
        if self._num_regions > MAX_REGIONS:
            message = f"{self._path.name} has more than {MAX_REGIONS} regions"
            raise SourceError(message, value=self._num_regions, limit=MAX_REGIONS)
        try:
            if _FAULT in values:
                raise BadValue(str(values[_FAULT]))
            check_trigger(values)  # before the sample: one that is never played may be missing
            sample = self._sample(values)
            if sample is not None:
                self._regions.append((region_of(values, sample, self._controllers), _switch(values)))
        except NotPlayed as reason:
            self._not_played[str(reason)] += 1
        except BadValue as bad:
            self._note_bad(place, str(bad))

    def _sample(self, values: Values) -> Path | None:
        """Find the region's file; None, and noted, if it does not exist."""
        named = str(values.get("sample", ""))
        if not named:
            raise BadValue("it names no sample")
        if named.startswith("*"):
            raise NotPlayed(f"play a generated wave ({named[:40]})")
        try:
            found = self._tree.find(self._path.parent, named)
        except SourceError as outside:
            raise BadValue(outside.message) from outside
        if found is None:
            self._missing[named.replace("\\", "/")] = None
        return found

    def _of_default_articulation(self) -> Iterable[Region]:
        """Yield the regions that play before any key switch: those of sw_default, else of the lowest switch."""
        lowest = min((switch[0] for _, switch in self._regions if switch), default=0.0)
        pressed = lowest if self._default_switch is None else self._default_switch
        for region, switch in self._regions:
            if switch is None or switch[0] <= pressed <= switch[1]:
                yield region
            else:
                self._not_played["belong to other articulations"] += 1

    def _note_bad(self, place: str, reason: str) -> None:
        self._num_bad += 1
        if self._num_bad <= _SHOWN:
            self._bad.append((place, reason))

    def _note_unknown(self, name: str) -> None:
        if len(self._unknown) < _MAX_NAMES:
            self._unknown.add(name[:60])

    def _faults(self) -> Iterable[tuple[str, str]]:
        yield from self._text.faults
        yield from self._bad
        if self._num_bad > _SHOWN:
            yield "regions", f"{self._num_bad - _SHOWN} more are left out for similar reasons"
        if self._missing:
            yield "samples", self._missing_samples()
        if self._unknown:
            yield "opcodes", f"not played: {_listed(sorted(self._unknown), _SHOWN_NAMES)}"

    def _reasons(self) -> Iterable[str]:
        """Yield why no region is left, the likeliest reason first."""
        if self._missing:
            yield self._missing_samples()
        for place, reason in (*self._bad, *self._text.faults):
            yield f"{place}: {reason}"
        for reason, count in self._not_played.items():
            yield f"{count} regions {reason}"
        if not self._num_regions:
            yield "it has no <region>"

    def _missing_samples(self) -> str:
        return f"{len(self._missing)} missing: {_listed(list(self._missing), _SHOWN)}"


def _switch(values: Values) -> tuple[float, float] | None:
    """Return the lowest and the highest key switch that select a region; None if it needs none."""
    if (last := optional_number(values, "sw_last")) is not None:
        return last, last
    if "sw_lolast" in values or "sw_hilast" in values:
        return number(values, "sw_lolast", 0.0), number(values, "sw_hilast", 127.0)
    return None


def _listed(names: list[str], shown: int) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(name[-80:] for name in names[:shown]) + more
