"""Quoted figures: the committed documents agree with the committed results, and stale ones are replaced."""

from pathlib import Path

import pytest

from models.errors import TrainingError
from training.evaluation.quotes import (
    MODEL,
    README,
    RESULTS,
    Quote,
    figure,
    main,
    quoted,
    quotes,
    read_tables,
)

ROOT = Path(__file__).parents[3]
PAGE = """# Results

## test-same

### served: answers of the service

|  | encoders | mAP macro | count error |
|---|---|---|---|
| 53 · chance |  | .114 (.112–.126) | 2.67 (2.45–2.87) |
| 53 · served | shipped | .762 (.745–.781) | 1.16 |
| 53 · served | shipped | .900 | 1.00 |
| 53 · posterior | other | .5 | 1.5 |
"""
CELLS = (
    ("test-same", "served", "53 · served", "mAP macro"),
    ("test-same", "served", "53 · served", "count error"),
)


@pytest.mark.parametrize("file", [README, MODEL])
def test_the_documents_quote_the_results(file: str) -> None:
    tables = read_tables((ROOT / RESULTS).read_text())
    text = (ROOT / file).read_text()
    mine = [quote for quote in quotes() if quote.file == file]
    assert len(mine) > 8
    assert quoted(text, mine, tables) == text


def test_numbers_of_a_line_are_replaced_in_order_and_further_ones_stay() -> None:
    tables = read_tables(PAGE)
    text = "# Title 1.0\n| one | 53 | .1 | 9.99 | goal .75 |\n| two | .3 |"
    told = quoted(text, [Quote("x", "| one", CELLS), Quote("x", "| one", CELLS[:1], below=1)], tables)
    assert told == "# Title 1.0\n| one | 53 | .762 | 1.16 | goal .75 |\n| two | .762 |"


def test_what_cannot_be_quoted_is_named() -> None:
    tables = read_tables(PAGE)
    with pytest.raises(TrainingError, match="no figure test-same / served / 53 · posterior / mAP macro"):
        figure(tables, ("test-same", "served", "53 · posterior", "mAP macro"))  # of other encoders
    with pytest.raises(TrainingError, match="x has 0 lines that begin with"):
        quoted("| one .5", [Quote("x", "| two", CELLS)], tables)
    with pytest.raises(TrainingError, match="lacks numbers"):
        quoted("| one .5", [Quote("x", "| one", CELLS)], tables)


def test_the_command_refreshes_both_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (README, MODEL, str(RESULTS)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    stale = (tmp_path / README).read_text()
    line = next(line for line in stale.split("\n") if line.startswith("| voices: "))
    (tmp_path / README).write_text(stale.replace(line, line.replace("| .", "| .00")))
    assert main(["--root", str(tmp_path)]) == 0
    assert (tmp_path / README).read_text() == stale
    assert f"{README}: 1 lines changed" in capsys.readouterr().out
