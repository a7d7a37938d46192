"""Figures of docs/RESULTS.md that the README and docs/MODEL.md quote: refresh them after `make evaluate`.

    python -m training.evaluation.quotes

A quote is a line of a document and, in order, the cells that its decimal numbers come from; further numbers of the line stay.
A test compares the committed documents with the committed results, so that no figure outlives its measurement.
"""

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from models.atomic import atomic_file
from models.errors import TrainingError
from training.commands import cli_errors

DECIMAL = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])")
INTERVAL = re.compile(r" \([^)]*\)$")
RESULTS, README, MODEL = Path("docs/RESULTS.md"), "README.md", "docs/MODEL.md"

Cell = tuple[str, str, str, str]  # split, first words of the table's title, row, column
Tables = dict[tuple[str, str], dict[str, dict[str, str]]]  # [split, title][row][column]


@dataclass(frozen=True)
class Quote:
    """The line that begins with `anchor`, or the one `below` lines further, and the cells of its decimal numbers."""

    file: str
    anchor: str
    cells: tuple[Cell, ...]
    below: int = 0


SOLOS, MIXED, OTHERS = (
    "real: family of one real",
    "real: families of real duets and trios",
    "real: family of one drum",
)
LIBRARIES = ("TimGM6mb", "real library")
SERVED = "served: answers"
SERVED_COLUMNS = (
    "mAP macro",
    "in top ten",
    "set F1",
    "found first",
    "found in top five",
    "lanes right",
    "count error",
)
HEARD_COLUMNS = ("families found", "told right", "count error")
HEARD_ALONE = ("first hit's family", *HEARD_COLUMNS)
PAPER = "paper: random mixtures, library of 53, 5 clips"
WORDS = ("strong", "fair", "weak", "none")


def real(anchor: str, title: str, what: str, column: str, libraries: Sequence[str] = LIBRARIES) -> Quote:
    """Quote a row of the table of real music: served and chance, in each library."""
    cells = [
        ("test-real", title, f"{what} · {library} · {row}", column)
        for library in libraries
        for row in ("served", "chance")
    ]
    return Quote(README, anchor, tuple(cells))


def heard(anchor: str, what: str, columns: Sequence[str]) -> Quote:
    """Quote a row of the table of families that are heard without a library: heard and chance, column by column."""
    title = "real: families heard without"
    cells = [
        ("test-real", title, f"{what} · {row}", column) for column in columns for row in ("heard", "chance")
    ]
    return Quote(README, anchor, tuple(cells))


def served(file: str, anchor: str, split: str, row: str, below: int = 0) -> Quote:
    """Quote a row of the table of renderings."""
    cells = tuple((split, SERVED, row, column) for column in SERVED_COLUMNS)
    return Quote(file, anchor, cells, below)


def renderings(file: str) -> Iterable[Quote]:
    """Quote the table of renderings, which both documents have."""
    for split, largest in (("test-same", "1,000"), ("test-engine", "1,000"), ("test-default", "111")):
        yield served(file, f"| `{split}`: ", split, "53 · served")
        yield served(file, f"| `{split}`: ", split, f"{largest} · served", below=1)
    yield served(file, "| chance (`test-same`) | 53", "test-same", "53 · chance")
    yield served(file, "| chance (`test-same`) | 53", "test-same", "1,000 · chance", below=1)


def encoders(split: str, own_slot: bool = True) -> Quote:
    """Quote a row of the README's table of the paper's measurements."""
    cells = [
        (split, "verify", "rendered clips", "EER"),
        (split, PAPER, "paper (every slot)", "mAP macro"),
        (split, PAPER, "served", "mAP macro"),
        (split, PAPER, "paper (every slot)", "instr. F1 macro"),
        (split, PAPER, "served", "instr. F1 macro"),
        (split, PAPER, "served", "count error"),
        *([(split, "library: mixtures", "1,000 · ±6 dB", "R@5 own slot")] if own_slot else []),
    ]
    return Quote(README, f"| `{split}` | .", tuple(cells))


