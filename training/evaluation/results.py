"""Writes docs/RESULTS.md from the reports of `showme evaluate`: every table, rows of several encoders beside each other.

python -m training.evaluation.results JSON… --out docs/RESULTS.md
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from models.atomic import write_atomically
from training.commands import cli_errors
from training.evaluation.report import COLUMNS, Report, Table, cell, read_report

HEAD = """# Results

Written by `make evaluate`; nothing here is typed by hand. Every instrument was held out: none was heard in training. Brackets
bound 95 % of bootstrap resamples (of mixtures; of instruments for error rates).

- *served*, *any slot*: the ranking, the set that is named and the lanes that `POST /v1/queries` answers, by the same functions
  (`index/retrieval.py`). Older reports call a row *posterior*: the same ranking, with as many named as presence sums to.
- *paper*: instruments are ranked by the highest cosine over slots, as published, and each slot retrieves its nearest.
- *own slot*: each stem's instrument is ranked by the slot that is matched with it, one to one.
- *lanes*: an instrument that two lanes name is found once, and the second lane is not right; the count error is of lanes.
- *not in library*: a random half of each mixture's instruments is taken out of the library it meets, and the AUROC says how
  well the highest cosine of a stem's own slot tells stems whose instrument is there from stems whose instrument was taken out.
"""
LEFT_TO_PLOTS = ("confusion",)

Named = tuple[str, Table]  # a report's name, one of its tables


def page(reports: Sequence[Report], plots: Path | None, out: Path) -> str:
    """The whole page; `plots` is the folder of PNG files, linked from where `out` lies."""
    lines = [HEAD, *_measured_with(reports)]
    together: dict[tuple[str, str, str], list[Named]] = {}
    for report in reports:
        for table in report.tables:
            together.setdefault((table.split, table.protocol, table.kind), []).append((report.name, table))
    by_split: dict[str, list[list[Named]]] = {}
    for (split, _, kind), found in together.items():
        if kind not in LEFT_TO_PLOTS:
            by_split.setdefault(split, []).append(found)
    for split, groups in by_split.items():
        lines += [f"\n## {split}\n", *(line for found in groups for line in _table(found))]
        lines += _pictures(split, plots, out)
    return "\n".join(lines).rstrip() + "\n"


def _measured_with(reports: Sequence[Report]) -> list[str]:
    lines = [
        "| encoders | sha256 of single, of multi | multiply-adds a window | command | on |",
        "|---|---|---|---|---|",
    ]
    for report in reports:
        hashes = ", ".join(f"`{text.removeprefix('sha256:')[:16]}`" for text in (report.single, report.multi))
        cost = f"{report.multiply_adds / 1e9:.2f} G"
        lines.append(f"| {report.name} | {hashes} | {cost} | `{report.command}` | {report.machine} |")
    return lines


def _table(found: Sequence[Named]) -> list[str]:
    """One Markdown table of all reports' rows; their names are a column where there are several, chance stands once."""
    first = found[0][1]
    several = len(found) > 1
    columns = tuple({name: None for _, table in found for name in table.columns})
    lines = [f"\n### {first.protocol}: {first.title}\n"]
    if columns:
        head = ["", *(["encoders"] if several else []), *(COLUMNS.get(name, name) for name in columns)]
        lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for number, (name, table) in enumerate(found):
        for row in table.rows:
            if row.is_chance and number:
                continue
            who = ["" if row.is_chance else name] if several else []
            lines.append(
                f"| {' | '.join([row.name, *who, *(cell(row.figures.get(key)) for key in columns)])} |"
            )
    notes = {note: None for _, table in found for note in table.notes}
    return lines + ([""] if columns else []) + [f"- {note}" for note in notes]


def _pictures(split: str, plots: Path | None, out: Path) -> list[str]:
    if plots is None:
        return []
    found = sorted(path for kind in ("png", "jpg") for path in plots.glob(f"*-{split}.{kind}"))
    return ["", *(f"![{path.stem}]({Path(os.path.relpath(path, out.parent)).as_posix()})" for path in found)]


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("reports", type=Path, nargs="+", metavar="JSON")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="where showme evaluate drew")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    text = page([read_report(path) for path in options.reports], options.plots, options.out)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, text.encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
