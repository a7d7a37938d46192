"""Protocol `production`: parts and lanes are counted as users read them, beside chance, on the held-out side only."""

from pathlib import Path

import numpy as np
import pytest

from tests.encoders import random_pair
from tests.training.productions.conftest import Inputs
from training.evaluation import command, production
from training.evaluation.production import AnsweredProduction, ProductionContext
from training.evaluation.served import LaneHits


@pytest.fixture(scope="module")
def context(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> ProductionContext:
    cache = tmp_path_factory.mktemp("cache")
    return ProductionContext(
        random_pair(), (inputs.notes, inputs.real), inputs.midi, cache, 3, 9, manifest=inputs.manifest
    )


def test_productions_are_measured_beside_chance_and_by_family(context: ProductionContext) -> None:
    whole, families = production.tables(context)
    assert [row.name for row in whole.rows[:2]] == ["chance", "served"]
    assert whole.rows[0].is_chance
    for table in (whole, families):
        for row in table.rows:
            for name, figure in row.figures.items():
                assert 0 <= figure.value <= (9 if name == "count_error" else 1), (row.name, name)
    assert "3 productions of 15 s, 4–8 parts" in whole.notes[0]
    assert any(row.name.startswith("drum, 3 parts") for row in families.rows)
    parts = [int(row.name.split(", ")[1].split()[0]) for row in families.rows]
    assert 12 <= sum(parts) <= 24


def test_the_library_holds_all_parts_and_only_held_out_instruments(context: ProductionContext) -> None:
    row_of = {row.number: row for row in context.plan.instruments}
    played = {row_of[stem.instrument].id for item in context.productions() for stem in item.stems}
    playing = [row for row in context.plan.instruments if row.id in played]
    library = production.enrolled_library(context, playing)
    assert set(library.ids[: len(playing)]) == played
    assert len(library) == max(9, len(playing))
    assert np.allclose(np.linalg.norm(library.embedding, axis=1), 1, atol=1e-5)
    assert all("test" in key if key.startswith("real_") else key[-1] in "23" for key in library.ids)


def test_distractors_are_no_near_duplicates_of_what_plays(context: ProductionContext) -> None:
    bass = [row for row in context.plan.instruments if row.id == "bass_2"]
    before = {one.id for one in context.distractors(bass)}
    context.rows["bass_3"]["group"] = context.rows["bass_2"]["group"]
    after = {one.id for one in context.distractors(bass)}
    assert before - after == {"bass_3"}


def test_lanes_and_parts_are_counted_by_hand() -> None:
    """Two lanes of three hold a playing instrument in five hits; two of four parts are found."""
    hits = np.array([[7, 0, 8, 9, 5], [6, 7, 8, 9, 5], [1, 0, 8, 9, 5]])
    one = AnsweredProduction(LaneHits(hits, np.array([0, 1, 2, 3])), ("bass", "drum", "drum", "vocal"), True)
    assert one.num_right_lanes == 2
    assert one.found.tolist() == [True, True, False, False]
    found = {name: figure.value for name, figure in production.figures([one], 0).items()}
    assert found == {
        "lane_5": 0.5,
        "lane_right_5": 2 / 3,
        "count_error": 1,
        "lane_1": 0.25,
        "lane_right": 1 / 3,
    }
    rows = production.family_rows([one], [one], 0)
    assert [(row.name, row.figures["lane_5"].value) for row in rows] == [
        ("bass, 1 part", 1.0),
        ("drum, 2 parts", 0.5),
        ("vocal, 1 part", 0.0),
    ]


def test_the_protocol_says_what_it_needs(
    inputs: Inputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--protocol", "production", "--notes", str(inputs.notes), "--cache", str(tmp_path)]
    assert command.main(words) == 2
    assert "give --midi, --real" in capsys.readouterr().err
