"""How the terminal shows a query's answer and the libraries: tables, and an activity lane of block characters.

The lane is the terminal's version of the timeline that the page draws: one column per equal part of the range.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from index.instrument_index import InstrumentInfo, LibraryInfo

LANE_COLUMNS = (16, 48)  # at least, at most
OTHER_COLUMNS = 60  # what the table needs beside the lane
BLOCKS = "·▁▂▃▄▅▆▇█"
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


def lane(active: Iterable[Sequence[float]], start: float, end: float, columns: int) -> str:
    """`columns` characters over start…end seconds; a column's height is the share of it that is active."""
    width = max(end - start, 1e-9) / columns
    segments = [(float(first), float(last)) for first, last in active]
    characters = []
    for column in range(columns):
        left = start + column * width
        covered = sum(max(0.0, min(last, left + width) - max(first, left)) for first, last in segments)
        share = min(1.0, covered / width)
        characters.append(BLOCKS[0] if share < 0.01 else BLOCKS[max(1, round(share * (len(BLOCKS) - 1)))])
    return "".join(characters)


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
    table.add_column(f"{clock(start)} … {clock(end)}", no_wrap=True)
    table.add_column("instrument", overflow="fold", min_width=18)
    table.add_column("family", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    for number, slot in enumerate(answer["slots"]):
        style = SLOT_STYLES[number % len(SLOT_STYLES)]
        drawn = Text(lane(slot["active"], start, end, columns), style=style)
        head = (str(slot["slot"]), f"{slot['presence']:.2f}", drawn)
        for rank, hit in enumerate(slot["hits"]):
            name = Text(hit["name"], style="bold" if rank == 0 else "")
            table.add_row(
                *(head if rank == 0 else ("", "", "")), name, hit["family"] or "–", f"{hit['similarity']:.2f}"
            )
        if not slot["hits"]:
            table.add_row(*head, Text("nothing in this family", style="dim"), "", "")
        table.add_section()
    if not answer["slots"]:
        table.add_row("", "", "", Text("no instrument stands out in this range", style="dim"), "", "")
    return table


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
