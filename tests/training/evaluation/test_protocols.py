"""Each protocol end to end, with random encoders on a small data set: rows of chance, figures in their ranges."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.retrieval import QuerySlots
from index.search_space import SearchSpace
from models.errors import TrainingError
from models.match import WORDS
from tests.encoders import random_pair
from tests.training.evaluation.held_out_bank import CLIP_SAMPLES, tones, write_splits
from tests.training.nlakh.written import write_multi
from tests.training.tiny_notes import slots, write_instrument
from training.bank import Bank
from training.evaluation import lanes, library, ownership, paper, recorded, served, three, verification
from training.evaluation.context import EvaluationContext
from training.evaluation.embeddings import ClipEmbeddings
from training.evaluation.mixtures import part_mixtures
from training.evaluation.report import Table

SPLITS = {"train": (4, 8), "test-same": (10, 8)}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> EvaluationContext:
    folder = tmp_path_factory.mktemp("bank")
    write_splits(folder, SPLITS)
    pair = random_pair()
    own, train = (
        ClipEmbeddings.open(pair, folder, name, folder / "cache") for name in ("test-same", "train")
    )
    return EvaluationContext(pair, own, [train], num_mixtures=6)


def check(table: Table) -> None:
    """Check that all shares are within 0…1, all intervals are ordered, and a row of chance exists unless the kind has none."""
    assert table.rows
    assert any(row.is_chance for row in table.rows) or table.kind in ("numbers", "confusion")
    for row in table.rows:
        for name, figure in row.figures.items():
            assert 0 <= figure.value <= (9 if name in ("count_error", "lanes") else 1), (row.name, name)
            if figure.low is not None and figure.high is not None:
                assert figure.low <= figure.high


def test_paper_measures_random_and_rendered_mixtures(context: EvaluationContext, tmp_path: Path) -> None:
    samples, rows = tones("test-same", 10, 2, 5)
    mixtures = [
        [(rows[place].number, samples[2 * place]) for place in played] for played in ((0, 3), (2, 4, 9))
    ]
    write_multi(tmp_path, mixtures, rows)
    found = list(paper.tables(replace(context, rendered=Bank.open(tmp_path, "test-same", "multi"))))
    assert [table.kind for table in found] == ["random-1", "random-5", "rendered-1", "rendered-5"]
    for table in found:
        check(table)
        assert [row.name for row in table.rows] == [
            "chance",
            "paper (every slot)",
            "served",
        ]
        assert {"family_f1_macro", "instrument_f1_weighted", "map_macro"} <= set(table.columns)
    assert "2 mixtures of 2–3 instruments, 2.5 on average" in found[2].notes[0]
    assert found[0].rows[1].figures != found[1].rows[1].figures


def test_without_rendered_mixtures_paper_says_so(context: EvaluationContext) -> None:
    last = list(paper.tables(context))[-1]
    assert not last.rows
    assert "--mixtures" in last.notes[0]


def test_rendered_mixtures_of_strangers_are_refused(context: EvaluationContext, tmp_path: Path) -> None:
    silence = np.ones(CLIP_SAMPLES, np.int16)
    _, rows = tones("test-same", 10, 1, 5)
    strangers = [replace(rows[0], id="stranger"), *rows[1:]]
    write_multi(tmp_path, [[(strangers[0].number, silence), (strangers[1].number, silence)]], strangers)
    with pytest.raises(TrainingError, match=r"1 of 10 instruments .* stranger, .* --probes"):
        list(paper.tables(replace(context, rendered=Bank.open(tmp_path, "test-same", "multi"))))


def test_library_grows_and_tells_its_distractors(context: EvaluationContext) -> None:
    sizes, numbers, confused = library.tables(replace(context, sizes=(10, 14, 20)))
    for table in (sizes, numbers, confused):
        check(table)
    assert [row.name.partition(" ")[0] for row in sizes.rows] == [
        n for n in ("10", "14", "20") for _ in range(4)
    ]
    assert (
        sizes.notes[2]
        == "20: 10 held out, 4 training instruments (train), 6 single clips of training instruments"
    )
    recalls = [row.figures["recall_any_5"].value for row in sizes.rows if row.name.endswith("±6 dB")]
    assert recalls == sorted(recalls, reverse=True)  # distractors help nobody
    for row in confused.rows:
        assert sum(figure.value for figure in row.figures.values()) == pytest.approx(1, abs=1e-6)


def test_library_sizes_are_what_the_data_allow(context: EvaluationContext) -> None:
    assert context.library_sizes == (10, 26)  # 10, 4 of train, 12 single clips of theirs
    with pytest.raises(TrainingError, match="a library of 27"):
        next(library.tables(replace(context, sizes=(10, 27))))


def test_three_mixes_one_of_each_part(context: EvaluationContext) -> None:
    parts = three.find_parts(context.whole_split)
    assert parts == {"percussion": (2, 3, 7, 8), "bass": (0, 5), "lead": (1, 6)}
    ((wave, instrument),) = part_mixtures(context.whole_split, list(parts.values()), 30, seed=0)
    assert wave.shape == (30, CLIP_SAMPLES)
    for column, places in zip(instrument.T, parts.values(), strict=True):
        assert set(column.tolist()) == set(places)
    (table,) = three.tables(context)
    check(table)
    assert "percussion: 4 of drum and mallet" in table.notes[0]
    chance = next(row for row in table.rows if row.name == "bass · chance")
    assert chance.figures["given_5"].value == 1  # five of two


def test_the_family_given_only_its_instruments_compete(context: EvaluationContext) -> None:
    (table,) = three.tables(replace(context, num_mixtures=40))
    served_answers = {row.name: row.figures for row in table.rows}
    for part in ("percussion", "bass", "lead"):
        assert served_answers[part]["given_5"].value >= served_answers[part]["open_any_5"].value
    mean = np.mean([served_answers[part]["given_1"].value for part in ("percussion", "bass", "lead")])
    assert served_answers["all parts"]["given_1"].value == pytest.approx(mean)


def test_three_is_skipped_in_words_where_a_part_is_missing(tmp_path: Path) -> None:
    write_splits(tmp_path, {"test-same": (3, 7)})
    own = ClipEmbeddings.open(random_pair(), tmp_path, "test-same", tmp_path)
    (table,) = three.tables(EvaluationContext(random_pair(), own, num_mixtures=4))
    assert not table.rows
    assert "skipped: test-same" in table.notes[0]
    assert "bass (bass): 1" in table.notes[0]


def test_verify_hears_clips_and_single_notes(context: EvaluationContext, tmp_path: Path) -> None:
    for place in range(3):
        write_instrument(tmp_path, f"test-same_{place}", "soundfont", slots((1.0, 0.2 * place)))
    (table,) = verification.tables(replace(context, notes=[tmp_path]))
    check(table)
    names = [row.name for row in table.rows]
    assert names[:2] == ["rendered clips", "rendered clips · chance"]
    assert names[2] == f"single notes of {tmp_path.name}"
    assert "3 instruments with 8 to 8 clips, at most 5 enrolled" in table.notes[1]
    assert table.rows[1].figures["top1"].value == 0.1
    train_only = tmp_path / "train"
    write_instrument(train_only, "train_0", "soundfont", slots())
    (table,) = verification.tables(replace(context, notes=[train_only]))
    assert len(table.rows) == 2
    assert (
        table.notes[1]
        == "single notes of train: 0 instruments of test-same have two clips or more, 2 are needed"
    )


def test_embeddings_that_know_their_instrument_are_always_right() -> None:
    vectors = [np.repeat(row[None], 7, axis=0) for row in np.eye(4, dtype=np.float32)]
    figures = verification.verification(vectors, seed=0)
    assert (figures["eer"].value, figures["eer_pooled"].value, figures["top1"].value) == (0, 0, 1)
    with pytest.raises(TrainingError, match="needs 2 instruments with two clips or more, 1 are given"):
        verification.verification([vectors[0], vectors[1][:1]], seed=0)


def test_recorded_is_alone_and_mixed(context: EvaluationContext) -> None:
    (table,) = recorded.tables(context)
    check(table)
    assert [row.name for row in table.rows if not row.is_chance and row.name.startswith("10 ")] == [
        "10 · alone, single encoder",
        "10 · alone, multi encoder",
        "10 · mixed",
    ]
    alone = table.rows[1].figures
    assert alone["recall_any_1"].value == alone["recall_own_1"].value  # one slot is any slot


def test_lanes_are_counted_and_each_instrument_once(context: EvaluationContext) -> None:
    (table,) = lanes.tables(context)
    check(table)
    assert [row.name for row in table.rows[::2]] == [
        "1 instrument",
        "2 instruments",
        "3 instruments",
        "5 instruments",
    ]
    found = served.LaneHits(np.array([[3, 1], [3, 2], [4, 7]]), np.array([3, 2, 9]))
    assert found.figures == (1, 2, 3, 3)
    nothing = served.LaneHits(np.zeros((0, 5), np.int64), np.array([1]))
    assert nothing.figures == (0, 0, 1, 0)


def test_served_measures_two_libraries_beside_chance(context: EvaluationContext) -> None:
    (table,) = served.tables(replace(context, num_mixtures=40, sizes=(10, 14, 20)))
    check(table)
    rankings = ["chance", "served", "ranked by similarity of tracks", "ranked by posterior of tracks"]
    assert [row.name for row in table.rows] == [f"{size} · {name}" for size in (10, 14) for name in rankings]
    assert {"map_macro", "ranked_10", "set_f1", "lane_1", "lane_right", "count_error"} <= set(table.columns)


def test_match_measures_two_lengths_of_passage_in_two_libraries(context: EvaluationContext) -> None:
    pair = random_pair()
    assert pair.match is not None
    pair.match = replace(pair.match, reach=0.9995)  # untrained encoders embed all sounds alike
    figures, words = ownership.tables(replace(context, pair=pair, num_mixtures=80, sizes=(10, 14, 20)))
    check(figures)
    cases = [f"{size} · {seconds} s" for seconds in (5, 15) for size in (10, 14)]
    ways = ["chance", "best similarity", "match"]
    assert [row.name for row in figures.rows] == [f"{case} · {way}" for case in cases for way in ways]
    assert {"absence_auroc", "reach_auroc", "right_auroc", "brier", "calibration_error"} <= set(
        figures.columns
    )
    assert [row.name for row in words.rows] == [f"{case} · {word}" for case in cases for word in WORDS]
    for start in range(0, len(words.rows), len(WORDS)):
        shares = [row.figures["word_share"].value for row in words.rows[start : start + len(WORDS)]]
        assert sum(shares) == pytest.approx(1)


def test_match_is_skipped_in_words_without_a_model(context: EvaluationContext) -> None:
    pair = random_pair()
    pair.match = None
    (table,) = ownership.tables(replace(context, pair=pair))
    assert not table.rows
    assert "python -m training.match" in table.notes[0]


def test_a_library_that_knows_the_stems_is_right_in_everything() -> None:
    """In every window, the slots are the embeddings of the instruments that play."""
    library = np.eye(8, dtype=np.float32)
    playing = [np.array([0, 3]), np.array([5]), np.array([2, 6, 7])]
    encoded = []
    for places in playing:
        embedding = np.zeros((4, 3, 8), np.float32)
        embedding[:, :, 4] = 1
        embedding[:, : len(places)] = library[places]
        presence = np.zeros((4, 3), np.float32)
        presence[:, : len(places)] = 0.95
        encoded.append(QuerySlots(embedding, presence))
    found = served.figures(served.served_answers(encoded, playing, SearchSpace.of(library), 0.4), 8, seed=0)
    for name, figure in found.items():
        assert figure.value == (0 if name == "count_error" else 1), name


def test_a_passage_is_of_its_instruments_and_of_the_seed_alone(context: EvaluationContext) -> None:
    held = context.held
    one, other, again = (next(served.passages(held, [3], seed)) for seed in (0, 1, 0))
    assert one.wave.shape == (served.CLIPS * held.clip_samples,)
    assert len(set(one.playing.tolist())) == 3
    assert np.array_equal(one.wave, again.wave)
    assert not np.array_equal(one.wave, other.wave)
