"""`showme evaluate` from its arguments to tables, JSON, plots and the page; an impossible request gives one clear line."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from index.retrieval import QuerySlots
from index.search_space import SearchSpace
from models.checkpoint import CheckpointHeader, file_hash, load_checkpoint, save_checkpoint
from models.encoder_pair import MULTI_FILE, SINGLE_FILE, EncoderPair
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import TrainingError
from tests.training.evaluation.held_out_bank import write_splits
from tests.training.tiny_runs import recipe
from training import release
from training.bank import Bank
from training.evaluation import command, results
from training.evaluation.bootstrap import Estimate
from training.evaluation.enrolled_library import EnrolledLibrary
from training.evaluation.held_out import HeldOut, choose_library
from training.evaluation.real_context import EncodedQuery
from training.evaluation.report import Report, ReportRow, Table, cell, command_line, read_report, write_report

CONFIG = EncoderConfig(
    "compact", {"widths": [4, 8, 8]}, 16, 3, "attention", {"width": 16, "depth": 1, "num_heads": 2}
)


@pytest.fixture(scope="module")
def bank_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    write_splits(folder, {"train": (4, 7), "valid": (10, 7), "test-recorded": (3, 7)})
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        single, multi = SingleInstrumentEncoder(CONFIG), MultiInstrumentEncoder(CONFIG)
    target = save_checkpoint(single, CheckpointHeader("single", CONFIG.to_dict()), folder / SINGLE_FILE)
    trained = {"recipe": asdict(recipe("multi"))}  # the release draws mixtures by it
    header = CheckpointHeader("multi", CONFIG.to_dict(), target, training=trained)
    save_checkpoint(multi, header, folder / MULTI_FILE)
    return folder


def test_everything_the_data_allow_is_measured_kept_drawn_and_written(
    bank_folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--bank",
        str(bank_folder),
        "--weights",
        str(weights),
        "--num-mixtures",
        "4",
        "--device",
        "cpu",
    ]
    kept, plots, out = tmp_path / "one.json", tmp_path / "plots", tmp_path / "docs/RESULTS.md"
    more = ["--cache", str(tmp_path), "--json", str(kept), "--plots", str(plots)]
    assert command.main([*arguments, *more]) == 0
    printed = capsys.readouterr().out
    report = read_report(kept)
    assert {(table.split, table.protocol) for table in report.tables} == {
        *(("valid", name) for name in ("served", "match", "lanes", "paper", "library", "three", "verify")),
        *(("test-recorded", name) for name in ("verify", "recorded")),
    }
    assert "chance" in printed
    assert str(tmp_path) not in kept.read_text()
    drawn = {path.name: path.stat().st_size for path in plots.iterdir()}
    assert {
        "tsne-valid.png",
        "confusion-valid.png",
        "recall-size-valid.png",
        "recall-number-valid.png",
        "failure-1-valid.jpg",
    } < set(drawn)
    assert max(drawn.values()) < 100_000
    assert results.main([str(kept), "--plots", str(plots), "--out", str(out)]) == 0
    text = out.read_text()
    assert "## test-recorded" in text
    assert "](../plots/tsne-valid.png)" in text
    assert f"`{report.single.removeprefix('sha256:')[:16]}`" in text
    assert file_hash(weights / MULTI_FILE) == report.multi


def small_report(name: str, value: float) -> Report:
    rows = (
        ReportRow("chance", {"map_macro": Estimate(0.1)}, True),
        ReportRow("present", {"map_macro": Estimate(value, 0.4, 1.25)}),
    )
    table = Table("paper", "valid", "random-5", "random mixtures", ("4 mixtures",), rows)
    empty = Table("three", "valid", "three", "parts", ("skipped: no drums",), ())
    hashes = ("sha256:abcdef", "sha256:fedcba")
    return Report(name, *hashes, 3_510_000_000, "a machine", "showme evaluate", (table, empty))


def test_a_page_sets_encoders_side_by_side(tmp_path: Path) -> None:
    text = results.page(
        [small_report("ours", 0.5), small_report("small-random", 0.45)], None, tmp_path / "R.md"
    )
    assert text.count("| chance |") == 1
    assert "|  | encoders | mAP macro |" in text
    assert "| present | ours | .500 (.400–1.25) |" in text
    assert "| present | small-random | .450 (.400–1.25) |" in text
    assert text.count("- 4 mixtures") == 1
    assert text.count("| 3.51 G |") == 2
    assert "- skipped: no drums" in text
    alone = results.page([small_report("ours", 0.5)], None, tmp_path / "R.md")
    assert "| present | .500 (.400–1.25) |" in alone


def test_reports_are_read_as_they_were_written(tmp_path: Path) -> None:
    report = small_report("ours", 0.5)
    write_report(tmp_path / "deep/report.json", report)
    assert read_report(tmp_path / "deep/report.json") == report
    (tmp_path / "other.json").write_text('{"tables": 3}')
    for name in ("other.json", "missing.json"):
        with pytest.raises(TrainingError, match=f"{name} holds no report"):
            read_report(tmp_path / name)


def test_cells_are_short() -> None:
    assert [cell(Estimate(value)) for value in (0.0, 0.0314, 0.9996, 1.0, 2.562)] == [
        ".000",
        ".031",
        "1.000",
        "1.000",
        "2.56",
    ]
    assert cell(None) == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--protocol", "guess"],
            "no protocol guess; known are real, answers, production, served, match, lanes, paper, library, three, verify",
        ),
        (
            ["--protocol", "recorded", "--split", "valid"],
            "recorded needs the split test-recorded, given are valid",
        ),
        (["--protocol", "real"], "real needs a folder of real recordings: give --real"),
        (
            ["--protocol", "real", "--real", "recordings", "--split", "test-recorded"],
            "real needs the split valid or test-real, given are test-recorded",
        ),
        (["--protocol", "real", "--real", "nowhere"], "nowhere/index.jsonl cannot be read"),
        (["--split", "test-same"], "not Nlakh-single with test-same"),
        (["--num-mixtures", "1"], "1 mixtures cannot be measured, 2 to 100,000 can"),
        (
            ["--split", "valid", "--protocol", "library", "--library-size", "99"],
            "a library of 99 cannot be made",
        ),
        (["--mixtures", "nowhere"], "nowhere holds neither"),
        (["--effects", "none", "--protocol", "library", "--split", "valid"], "no recipe none"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    bank_folder: Path,
    weights: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    usual = ["--bank", str(bank_folder), "--weights", str(weights), "--num-mixtures", "4", "--device", "cpu"]
    assert command.main([*usual, "--cache", str(tmp_path), *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_missing_weights_are_one_line(
    tmp_path: Path, bank_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--bank", str(bank_folder), "--weights", str(tmp_path / "none")]) == 2
    assert "single.safetensors" in capsys.readouterr().err
    assert command.main(["--split", "valid", "--weights", str(tmp_path / "none")]) == 2
    assert "give --bank" in capsys.readouterr().err


def test_the_command_is_told_without_paths_of_this_machine(tmp_path: Path) -> None:
    assert command_line(["--bank", str(tmp_path / "single"), "--seed", "1"]) == (
        "showme evaluate --bank single --seed 1"
    )


def test_query_clips_enrol_nothing(bank_folder: Path) -> None:
    bank = Bank.open(bank_folder, "valid")
    held = HeldOut(bank, (2, 5), num_enrolled=4)
    enrolled = {bank.rows([7 * place + clip])[0].tobytes() for place in (2, 5) for clip in range(4)}
    requested = {clip.tobytes() for clip in held.rows(np.arange(held.num_clips))}
    assert (len(enrolled), len(requested)) == (8, 6)
    assert not enrolled & requested
    assert held.rows(np.array([4]))[0].tobytes() == bank.rows([7 * 5 + 5])[0].tobytes()


def test_impossible_demands_are_named(bank_folder: Path) -> None:
    bank = Bank.open(bank_folder, "valid")
    with pytest.raises(TrainingError, match="7 enrollment clips"):
        HeldOut(bank, (0,), num_enrolled=7)
    with pytest.raises(TrainingError, match="library of 11"):
        choose_library(bank, 11, 0)


def validation(
    presence: Sequence[float], shown: Sequence[int], playing: Sequence[int], num_passages: int = 8
) -> release.Validation:
    """Return passages of one window: a slot equal to the library embedding of each of `shown`, while `playing` plays."""
    library = np.eye(7, dtype=np.float32)
    slots = QuerySlots(library[list(shown)][None], np.array([presence], np.float32))
    return release.Validation(
        [slots] * num_passages, [np.array(playing)] * num_passages, SearchSpace.of(library)
    )


def test_the_threshold_separates_true_slots_from_others() -> None:
    found = validation([0.6, 0.6, 0.3, 0.3, 0.3], [0, 1, 2, 3, 4], [0, 1])
    assert 0.3 < release.best_threshold(found) <= 0.6


def test_real_mixtures_raise_the_threshold_above_slots_that_are_too_many() -> None:
    found = validation([0.62, 0.62], [0, 1], [0, 1])  # any threshold up to .6 is as good
    vectors = np.eye(7, dtype=np.float32)
    names = tuple("abcdefg")
    library = EnrolledLibrary("seven", names, names, ("bass",) * 7, np.ones(7, np.int64), vectors)
    slots = QuerySlots(vectors[:3][None], np.array([[0.9, 0.9, 0.4]], np.float32))
    duet = EncodedQuery(("bass", "guitar"), "mixture", slots, None)
    real = release.RealMixtures([duet], library, None)
    assert (real.count_error(0.3), real.count_error(0.5)) == (1.0, 0.0)
    assert release.best_threshold(found) < 0.4
    assert 0.4 < release.best_threshold(found, real) <= 0.6


def test_a_release_carries_its_validation_figures(bank_folder: Path, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "release"
    arguments = ["--single", str(weights / SINGLE_FILE), "--multi", str(weights / MULTI_FILE)]
    assert release.main([*arguments, "--bank", str(bank_folder), "--out", str(out)]) == 0
    _, header = load_checkpoint(out / MULTI_FILE)
    assert 0 <= header.metrics["map_macro"] <= 1
    assert 0 <= header.metrics["eer"] <= 1
    pair = EncoderPair.load(out, "cpu")
    assert 0 <= pair.calibrated_match().metrics["absence_auroc"] <= 1
    assert header.presence_threshold in release.THRESHOLDS.round(2)
    assert (out / SINGLE_FILE).read_bytes() == (weights / SINGLE_FILE).read_bytes()