def quotes() -> list[Quote]:
    """All quotes of both documents."""
    production = "production: productions"
    match, words, split = "match: is what", "match: what the words", "test-same"
    five, first = "lanes right in five", "found in top five"
    return [
        real("| solos: the first hit's family", SOLOS, "solos", "first hit's family"),
        real("| solos: the family is among", SOLOS, "solos", "family in five"),
        real("| solos: the main lane's family", SOLOS, "solos", "main lane's family"),
        real("| duets and trios: families found", MIXED, "duets and trios", "families found"),
        real("| duets and trios: lanes whose", MIXED, "duets and trios", "lanes of a playing family"),
        real("| duets and trios: error", MIXED, "duets and trios", "count error"),
        real("| drum kits: ", OTHERS, "drum kits", "main lane's family", LIBRARIES[:1]),
        real("| voices: ", OTHERS, "voices", "main lane's family"),
        Quote(
            README,
            "| 31 recorded instruments",
            tuple(
                ("test-real", "real: instruments", f"recorded notes · {row}", "R@1")
                for row in ("served", "chance")
            ),
        ),
        heard("| solos | ", "solos", HEARD_ALONE),
        heard("| duets | ", "duets", HEARD_COLUMNS),
        heard("| trios | ", "trios", HEARD_COLUMNS),
        heard("| voices | ", "voices", HEARD_ALONE),
        heard("| drum loops | ", "drum loops", HEARD_ALONE),
        Quote(
            README,
            "master, 15 s, library of 200.",
            (
                (split, production, "served", first),
                (split, production, "chance", first),
                (split, production, "served", five),
                (split, production, "chance", five),
            ),
        ),
        Quote(
            README,
            "playing instrument in their first five;",
            ((split, production, "served", "count error"), (split, production, "chance", "count error")),
        ),
        *renderings(README),
        Quote(
            README,
            "instruments of `test-same` the number of lanes",
            tuple(
                (split, "lanes", f"{count} instrument{'s' if count > 1 else ''}", "count error")
                for count in (1, 2, 3, 5)
            ),
        ),
        encoders("test-same"),
        encoders("test-engine"),
        encoders("test-default", own_slot=False),
        *renderings(MODEL),
        Quote(
            MODEL,
            "The single encoder alone tells new",
            tuple((name, "verify", "rendered clips", "EER") for name in ("test-same", "test-engine")),
        ),
        *(
            Quote(
                MODEL,
                f"| {size} | .",
                (
                    (split, match, f"{size} · 15 s · match", "AUROC not in library"),
                    (split, match, f"{size} · 15 s · best similarity", "AUROC not in library"),
                    (split, match, f"{size} · 15 s · match", "AUROC first hit plays"),
                    (split, match, f"{size} · 15 s · match", "Brier score"),
                    (split, match, f"{size} · 15 s · match", "calibration error"),
                ),
            )
            for size in ("53", "1,000")
        ),
        *(
            Quote(
                MODEL,
                f"| {word} | .",
                tuple(
                    (split, words, f"{size} · 15 s · {word}", column)
                    for size in ("53", "1,000")
                    for column in ("share of lanes", "in the library", "first hit plays")
                ),
            )
            for word in WORDS
        ),
    ]


def read_tables(text: str) -> Tables:
    """Read the tables of a page of results: cells without their intervals, of several rows of one name the
    first, of several encoders those of `shipped`."""
    tables: Tables = {}
    split = title = ""
    columns: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            split = line[3:].strip()
        elif line.startswith("### "):
            title, columns = line[4:].strip(), []
        elif line.startswith("| ") or line.startswith("|  |"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if not columns:
                columns = cells[1:]
            elif not set(line) <= set("|- "):
                row = dict(zip(columns, cells[1:], strict=True))
                if row.get("encoders", "") in ("", "shipped"):
                    values = {column: INTERVAL.sub("", cell) for column, cell in row.items()}
                    tables.setdefault((split, title), {}).setdefault(cells[0], values)
    return tables


def figure(tables: Tables, cell: Cell) -> str:
    """Return a cell. Raises TrainingError if there is none, or it is empty."""
    split, words, row, column = cell
    for (its_split, title), rows in tables.items():
        if its_split == split and title.startswith(words) and row in rows and rows[row].get(column):
            return rows[row][column]
    raise TrainingError(f"the results have no figure {' / '.join(cell)}", value=" / ".join(cell))


def quoted(text: str, all_quotes: Iterable[Quote], tables: Tables) -> str:
    """Return the document with the results' figures. Raises TrainingError for a quote that has no line, or no figure."""
    lines = text.split("\n")
    for quote in all_quotes:
        found = [place for place, line in enumerate(lines) if line.startswith(quote.anchor)]
        if len(found) != 1:
            message = f"{quote.file} has {len(found)} lines that begin with {quote.anchor!r}, one is wanted"
            raise TrainingError(message, value=len(found), limit=1)
        place = found[0] + quote.below
        text_between, numbers = DECIMAL.split(lines[place]), DECIMAL.findall(lines[place])
        if len(numbers) < len(quote.cells):
            raise TrainingError(f"{quote.file} lacks numbers in {lines[place]!r}", value=lines[place])
        numbers[: len(quote.cells)] = [figure(tables, cell) for cell in quote.cells]
        lines[place] = "".join(chain(*zip(text_between, [*numbers, ""], strict=True)))
    return "\n".join(lines)


@cli_errors
def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description="Refresh the figures that README and docs/MODEL.md quote from the results."
    )
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the repository (this one)")
    root = parser.parse_args(argv).root
    tables = read_tables((root / RESULTS).read_text())
    for file in (README, MODEL):
        before = (root / file).read_text()
        after = quoted(before, [quote for quote in quotes() if quote.file == file], tables)
        with atomic_file(root / file) as out:
            out.write(after.encode())
        changed = sum(old != new for old, new in zip(before.split("\n"), after.split("\n"), strict=True))
        print(f"{file}: {changed} lines changed")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
