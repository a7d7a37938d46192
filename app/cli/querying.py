"""`showme query`: the same as POST /v1/queries, in this process and on the same data folder, without a server.

The table is for people: a row per hit, and for each instrument heard its presence over time as a sparkline. `--json` prints
the API's document.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from app.cli.context import opened_engine
from app.cli.terminal import out
from app.question import Question
from app.schemas import QueryAnswer, SlotOut

SPARKLINE_COLUMNS = (8, 48)  # at least, at most
OTHER_COLUMNS = 80  # of the table beside the sparkline
BLOCKS = "·▁▂▃▄▅▆▇█"
SLOT_STYLES = (
    *("cyan", "yellow", "magenta", "green", "blue", "red"),
    *("bright_cyan", "bright_yellow", "bright_magenta"),
)
Head = tuple[str, str, Text | str, str, str]


def query(file: Path, question: Question, *, as_json: bool) -> None:
    """Ask `question` about `file` and print the answer, which is stored as the service stores it."""
    with file.open("rb"):
        pass  # report an unreadable file before loading anything
    with opened_engine(fill_default=question.library is None) as engine:
        answer = engine.ask(file, question)
    if as_json:
        typer.echo(json.dumps(answer.model_dump(mode="json"), indent=2))
    else:
        out.print(query_table(answer, out.width))


def query_table(answer: QueryAnswer, width: int) -> Table:
    """Draw the answer as a table `width` characters wide: a row per hit, grouped by slot."""
    columns = min(max(width - OTHER_COLUMNS, SPARKLINE_COLUMNS[0]), SPARKLINE_COLUMNS[1])
    start, end = answer.range_seconds
    count, library = answer.num_instruments, answer.library
    heard = f"{count} instrument{'' if count == 1 else 's'} heard"
    about = f"{heard}, matched with {library.name} ({library.num_instruments})"
    title = f"{answer.name} · {about}"
    if len(title) > width:
        title = f"{answer.name}\n{about}"
    table = Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("#", justify="right")
    table.add_column("presence", justify="right", no_wrap=True)
    table.add_column(ruler(start, end, columns), no_wrap=True)
    table.add_column("heard", no_wrap=True)
    table.add_column("match", no_wrap=True)
    table.add_column("instrument", overflow="fold", min_width=18)
    table.add_column("family", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    for number, slot in enumerate(answer.slots):
        style = SLOT_STYLES[number % len(SLOT_STYLES)]
        drawn = Text(sparkline(slot.curve, start, end, columns), style=style)
        word = slot.match.word if slot.match else "–"  # an answer of an older version
        head: Head = (str(slot.slot), f"{slot.presence:.2f}", drawn, slot.family or "–", word)
        for cells in _hit_rows(slot):
            table.add_row(*head, *cells)
            head = ("", "", "", "", "")
        table.add_section()
    if not answer.slots:
        table.add_row("", "", "", "", "", Text("no instrument was heard in this range", style="dim"), "", "")
    return table


def _hit_rows(slot: SlotOut) -> Iterator[tuple[Text, str, str]]:
    """Yield name, family and score of each hit, after a note where none of them is a match."""
    if not slot.hits:
        yield Text("no instrument of this family", style="dim"), "", ""
        return
    if not slot.close:
        yield Text("none of yours; the nearest:", style="italic"), "", ""
    for rank, hit in enumerate(slot.hits):
        style = "dim" if not slot.close else "bold" if rank == 0 else ""
        yield Text(hit.name, style=style), hit.family or "–", f"{hit.similarity:.2f}"


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
