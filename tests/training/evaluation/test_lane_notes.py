"""The table of lanes' notes: counts are summed over lanes, and those that are offered have a row of their own."""

from pathlib import Path

import pytest

from models.recognition.lane_notes import CONFIDENT
from training.evaluation import command
from training.evaluation.lane_notes import CEILING, FLOOR, SERVED, SURE, ScoredLane, figures, table_of


def lane(mixture: int, confidence: float, served: tuple[int, int, int], number: int = 2) -> ScoredLane:
    return ScoredLane(number, mixture, confidence, {SERVED: served, FLOOR: (1, 9, 4), CEILING: (4, 4, 4)})


LANES = [
    lane(0, CONFIDENT, (4, 5, 5)),
    lane(0, 0.1, (0, 3, 0)),
    lane(1, 0.9, (2, 2, 4)),
    lane(0, 1.0, (0, 1, 1), 1),
]


def test_figures_are_over_all_notes_of_the_lanes() -> None:
    found = figures(LANES[:3], SERVED, 2, seed=0)
    assert found["precision"].value == pytest.approx(6 / 10)
    assert found["recall"].value == pytest.approx(6 / 9)
    assert found["f1"].value == pytest.approx(12 / 19)
    assert figures([], SERVED, 2, seed=0)["f1"].value == 0


def test_a_table_is_of_one_number_of_parts_and_tells_the_share_that_is_offered() -> None:
    table = table_of(LANES, 2, 2, "valid", seed=0)
    assert [row.name for row in table.rows] == [SERVED, f"{SURE}, 67%", FLOOR, CEILING]
    served, sure, floor, ceiling = (row.figures["f1"].value for row in table.rows)
    assert sure == pytest.approx(12 / 16)
    assert floor < served < sure < ceiling == 1
    assert "3 lanes" in table.notes[0]


def test_mistakes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["notes", "--notes", str(tmp_path / "none"), "--midi", str(tmp_path)]
    assert command.main([*given, "--num-mixtures", "0"]) == 2
    assert "0 mixtures cannot be measured" in capsys.readouterr().err
    assert command.main([*given, "--cache", str(tmp_path)]) == 2
    assert "none does not exist" in capsys.readouterr().err
