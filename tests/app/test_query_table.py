"""The table that `showme query` prints: its columns at every width, sparklines, time axis and notes."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from app.cli.answer_table import COLUMNS, plain_table, query_table, ruler, sparkline
from app.schemas import EXAMPLE_QUERY, MatchOut, QueryAnswer
from models.match import WORDS

NAMES = ("Fretless Bass", "Atmosphere", "Kontakt Strings Ensemble Sustain Vibrato Long")
FAMILIES = ("bass", "synth_pad", "string")


def printed(table: Table, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text()


def long_answer() -> QueryAnswer:
    """Two lanes, the second without a match, with the longest family and a long name."""
    example: Any = EXAMPLE_QUERY
    [slot], [hit] = example["slots"], example["slots"][0]["hits"]
    hits = [
        hit | {"name": name, "family": family, "similarity": 0.83 - 0.1 * rank}
        for rank, (name, family) in enumerate(zip(NAMES, FAMILIES, strict=True))
    ]
    none = {"slot": 1, "family": "synth_lead", "match": {"probability": 0.1, "word": "none"}, "close": False}
    slots = [slot | {"hits": hits}, slot | {"hits": hits} | none]
    return QueryAnswer.model_validate(example | {"name": "a long name.wav", "slots": slots})


@pytest.mark.parametrize("width", [*range(30, 60, 5), 60, 70, 80, 90, 100, 160])
def test_names_and_scores_are_whole_at_every_width(width: int) -> None:
    lines = printed(query_table(long_answer(), width), width).splitlines()
    assert all(len(line) <= width for line in lines)
    for name, score in (("Fretless Bass", "0.83"), ("Atmosphere", "0.73")):
        found = [line for line in lines if name in line]
        assert len(found) == 2
        assert all(line.rstrip().endswith(score) for line in found)
    [header] = [line for line in lines if "instrument " in line and "score" in line]
    if width >= 60:
        assert [name for name in header.split() if name in COLUMNS] == [
            *(["#", "heard", "match", "instrument", "family", "score"] if width < 70 else []),
            *(["#", "presence", "heard", "match", "instrument", "family", "score"] if width >= 70 else []),
        ]
    assert ("0:00.0" in header) == (width >= 100)
    assert "…" not in "".join(lines)


def test_the_timeline_takes_what_is_left_of_a_wide_terminal() -> None:
    table = printed(query_table(long_answer(), 160), 160)
    assert sparkline(long_answer().slots[0].curve, 0.0, 12.4, 48) in table
    assert ruler(0.0, 12.4, 48) in table
    assert all(name in table for name in NAMES)


def test_without_a_terminal_every_row_says_all() -> None:
    title, header, *rows = printed(plain_table(long_answer()), 1000).splitlines()
    assert title.startswith("a long name.wav · ")
    assert header.split() == ["#", "presence", "active", "heard", "match", "instrument", "family", "score"]
    assert len(rows) == 6
    cells = [[cell.strip() for cell in row.split("  ") if cell.strip()] for row in rows]
    assert cells[2] == ["0", "0.97", "0-4.5; 6-12.4", "bass", "strong", NAMES[2], "string", "0.63"]
    assert cells[4] == ["1", "0.97", "0-4.5; 6-12.4", "synth_lead", "none", NAMES[1], "synth_pad", "0.73"]


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([], "····"),
        ([(2.0, 1.0)], "████"),
        ([(0.5, 0.0), (1.5, 0.5), (2.5, 1.0), (3.5, 0.1)], "·▄█▁"),
        ([(0.0, 0.0), (4.0, 1.0)], "▁▃▅▇"),
    ],
)
def test_a_sparkline_is_as_high_as_the_presence(curve: list[tuple[float, float]], expected: str) -> None:
    assert sparkline(curve, 0.0, 4.0, columns=4) == expected


def test_a_ruler_is_as_wide_as_its_lane() -> None:
    assert ruler(30.0, 40.0, 24) == "0:30.0   0:35.0   0:40.0"
    assert [len(ruler(0.0, 600.0, columns)) for columns in range(14, 60)] == [*range(14, 60)]


def test_the_table_says_how_good_the_match_is() -> None:
    answer = QueryAnswer.model_validate(EXAMPLE_QUERY)
    [slot] = answer.slots

    def shown(**changes: Any) -> str:
        slots = [slot.model_copy(update=changes)] if changes else []
        return printed(query_table(answer.model_copy(update={"slots": slots}), 140), 140)

    assert "song.mp3 · 1 instrument heard, matched with TimGM6mb (136)" in shown()
    none = {"match": MatchOut(probability=0.1, word="none"), "close": False}
    assert "none of yours" in shown(**none)
    assert "Fretless Bass" in shown(**none)
    for word in WORDS[:-1]:
        table = shown(match=MatchOut(probability=0.5, word=word), close=True)
        assert f" {word} " in table
        assert "none of yours" not in table
    assert "–" in shown(match=None, close=True, family="bass")  # an answer of an older version
    assert "no instrument of this family" in shown(hits=[])
    assert "no instrument was heard" in shown()
    nothing = printed(plain_table(answer.model_copy(update={"slots": []})), 140)
    assert "no instrument was heard" in nothing


def test_a_long_file_name_has_a_line_of_its_own() -> None:
    answer = QueryAnswer.model_validate(EXAMPLE_QUERY | {"name": f"{'a long name ' * 8}.wav"})
    lines = [line.strip() for line in printed(query_table(answer, 80), 80).splitlines()]
    assert "1 instrument heard, matched with TimGM6mb (136)" in lines


def test_a_narrow_time_axis_names_the_ends_only() -> None:
    assert ruler(4.0, 20.0, 8) == "0:04.0–0:20.0"
    assert ruler(4.0, 20.0, 16) == "0:04.0    0:20.0"
