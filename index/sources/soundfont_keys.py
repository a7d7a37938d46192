"""Finds the keys of each preset of a SoundFont that play a sample, where preset zones and instrument zones overlap.

Follows the SoundFont 2.04 specification, sections 7.3, 7.7 and 8.5 (generator 43, global zones), for all presets at once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from index.sources.soundfont_file import Preset, SoundFontFile, Tables

GENERATOR_INSTRUMENT, GENERATOR_KEY_RANGE, GENERATOR_SAMPLE = 41, 43, 53
LOWEST_KEY, HIGHEST_KEY = 0, 127

Integers = NDArray[np.int64]


class _Zones(NamedTuple):
    """The zones of one level that play something, ordered by owner, with global zones applied."""

    first: Integers  # [owners + 1]: owner o has zones first[o]:first[o + 1]
    low: Integers  # [zones] keys
    high: Integers  # [zones]
    plays: Integers  # [zones] number of the instrument or sample


def key_ranges(font: SoundFontFile) -> dict[Preset, tuple[int, int]]:
    """Return the lowest and highest key of each preset (0…127), without presets that play no sample."""
    headers = font.tables[b"phdr"][:-1]
    presets = _zones(font.tables, b"phdr", b"pbag", b"pgen", GENERATOR_INSTRUMENT)
    instruments = _zones(font.tables, b"inst", b"ibag", b"igen", GENERATOR_SAMPLE)
    counts = np.diff(instruments.first)[presets.plays]  # [preset zones]: zones of the instrument it plays
    ends = np.cumsum(counts)
    outer = np.repeat(np.arange(len(counts)), counts)  # [pairs] of a preset zone and a zone inside it
    inner = np.arange(len(outer)) + np.repeat(instruments.first[presets.plays] - ends + counts, counts)
    low = np.maximum(presets.low[outer], instruments.low[inner])
    high = np.minimum(presets.high[outer], instruments.high[inner])
    owner = np.repeat(np.arange(len(headers)), np.diff(presets.first))[outer]
    sounds = low <= high
    lowest, highest = np.full(len(headers), HIGHEST_KEY + 1), np.full(len(headers), -1)
    np.minimum.at(lowest, owner[sounds], low[sounds])
    np.maximum.at(highest, owner[sounds], high[sounds])
    rows: dict[tuple[int, int], int] = {}
    for row, (bank, program) in enumerate(
        zip(headers["bank"].tolist(), headers["program"].tolist(), strict=True)
    ):
        rows.setdefault(
            (bank, program), row
        )  # the first of several presets of one number wins, as everywhere
    return {
        preset: (int(lowest[row]), int(highest[row]))
        for preset in font.presets
        if highest[row := rows[preset.bank, preset.program]] >= 0
    }


def _zones(tables: Tables, owners: bytes, bags: bytes, generators: bytes, terminal: int) -> _Zones:
    """Read the zones of a level. Generator `terminal` names what a zone plays; an owner's global first zone lacks it."""
    first = tables[owners]["first"].astype(np.int64)
    bounds = tables[bags]["first"].astype(np.int64)
    num_zones = len(bounds) - 1
    zone = np.repeat(np.arange(num_zones), np.diff(bounds))  # of each generator
    operator = tables[generators]["operator"][bounds[0] : bounds[-1]]
    amount = tables[generators]["amount"][bounds[0] : bounds[-1]].astype(np.int64)
    low, high, plays = np.full(num_zones, -1), np.full(num_zones, -1), np.full(num_zones, -1)
    is_keys, is_terminal = operator == GENERATOR_KEY_RANGE, operator == terminal
    low[zone[is_keys]], high[zone[is_keys]] = amount[is_keys] & 0xFF, amount[is_keys] >> 8
    plays[zone[is_terminal]] = amount[is_terminal]

    sizes = np.diff(first)  # [owners]
    owned = slice(first[0], first[-1])
    global_low, global_high = np.full(len(sizes), LOWEST_KEY), np.full(len(sizes), HIGHEST_KEY)
    filled = np.flatnonzero(sizes)
    filled = filled[(plays[first[filled]] < 0) & (low[first[filled]] >= 0)]
    global_low[filled], global_high[filled] = low[first[filled]], high[first[filled]]
    owner = np.repeat(np.arange(len(sizes)), sizes)
    low = np.where(low[owned] < 0, global_low[owner], low[owned])
    high = np.where(high[owned] < 0, global_high[owner], high[owned])
    used = plays[owned] >= 0
    ends = np.concatenate([[0], np.cumsum(np.bincount(owner[used], minlength=len(sizes)))])
    return _Zones(ends, low[used], np.minimum(high[used], HIGHEST_KEY), plays[owned][used])
