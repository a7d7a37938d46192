"""Solo recognition trains, validates, resumes and is written, on banks of tones of a few families."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from models.checkpoint import load_solo
from models.errors import TrainingError
from models.recognition.solo import SOLO_FILE
from models.recognition.solo_recogniser import SoloRecogniser
from tests.training.evaluation.held_out_bank import write_splits
from training.bank import Bank
from training.config import read_recipe
from training.loop import LOG_FILE
from training.recognition import train
from training.recognition.solo_pieces import FamilyClips, PieceSampler, clip_weights
from training.recognition.solo_recipe import SOLO_RECIPE, SoloRecipe
from training.recognition.solo_scores import class_scores, confusion_of, macro_scores
from training.recognition.train_solo import SoloRun
from training.recognition.train_solo import train as train_solo

CPU = torch.device("cpu")
CLIP_SAMPLES = 8_000  # half a second; pieces are a quarter
DRY = ("equaliser", "low_pass", "reverb", "pitch", "compressor", "saturation", "codec")
TINY = (
    "steps = 6",
    "batch_size = 4",
    "log_every = 2",
    "validate_every = 3",
    "clips_per_instrument = 2",
    'precision = "float32"',
    "network.width = 4",
    "network.hidden = 16",
    "network.front_end.clip_seconds = 0.25",
    *(f"effects.{name}.probability = 0.0" for name in DRY),
)


def recipe(*overrides: str) -> SoloRecipe:
    """The shipped recipe for a small network, a few steps and dry clips."""
    return read_recipe(SoloRecipe, SOLO_RECIPE, [*TINY, *overrides])


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of four families and of none, which train, validate and test."""
    folder = tmp_path_factory.mktemp("tones")
    write_splits(folder, {"train": (10, 3), "valid": (5, 2), "test-same": (5, 2)}, CLIP_SAMPLES)
    return folder


def run(bank: Path, out: Path, *overrides: str, seconds: float | None = None) -> Path | None:
    return train_solo(SoloRun(recipe(*overrides), [bank], out, CPU, seconds))


def test_a_run_ends_with_the_weights_that_validated_best(bank: Path, tmp_path: Path) -> None:
    path = run(bank, tmp_path)
    assert path == tmp_path / SOLO_FILE
    network, header = load_solo(path)
    assert network.config.families == ("bass", "mallet", "synth_lead", "drum")  # in the order of FAMILIES
    assert header.training["steps"] in (3, 6)
    assert header.training["banks"] == [bank.name]
    assert set(header.metrics) == {f"{bank.name}.f1_macro", f"{bank.name}.top1"}
    best = torch.load(tmp_path / "best.pt", weights_only=True)["network"]["layers.0.weight"]
    assert torch.equal(network.state_dict()["layers.0.weight"], best.half().float())


def test_an_interrupted_run_ends_with_the_same_weights(bank: Path, tmp_path: Path) -> None:
    whole = run(bank, tmp_path / "whole")
    assert run(bank, tmp_path / "parts", seconds=0.0) is None
    while (parts := run(bank, tmp_path / "parts", seconds=0.0)) is None:
        pass
    assert len((tmp_path / "parts" / LOG_FILE).read_text().splitlines()) == 3
    assert whole is not None
    one, two = (load_solo(path)[0].state_dict() for path in (whole, parts))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_tones_are_learned(bank: Path, tmp_path: Path) -> None:
    """The families differ by their overtones: a few more steps tell them apart."""
    longer = (
        "steps = 60",
        "batch_size = 16",
        "validate_every = 30",
        "network.dropout = 0.0",
        "network.width = 8",
        "label_smoothing = 0.0",
        "log_every = 30",
        "optimizer.learning_rate = 0.005",
    )
    path = run(bank, tmp_path, *longer, "mel_effects.noise_probability = 0.0")
    assert path is not None
    recogniser = SoloRecogniser.load(path, "cpu")
    test = Bank.open(bank, "test-same")
    for instrument, row in zip(test.instruments, test.rows(np.arange(0, test.num_clips, 2)), strict=True):
        if instrument.family is not None:
            told = recogniser.recognise([row.astype(np.float32) / 32768])
            assert next(iter(told)) == instrument.family


def test_families_are_drawn_evenly_and_pieces_sound(bank: Path, tmp_path: Path) -> None:
    clips = FamilyClips([Bank.open(bank, "train")], 2)
    assert clips.num_clips == 16  # two of the ten instruments have no family
    pieces = PieceSampler(clips, recipe(), clips.families, tmp_path)
    image, family = pieces.draw(400, torch.Generator().manual_seed(0))
    assert image.shape == (400, 1, 128, 11)
    assert torch.bincount(family, minlength=4).min() > 70
    assert (image.amax(dim=(1, 2, 3)) > 0).all()
    again, _ = PieceSampler(clips, recipe(), clips.families, tmp_path).draw(
        400, torch.Generator().manual_seed(0)
    )
    assert torch.equal(image, again)  # from the cache


def test_a_bank_with_few_instruments_of_a_family_counts_by_the_root() -> None:
    family = np.array([0, 0, 0, 0, 1, 0, -1])
    bank = np.array([0, 0, 0, 0, 0, 1, 1])
    weight = clip_weights(family, bank, np.repeat(np.arange(7), 2))
    of_instrument = weight.reshape(7, 2).sum(axis=1)
    assert np.allclose(of_instrument, [*[2 / 3 / 4] * 4, 1.0, 1 / 3, 0.0])


def test_the_macro_average_is_over_the_families_that_occur() -> None:
    truth, told = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    confusion = confusion_of(truth, told, 3)
    scores = macro_scores(confusion)
    assert scores["f1_macro"] == pytest.approx((2 / 3 + 1) / 2)  # not over three
    assert scores["top1"] == 0.75
    assert confusion.tolist() == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]


def test_scores_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    truth, told = generator.integers(0, 5, 200), generator.integers(0, 5, 200)
    confusion = confusion_of(truth, told, 5)
    assert np.array_equal(confusion, confusion_matrix(truth, told))
    expected = precision_recall_fscore_support(truth, told)[:3]
    assert np.allclose(class_scores(confusion), expected)
    assert macro_scores(confusion)["f1_macro"] == pytest.approx(expected[2].mean())


def test_the_command_refuses_in_words(bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path)]
    for arguments, words in (
        (["sola"], "no recogniser sola; known are solo"),
        (["solo", *out], "give --bank"),
        (["solo", *out, "--bank", str(bank), "--resume"], "holds no run to resume"),
        (["solo", *out, "--bank", str(bank), "--set", "epochs=3"], "epochs"),
        (["solo", *out, "--bank", str(bank), "--set", "steps=0"], "steps is 0"),
        (["solo", *out, "--bank", str(bank)], "too short"),
        (["solo", *out, "--bank", str(tmp_path)], "holds neither"),
    ):
        assert train.main(arguments) == 2
        assert words in capsys.readouterr().err


def test_banks_without_validation_instruments_are_refused(tmp_path: Path) -> None:
    write_splits(tmp_path / "bank", {"train": (5, 2)}, CLIP_SAMPLES)
    with pytest.raises(TrainingError, match="valid"):
        run(tmp_path / "bank", tmp_path / "run")
