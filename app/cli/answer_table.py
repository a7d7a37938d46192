"""The table of an answer in a terminal: a row per hit, and for each instrument heard its presence over time as a sparkline.

A narrow terminal gets fewer columns, the timeline being the first to go. Without a terminal the table is complete: every row
says all that it is about, as wide as that is.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from app.export.tables import spans_text
from app.schemas import QueryAnswer, SlotOut

TIMELINE, NAME = "timeline", "instrument"
COLUMNS = ("#", "presence", TIMELINE, "heard", "match", NAME, "family", "score")
PLAIN_COLUMNS = ("#", "presence", "active", "heard", "match", NAME, "family", "score")
FIRST_TO_GO = (
    "presence",
    "family",
    "heard",
    "match",
    "#",
)  # where even the table without a timeline is too wide
TIMELINE_WIDTHS = (12, 48)  # at least, at most
NAME_WIDTHS = (16, 32)  # at least; at most, beside a timeline; longer names are folded
GAP = 2  # characters between columns
NUMBERS = ("#", "presence", "score")
BLOCKS = "·▁▂▃▄▅▆▇█"
SLOT_STYLES = (
    *("cyan", "yellow", "magenta", "green", "blue", "red"),
    *("bright_cyan", "bright_yellow", "bright_magenta"),
)
Row = Mapping[str, Text]


def query_table(answer: QueryAnswer, width: int) -> Table:
    """Draw the answer for a terminal `width` characters wide, with the columns that fit: a row per hit, grouped by slot."""
    groups = [list(_hit_rows(slot)) for slot in answer.slots] or [[_nothing_heard()]]
    names, timeline, name_width = _layout([row for group in groups for row in group], width)
    start, end = answer.range_seconds
    table = Table(
        title=_title(answer, width),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for name in names:
        if name == NAME:
            table.add_column(name, overflow="fold", width=name_width)
        else:
            header = ruler(start, end, timeline) if name == TIMELINE else name
            table.add_column(header, justify="right" if name in NUMBERS else "left", no_wrap=True)
    for number, group in enumerate(groups):
        for rank, row in enumerate(group):
            cells = dict(row)
            if rank:
                cells |= dict.fromkeys(("#", "presence", "heard", "match"), Text())
            elif answer.slots:
                drawn = sparkline(answer.slots[number].curve, start, end, timeline)
                cells[TIMELINE] = Text(drawn, style=SLOT_STYLES[number % len(SLOT_STYLES)])
            table.add_row(*(cells.get(name, "") for name in names))
        table.add_section()
    return table


def plain_table(answer: QueryAnswer) -> Table:
    """Write the answer for a pipe or a file: a row per hit, with all that is known of its slot, under one line of headings."""
    table = Table(
        title=_title(answer), title_justify="left", box=None, pad_edge=False, padding=(0, GAP, 0, 0)
    )
    for name in PLAIN_COLUMNS:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=True)
    for slot in answer.slots:
        active = Text(spans_text(slot.active))
        for row in _hit_rows(slot, notes=False):
            table.add_row(*((row | {"active": active})[name] for name in PLAIN_COLUMNS))
    if not answer.slots:
        table.add_row(*(_nothing_heard().get(name, "") for name in PLAIN_COLUMNS))
    return table


def _title(answer: QueryAnswer, width: int | None = None) -> Text:
    """Return the heading, on two lines if one is wider than `width`."""
    count, library = answer.num_instruments, answer.library
    heard = f"{count} instrument{'' if count == 1 else 's'} heard"
    about = f"{heard}, matched with {library.name} ({library.num_instruments})"
    title = f"{answer.name} · {about}"
    return Text(f"{answer.name}\n{about}" if width is not None and cell_len(title) > width else title)


def _hit_rows(slot: SlotOut, *, notes: bool = True) -> Iterator[dict[str, Text]]:
    """Yield the cells of each hit, with `notes` after one that says that none of them is a match."""
    about = {
        "#": Text(str(slot.slot)),
        "presence": Text(f"{slot.presence:.2f}"),
        "heard": Text(slot.family or "–"),
        "match": Text(slot.match.word if slot.match else "–"),  # an answer of an older version has none
        "family": Text(),
        "score": Text(),
    }
    if not slot.hits:
        yield about | {NAME: Text("no instrument of this family", style="dim")}
        return
    if notes and not slot.close:
        yield about | {NAME: Text("none of yours; the nearest:", style="italic")}
    for rank, hit in enumerate(slot.hits):
        style = "dim" if not slot.close else "bold" if rank == 0 else ""
        score = Text(f"{hit.similarity:.2f}")
        yield about | {NAME: Text(hit.name, style=style), "family": Text(hit.family or "–"), "score": score}


def _nothing_heard() -> dict[str, Text]:
    return {NAME: Text("no instrument was heard in this range", style="dim")}


def _layout(rows: Collection[Row], width: int) -> tuple[list[str], int, int]:
    """Choose the columns that fit into `width` characters: their names, the timeline's width and the names' width.

    The timeline takes what whole names leave, and goes if that is too little; names are folded before other columns go.
    """
    wide = {
        name: max([len(name), *(cell_len(row[name].plain) for row in rows if name in row)])
        for name in COLUMNS
    }
    names = [name for name in COLUMNS if name != TIMELINE]
    least, most = NAME_WIDTHS

    def left() -> int:  # for the names
        return width - sum(wide[name] + GAP for name in names if name != NAME) - GAP

    for name in FIRST_TO_GO:
        if left() < min(wide[NAME], least):
            names.remove(name)
    room = left()
    timeline = min(room - GAP - min(wide[NAME], most), TIMELINE_WIDTHS[1])
    if "presence" in names and timeline >= TIMELINE_WIDTHS[0]:
        names.insert(names.index("presence") + 1, TIMELINE)
        return names, timeline, min(wide[NAME], room - GAP - timeline)
    return names, 0, max(min(wide[NAME], room), 1)


def sparkline(curve: Sequence[tuple[float, float]], start: float, end: float, columns: int) -> str:
    """Draw `columns` blocks over start…end seconds, as high as the curve's presence (0 to 1) at the middle of each."""
    if not curve:
        return BLOCKS[0] * columns
    seconds, presence = zip(*curve, strict=True)
    middles = start + (np.arange(columns) + 0.5) * (end - start) / columns
    heights = np.rint(np.interp(middles, seconds, presence).clip(0, 1) * (len(BLOCKS) - 1)).astype(int)
    return "".join(BLOCKS[height] for height in heights)


def ruler(start: float, end: float, columns: int) -> str:
    """Write the times at the left end, in the middle and at the right end of `columns` characters."""
    left, middle, right = clock(start), clock((start + end) / 2), clock(end)
    line = f"{left}{middle:^{max(columns - len(left) - len(right), 0)}}{right}"
    if len(line) == columns:
        return line
    return f"{left}{right:>{columns - len(left)}}" if columns > len(left + right) else f"{left}–{right}"


def clock(seconds: float) -> str:
    """Format seconds as `m:ss.s`."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
