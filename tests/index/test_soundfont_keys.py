"""Key ranges of presets against a slow reference that walks the tables as the specification describes."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from index.sources.soundfont_file import _TABLES, Preset, SoundFontFile
from index.sources.soundfont_keys import key_ranges


class Zone(NamedTuple):
    """A zone with its keys (None: not stated) and the item that it plays (None: a global zone)."""

    keys: tuple[int, int] | None
    plays: int | None


def zones(number: int) -> st.SearchStrategy[list[Zone]]:
    """Generate zones that play one of `number` items, with or without a global zone before them."""
    keys = st.none() | st.tuples(st.integers(0, 127), st.integers(0, 127))
    playing = st.builds(Zone, keys, st.integers(0, number - 1))
    return st.builds(
        lambda first, rest: [*first, *rest],
        st.lists(st.builds(Zone, keys, st.none()), max_size=1),
        st.lists(playing, max_size=3),
    )


def font(presets: list[list[Zone]], instruments: list[list[Zone]]) -> SoundFontFile:
    tables = {}
    for owner, bag, generator, terminal, owned in (
        (b"phdr", b"pbag", b"pgen", 41, presets),
        (b"inst", b"ibag", b"igen", 53, instruments),
    ):
        flat = [zone for zones_of_one in owned for zone in zones_of_one]
        generators = [_generators(zone, terminal) for zone in flat]
        tables[owner] = np.zeros(len(owned) + 1, _TABLES[owner])
        tables[owner]["first"] = np.cumsum([0, *map(len, owned)])
        tables[bag] = np.zeros(len(flat) + 1, _TABLES[bag])
        tables[bag]["first"] = np.cumsum([0, *map(len, generators)])
        rows = [row for rows_of_one in generators for row in rows_of_one]
        tables[generator] = np.array([*rows, (0, 0)], _TABLES[generator])
    tables[b"phdr"]["program"] = np.arange(len(presets) + 1)
    found = tuple(Preset(0, program, "") for program in range(len(presets)))
    return SoundFontFile(Path("made.sf2"), found, tables, 0, False)


def _generators(zone: Zone, terminal: int) -> list[tuple[int, int]]:
    keys = [] if zone.keys is None else [(43, zone.keys[0] | zone.keys[1] << 8)]
    return [*keys, (17, 5), *([] if zone.plays is None else [(terminal, zone.plays)])]


def with_global(owned: list[Zone]) -> list[tuple[range, int]]:
    """Return (keys, item) of each zone that plays an item."""
    default = owned[0].keys if owned and owned[0].plays is None else None
    found = []
    for zone in owned:
        low, high = zone.keys or default or (0, 127)
        if zone.plays is not None:
            found.append((range(low, high + 1), zone.plays))
    return found


@given(st.data())
def test_key_ranges_equal_a_walk_through_the_zones(data: st.DataObject) -> None:
    instruments = data.draw(st.lists(zones(4), min_size=1, max_size=3))
    presets = data.draw(st.lists(zones(len(instruments)), min_size=1, max_size=4))
    expected = {}
    for program, owned in enumerate(presets):
        keys = [
            key
            for outer, instrument in with_global(owned)
            for inner, _ in with_global(instruments[instrument])
            for key in range(max(outer.start, inner.start), min(outer.stop, inner.stop))
        ]
        if keys:
            expected[Preset(0, program, "")] = (min(keys), max(keys))
    assert key_ranges(font(presets, instruments)) == expected
