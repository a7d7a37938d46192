"""Evaluation: perfect encoders score 1, the retrieved set follows section 3.3, a whole report prints from a real bank."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointHeader, load_checkpoint, save_checkpoint
from models.encoder_pair import MULTI_FILE, SINGLE_FILE
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import TrainingError
from tests.training.nlakh.written import write_single
from tests.training.small_bank import SmallBank
from training import evaluate, release
from training.held_out import HeldOut, choose_library
from training.protocols import Answers, retrieval_row

CONFIG = EncoderConfig(
    "compact", {"widths": [4, 8, 8]}, 16, 3, "attention", {"width": 16, "depth": 1, "num_heads": 2}
)


@pytest.fixture
def bank_folder(tmp_path: Path) -> Path:
    """Ten instruments of ten clips, on disk."""
    small, folder = SmallBank(10, 10, clip_samples=80_000, split="valid"), tmp_path / "bank"
    write_single(folder, small.rows(np.arange(small.num_clips)), small.instruments, unit_clips=100)
    return folder


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "weights"
    target = save_checkpoint(
        SingleInstrumentEncoder(CONFIG), CheckpointHeader("single", CONFIG.to_dict()), folder / SINGLE_FILE
    )
    multi = CheckpointHeader("multi", CONFIG.to_dict(), target)
    save_checkpoint(MultiInstrumentEncoder(CONFIG), multi, folder / MULTI_FILE)
    return folder


def slow_retrieved(answers: Answers, threshold: float) -> np.ndarray:
    """Section 3.3, one slot at a time."""
    out = np.zeros_like(answers.true)
    for mixture, slots in enumerate(answers.cosine):
        for slot, row in enumerate(slots):
            if answers.presence[mixture, slot] >= threshold:
                best = next(place for place, value in enumerate(row) if value == max(row))
                out[mixture, best] = True
    return out


def random_answers() -> Answers:
    rng = np.random.default_rng(3)
    true = rng.random((40, 7)) < 0.4
    return Answers(true, rng.random((40, 5, 7), dtype=np.float32), rng.random((40, 5), dtype=np.float32))


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.1])
def test_the_retrieved_set_is_section_3_3(threshold: float) -> None:
    answers = random_answers()
    assert np.array_equal(answers.retrieved(threshold), slow_retrieved(answers, threshold))


def test_the_ranking_score_is_the_best_slot() -> None:
    answers = random_answers()
    assert answers.score[4, 2] == max(answers.cosine[4, slot, 2] for slot in range(5))


def test_a_perfect_answer_scores_one() -> None:
    true = random_answers().true
    row = retrieval_row(true, true, true.astype(np.float32), np.arange(7) % 3)
    assert {row[name] for name in row if name.startswith(("family", "instrument", "map"))} == {1.0}
    assert row["count_error"] == 0


def test_unknown_families_leave_their_columns_out() -> None:
    true = random_answers().true
    row = retrieval_row(true, true, true.astype(np.float32), np.full(7, -1))
    assert "family_f1_macro" not in row
    assert row["map_weighted"] == 1


def test_the_threshold_parts_what_is_there_from_what_is_not() -> None:
    rng = np.random.default_rng(1)
    nearest = np.stack([rng.permutation(7)[:5] for _ in range(30)])  # [mixture, slot]: no two slots agree
    cosine = np.eye(7, dtype=np.float32)[nearest]
    true = np.asarray(cosine[:, :2].max(axis=1) > 0)  # the first two slots are right
    presence = np.tile(np.array([0.6, 0.6, 0.3, 0.3, 0.3], np.float32), (30, 1))
    threshold = release.best_threshold(Answers(true, cosine, presence))
    assert 0.3 < threshold <= 0.6


def test_query_clips_enrol_nothing(bank_folder: Path) -> None:
    held = HeldOut(evaluate.Bank.open(bank_folder, "valid"), (2, 5), num_enrolled=4)
    enrolled = {clip.tobytes() for place in (0, 1) for clip in held.enrollment(place)}
    asked = {clip.tobytes() for place in (0, 1) for clip in held.queries(place)}
    assert len(enrolled) == 8
    assert len(asked) == 12
    assert not enrolled & asked
    assert held.rows(np.array([7]))[0].astype(np.float32).tobytes() == (held.queries(1)[1] * 32768).tobytes()


def test_impossible_demands_are_named(bank_folder: Path) -> None:
    bank = evaluate.Bank.open(bank_folder, "valid")
    with pytest.raises(TrainingError, match="10 enrollment clips"):
        HeldOut(bank, (0,), num_enrolled=10)
    with pytest.raises(TrainingError, match="library of 11"):
        choose_library(bank, 11, 0)


def test_a_report_prints_every_row_beside_chance(
    bank_folder: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--bank", str(bank_folder), "--weights", str(weights), "--mixtures", "20", "--device", "cpu"]
    assert evaluate.main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["reports"][0]
    assert set(report["retrieval"]) == {"chance", "paper", "present"}
    assert 0 <= report["verification"]["eer"] <= 1
    through = [*arguments, "--json", "--effects", "ours-multi-effects"]
    assert evaluate.main(through) == 0
    heard = json.loads(capsys.readouterr().out)["reports"][0]
    assert heard["verification"] == report["verification"]
    assert heard["retrieval"]["paper"] != report["retrieval"]["paper"]
    assert evaluate.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "chance" in printed
    assert "EER" in printed


def test_missing_weights_are_one_line(
    tmp_path: Path, bank_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(["--bank", str(bank_folder), "--weights", str(tmp_path / "none")]) == 2
    assert "single.safetensors" in capsys.readouterr().err


def test_a_release_carries_its_validation_figures(bank_folder: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    arguments = ["--single", str(weights / SINGLE_FILE), "--multi", str(weights / MULTI_FILE)]
    assert release.main([*arguments, "--bank", str(bank_folder), "--out", str(out)]) == 0
    _, header = load_checkpoint(out / MULTI_FILE)
    assert 0 <= header.metrics["map_macro"] <= 1
    assert header.presence_threshold in release.THRESHOLDS.round(2)
    assert (out / SINGLE_FILE).read_bytes() == (weights / SINGLE_FILE).read_bytes()
