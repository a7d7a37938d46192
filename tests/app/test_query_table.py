"""The table that `showme query` prints: sparklines, time axis and notes."""

import io
from typing import Any

import pytest
from rich.console import Console

from app.cli.querying import query_table, ruler, sparkline
from app.schemas import EXAMPLE_QUERY, MatchOut, QueryAnswer
from models.match import WORDS


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

    def printed(**changes: Any) -> str:
        console = Console(width=140, file=io.StringIO(), record=True)
        slots = [slot.model_copy(update=changes)] if changes else []
        console.print(query_table(answer.model_copy(update={"slots": slots}), 140))
        return console.export_text()

    assert "song.mp3 · 1 instrument heard, matched with TimGM6mb (136)" in printed()
    none = {"match": MatchOut(probability=0.1, word="none"), "close": False}
    assert "none of yours" in printed(**none)
    assert "Fretless Bass" in printed(**none)
    for word in WORDS[:-1]:
        shown = printed(match=MatchOut(probability=0.5, word=word), close=True)
        assert f" {word} " in shown
        assert "none of yours" not in shown
    assert "–" in printed(match=None, close=True, family="bass")  # an answer of an older version
    assert "no instrument of this family" in printed(hits=[])
    assert "no instrument was heard" in printed()
