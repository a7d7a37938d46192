"""Write docs/RESULTS.md from the reports of `showme evaluate`: all tables, with the encoders side by side.

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

`make evaluate` writes this page. All instruments were held out of training. Brackets give 95 % bootstrap intervals, over
mixtures (over instruments for error rates).

- *served*, *any slot*: the ranking, the retrieved set and the lanes that `POST /v1/queries` returns, computed by the same
  functions (`index/retrieval.py`). Older reports have a row *posterior*: the same ranking, with the set size given by the sum
  of presences.
- *paper*: the published rule. Instruments are ranked by their highest cosine over slots; each slot retrieves its nearest
  instrument.
- *own slot*: the instrument of each stem is ranked by the slot matched with the stem. The matching is one to one.
- *lanes*: if two lanes name the same instrument, it is found once and the second lane counts as wrong. The count error is of
  lanes.
- *real*: families are those of the library's instruments; a hit or a lane without one is wrong. The *main lane* is lane 0, with
  the largest sum of presence over time. *Lanes of a playing family* are all lanes whose family plays; *each family once* counts
  a second lane of a family as wrong. Intervals are over instruments, or over mixtures where several play.
- *solo*: the family of one instrument, by the network of Segal 2016 and by the linear family model. Macro averages are over the
  families that occur in the truth; intervals are over instruments.
- *attention*: which families play in a clip of ten seconds, by the head of Gururani et al. 2019 over several kinds of features,
  as Taenzer et al. 2021 compare them. Brackets are the lowest and the highest of several seeds of the head.
- *lanes right in five*: the share of lanes with an instrument that plays among their first five hits.
- *not in library*: a random half of each mixture's instruments is removed from its library. The AUROC states how well the
  highest similarity of a stem's own slot separates stems whose instrument is in the library from stems whose instrument was
  removed. The protocol `match` asks the same of the lanes that the service returns, by the probability of their match;
  *within reach*: an instrument of the library is as near to the clean stem as 90 % of stems are to their own instrument.
"""
LEFT_TO_PLOTS = ("confusion", "seeds")

NamedTable = tuple[str, Table]  # name of the report, one of its tables


def page(reports: Sequence[Report], plots: Path | None, out: Path) -> str:
    """Return the page as Markdown. Links to the pictures in the folder `plots` are relative to the page `out`."""
    lines = [HEAD, *_encoder_table(reports)]
    together: dict[tuple[str, str, str], list[NamedTable]] = {}
    for report in reports:
        for table in report.tables:
            together.setdefault((table.split, table.protocol, table.kind), []).append((report.name, table))
    by_split: dict[str, list[list[NamedTable]]] = {}
    for (split, _, kind), found in together.items():
        if kind not in LEFT_TO_PLOTS:
            by_split.setdefault(split, []).append(found)
    for split, groups in by_split.items():
        lines += [f"\n## {split}\n", *(line for found in groups for line in _table(found))]
        lines += _pictures(split, plots, out)
    return "\n".join(lines).rstrip() + "\n"


def _encoder_table(reports: Sequence[Report]) -> list[str]:
    lines = [
        "| encoders | sha256 of single, of multi | multiply-adds per window | command | machine |",
        "|---|---|---|---|---|",
    ]
    for report in reports:
        hashes = ", ".join(f"`{text.removeprefix('sha256:')[:16]}`" for text in (report.single, report.multi))
        cost = f"{report.multiply_adds / 1e9:.2f} G"
        lines.append(f"| {report.name} | {hashes} | {cost} | `{report.command}` | {report.machine} |")
    return lines


def _table(found: Sequence[NamedTable]) -> list[str]:
    """Return one Markdown table of all reports; several reports get a column of names and share the rows of chance."""
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
    parser.add_argument("--plots", type=Path, metavar="DIR", help="folder of plots by showme evaluate")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(argv)
    text = page([read_report(path) for path in options.reports], options.plots, options.out)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out, text.encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
