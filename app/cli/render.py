"""How the terminal shows a query's answer and the libraries: tables, and a sparkline lane for each instrument heard.

A lane is the terminal's version of the one that the page draws: presence over the range, one block per equal part of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from index.records import InstrumentInfo, LibraryInfo

LANE_COLUMNS = (16, 48)  # at least, at most
OTHER_COLUMNS = 72  # what the table needs beside the lane
BLOCKS = "·▁▂▃▄▅▆▇█"
Head = tuple[str, str, Text | str, str]
SLOT_STYLES = (
    "cyan",
    "yellow",
    "magenta",
    "green",
    "blue",
    "red",
    "bright_cyan",
    "bright_yellow",
    "bright_magenta",
)


def sparkline(curve: Sequence[Sequence[float]], start: float, end: float, columns: int) -> str:
    """`columns` blocks over start…end seconds, as high as the curve's presence (0 to 1) at the middle of each."""
    if not curve:
        return BLOCKS[0] * columns
    seconds, presence = zip(*curve, strict=True)
    middles = start + (np.arange(columns) + 0.5) * (end - start) / columns
    heights = np.rint(np.interp(middles, seconds, presence).clip(0, 1) * (len(BLOCKS) - 1)).astype(int)
    return "".join(BLOCKS[height] for height in heights)


def ruler(start: float, end: float, columns: int) -> str:
    """The times at the left end, in the middle and at the right end of `columns` characters."""
    left, middle, right = clock(start), clock((start + end) / 2), clock(end)
    line = f"{left}{middle:^{max(columns - len(left) - len(right), 0)}}{right}"
    return line if len(line) == columns else f"{left}{right:>{columns - len(left)}}"


def clock(seconds: float) -> str:
    """`m:ss.s`"""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


def query_table(answer: dict[str, Any], width: int) -> Table:
    """The answer of POST /v1/queries as a table `width` characters wide: a row per hit, grouped by slot."""
    columns = min(max(width - OTHER_COLUMNS, LANE_COLUMNS[0]), LANE_COLUMNS[1])
    start, end = answer["range_seconds"]
    count, library = answer["num_instruments"], answer["library"]
    heard = f"{count} instrument{'' if count == 1 else 's'}"
    title = f"{answer['name']} · {heard} · {library['name']} ({library['num_instruments']})"
    table = Table(
        title=Text(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("#", justify="right")
    table.add_column("presence", justify="right", no_wrap=True)
    table.add_column(ruler(start, end, columns), no_wrap=True)
    table.add_column("heard", no_wrap=True)
    table.add_column("instrument", overflow="fold", min_width=18)
    table.add_column("family", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    for number, slot in enumerate(answer["slots"]):
        style = SLOT_STYLES[number % len(SLOT_STYLES)]
        drawn = Text(sparkline(slot["curve"], start, end, columns), style=style)
        head: Head = (str(slot["slot"]), f"{slot['presence']:.2f}", drawn, slot["family"] or "–")
        for cells in _hit_rows(slot):
            table.add_row(*head, *cells)
            head = ("", "", "", "")
        table.add_section()
    if not answer["slots"]:
        table.add_row("", "", "", "", Text("no instrument stands out in this range", style="dim"), "", "")
    return table


def _hit_rows(slot: dict[str, Any]) -> Iterator[tuple[Text, str, str]]:
    """Name, family and score of each hit, after a word where none of them is to be believed."""
    if not slot["hits"]:
        yield Text("nothing in this family", style="dim"), "", ""
        return
    if not slot["close"]:
        yield Text("nothing in this library is close; the nearest:", style="italic"), "", ""
    for rank, hit in enumerate(slot["hits"]):
        style = "dim" if not slot["close"] else "bold" if rank == 0 else ""
        yield Text(hit["name"], style=style), hit["family"] or "–", f"{hit['similarity']:.2f}"


def library_table(libraries: Iterable[LibraryInfo]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("library", "id", "instruments", "created"):
        table.add_column(column, justify="right" if column == "instruments" else "left", overflow="fold")
    for library in libraries:
        created = f"{library.created_at:%Y-%m-%d %H:%M}"
        table.add_row(Text(library.name, style="bold"), library.id, str(library.num_instruments), created)
    return table


def instrument_table(instruments: Iterable[InstrumentInfo]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("instrument", "family", "id", "clips", "source"):
        table.add_column(column, justify="right" if column == "clips" else "left", overflow="fold")
    for item in instruments:
        row = (item.family or "–", item.id, str(item.num_clips), Text(item.source))
        table.add_row(Text(item.name, style="bold"), *row)
    return table
