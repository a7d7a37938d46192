"""A measured number with its target, and a list of them as a table or as JSON."""

import json
from dataclasses import asdict, dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table


class NotMeasured(Exception):
    """The measured process failed; the message holds the end of its output."""


@dataclass(frozen=True)
class Target:
    """A limit, and the side of it on which a measured value should lie."""

    value: float
    side: Literal["at most", "at least"] = "at most"

    def met_by(self, value: float) -> bool:
        return value <= self.value if self.side == "at most" else value >= self.value


@dataclass(frozen=True)
class Measurement:
    """One measured number; `detail` adds conditions and secondary numbers, `target` is None if none is set."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    detail: str = ""

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "met" if self.target.met_by(self.value) else "missed"


def show_table(figures: list[Measurement], machine: dict[str, str], console: Console) -> None:
    """Print the machine, then one row per measurement."""
    for key, value in machine.items():
        console.print(f"[bold]{key:<8}[/] {value}", highlight=False)
    table = Table(title="speed and memory", title_justify="left")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    table.add_column("detail", style="dim")
    for figure in figures:
        target = f"{figure.target.side} {figure.target.value:g} {figure.unit}" if figure.target else "-"
        verdict = (
            f"[{'green' if figure.verdict == 'met' else 'red'}]{figure.verdict}[/]" if figure.verdict else ""
        )
        table.add_row(figure.name, f"{figure.value:.4g} {figure.unit}", target, verdict, figure.detail)
    console.print(table)


def as_json(figures: list[Measurement], machine: dict[str, str]) -> str:
    """The machine and the measurements with their verdicts, as a JSON document."""
    rows = [asdict(figure) | {"verdict": figure.verdict} for figure in figures]
    return json.dumps({"machine": machine, "figures": rows}, indent=2)
