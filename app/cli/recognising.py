"""`showme recognise`: the families of instruments in recordings, without any library or data folder."""

import json
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from app.cli.answer_table import GAP, TIMELINE_WIDTHS, ruler, sparkline
from app.cli.context import read_settings
from app.cli.terminal import USER_ERROR, out, print_error, print_table
from app.export.tables import spans_text
from app.heard_families import RecognitionOut, recognition_of
from app.question import AskedRange
from models.audio import decode
from models.encoder_pair import EncoderPair
from models.errors import AudioError

WORDS_WIDTH = 30  # characters of the columns beside the timeline


def recognise(files: Sequence[Path], asked: AskedRange, *, as_json: bool) -> int:
    """Recognise each file, print the results, and return the exit code.

    Of several files, one that is not usable audio does not stop the others.
    """
    for file in files:
        with file.open("rb"):
            pass  # report an unreadable file before loading anything
    settings = read_settings()
    pair = EncoderPair.load(settings.weights_dir, settings.device)
    found: list[RecognitionOut] = []
    for file in files:
        try:
            decoded = decode(
                file,
                sample_rate=pair.sample_rate,
                start_seconds=asked.start_seconds,
                end_seconds=asked.end_seconds,
                max_seconds=settings.max_decoded_seconds,
                name=file.name,
            )
            found.append(recognition_of(pair, decoded, file.name))
        except AudioError as error:
            if len(files) == 1:
                raise
            print_error(error.sentence)
            continue
        if not as_json:
            out.print(Text(found[-1].name, style="bold"), soft_wrap=True)
            print_table(_table(found[-1]))
    if as_json:
        documents = [one.model_dump(mode="json") for one in found]
        typer.echo(json.dumps(documents[0] if len(files) == 1 else documents, indent=2))
    return USER_ERROR if len(found) < len(files) else 0


def _table(found: RecognitionOut) -> Table:
    """A row for each family: its probability, and when it plays, drawn for a terminal and in seconds without one."""
    start, end = found.range_seconds
    columns = min(max(out.width - WORDS_WIDTH, TIMELINE_WIDTHS[0]), TIMELINE_WIDTHS[1])
    drawn = out.is_terminal
    table = Table(box=SIMPLE_HEAD if drawn else None, pad_edge=False, padding=(0, GAP, 0, 0))
    table.add_column("family", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column(ruler(start, end, columns) if drawn else "active", no_wrap=True)
    for one in found.families:
        when = sparkline(one.curve, start, end, columns) if drawn else spans_text(one.active)
        table.add_row(one.family, f"{one.probability:.2f}", when)
    return table
