"""Reports of an evaluation: tables of figures with intervals, stored as JSON and printed to the terminal.

The tables follow Kim et al. 2022, Table 2: one row per method, and a row for chance.
"""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table as RichTable

from models.atomic import write_atomically
from models.errors import TrainingError
from training.evaluation.bootstrap import Estimate

COLUMNS = {
    "family_f1_macro": "family F1 macro",
    "family_f1_weighted": "family F1 wgt.",
    "instrument_f1_macro": "instr. F1 macro",
    "instrument_f1_weighted": "instr. F1 wgt.",
    "map_macro": "mAP macro",
    "map_weighted": "mAP wgt.",
    "recall_any_1": "R@1 any slot",
    "recall_any_5": "R@5 any slot",
    "recall_any_10": "R@10 any slot",
    "recall_own_1": "R@1 own slot",
    "recall_own_5": "R@5 own slot",
    "recall_own_10": "R@10 own slot",
    "ranked_10": "in top ten",
    "set_f1": "set F1",
    "count_error": "count error",
    "absence_auroc": "AUROC not in library",
    "reach_auroc": "AUROC within reach",
    "right_auroc": "AUROC first hit plays",
    "brier": "Brier score",
    "calibration_error": "calibration error",
    "word_share": "share of lanes",
    "word_owned": "in the library",
    "word_right": "first hit plays",
    "given_1": "top-1, family given",
    "given_5": "top-5, family given",
    "open_1": "top-1, own slot",
    "open_5": "top-5, own slot",
    "open_any_5": "top-5, any slot",
    "lane_1": "found first",
    "lane_5": "found in top five",
    "lane_right": "lanes right",
    "family_first": "first hit's family",
    "family_five": "family in five",
    "lane_family": "main lane's family",
    "lanes": "lanes",
    "family_recall": "families found",
    "lane_precision": "lanes of a playing family",
    "families_right": "told right",
    "lane_once": "each family once",
    "family_recall_chance": "found by chance",
    "lane_precision_chance": "playing by chance",
    "instrument_1": "R@1",
    "instrument_5": "R@5",
    "lane_5_chance": "in five by chance",
    "lane_right_5": "lanes right in five",
    "presence": "presence",
    "match_probability": "match",
    "eer": "EER",
    "eer_pooled": "EER pooled",
    "precision_macro": "precision macro",
    "recall_macro": "recall macro",
    "f1_macro": "F1 macro",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "f1_network": "F1, solo network",
    "lane_db": "the lane, dB",
    "rest_db": "the mixture without it, dB",
    "instruments": "instruments",
    "deviation": "deviation",
    "seeds": "seeds",
    "width": "extractor's width",
    "published": "published",
    "top1": "top-1",
    "top5": "top-5",
}


@dataclass(frozen=True)
class ReportRow:
    """The figures of one method or condition; `is_chance` marks the chance level."""

    name: str
    figures: Mapping[str, Estimate]
    is_chance: bool = False


@dataclass(frozen=True)
class Table:
    """One table of a protocol on a split. Plots and pages find it by `kind`; `notes` state how it was measured."""

    protocol: str
    split: str
    kind: str
    title: str
    notes: tuple[str, ...]
    rows: tuple[ReportRow, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all figures that occur in a row, in order of appearance."""
        return tuple({name: None for row in self.rows for name in row.figures})


@dataclass(frozen=True)
class Report:
    """All tables of one run, with the name of the weights' folder and the hashes of both weight files.

    `multiply_adds` is the cost of the multi encoder for a window of five seconds.
    """

    name: str
    single: str
    multi: str
    multiply_adds: int
    machine: str
    command: str
    tables: tuple[Table, ...]


def cell(figure: Estimate | None) -> str:
    """Format an estimate, as in `.694 (.671–.713)`; values above one keep two decimals."""
    if figure is None:
        return ""
    return _short(figure.value) + (
        f" ({_short(figure.low)}–{_short(figure.high)})"
        if figure.low is not None and figure.high is not None
        else ""
    )


def _short(value: float) -> str:
    return f"{value:.2f}" if value >= 1.005 else f"{value:.3f}".removeprefix("0")


def print_table(table: Table, console: Console) -> None:
    """Print the table with its notes below."""
    shown = RichTable(
        title=f"{table.protocol} · {table.split} · {table.title}", title_justify="left", title_style="bold"
    )
    shown.add_column("")
    for name in table.columns:
        shown.add_column(COLUMNS.get(name, name), justify="right", overflow="fold")
    for row in table.rows:
        cells = (cell(row.figures.get(name)).replace(" (", "\n(") for name in table.columns)
        shown.add_row(row.name, *cells, style="dim" if row.is_chance else None)
    if table.rows:
        console.print(shown)
    else:
        console.print(shown.title, style="bold")
    for note in table.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def write_report(path: Path, report: Report) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(asdict(report), indent=1) + "\n").encode())


def describe_machine(device: str) -> str:
    """Return the operating system, core count, torch version and device of this run."""
    cores = f"{os.cpu_count()} cores"
    return f"{platform.system()} {platform.machine()}, {cores}, torch {torch.__version__} on {device}"


def command_line(argv: Sequence[str]) -> str:
    """Return the command as typed, with absolute paths shortened to their last component."""
    return " ".join(
        ["showme evaluate", *(Path(word).name if Path(word).is_absolute() else word for word in argv)]
    )


def read_report(path: Path) -> Report:
    """Read a report. Raises TrainingError if the file is missing or holds no report."""
    try:
        raw = json.loads(path.read_text())
        return Report(**raw | {"tables": tuple(_table(row) for row in raw["tables"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(
            f"{path} holds no report of showme evaluate: {error!r}", value=str(path)
        ) from error


def _table(raw: dict[str, Any]) -> Table:
    rows = tuple(
        ReportRow(
            row["name"],
            {name: Estimate(**figure) for name, figure in row["figures"].items()},
            row["is_chance"],
        )
        for row in raw["rows"]
    )
    return Table(**raw | {"notes": tuple(raw["notes"]), "rows": rows})
