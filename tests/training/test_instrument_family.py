"""Fitting the instrument family model: what it learns from, where it is written, and what the shipped one says."""

from pathlib import Path

import numpy as np
import pytest

from index.families import FAMILIES
from models.checkpoint import file_hash
from models.encoder_pair import INSTRUMENT_FAMILY_FILE, SINGLE_FILE, EncoderPair
from models.errors import EncoderMismatch
from models.family import FamilyModel
from tests.app.commands import write_weights
from tests.training.evaluation.held_out_bank import write_splits
from training import instrument_family
from training.bank import Bank
from training.instrument_family import embed_all, fit_instrument_family
from training.recognition.solo_pieces import FamilyClips

HEARD = {"bass", "synth_lead", "mallet", "drum"}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    write_splits(folder, {"train": (10, 3), "valid": (5, 2)})
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


def test_a_command_fits_and_writes_it_beside_the_encoder(
    bank: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert instrument_family.main(["--weights", str(weights), "--bank", str(bank), "--device", "cpu"]) == 0
    assert "validation instruments: top1" in capsys.readouterr().out
    pair = EncoderPair.load(weights, "cpu")
    model = pair.instrument_family
    assert model is not None
    share = model.probability(embed_all(pair, FamilyClips([Bank.open(bank, "valid")], 2)))
    never = [place for place, family in enumerate(FAMILIES) if family not in HEARD]
    assert share[:, never].max() < 1e-6
    again = fit_instrument_family(pair, [Bank.open(bank, "train")])
    assert np.array_equal(model.weight, again.weight)


def test_that_of_another_encoder_is_refused_in_words(bank: Path, weights: Path) -> None:
    zeros = np.zeros((2, 16), np.float32)
    path = weights / INSTRUMENT_FAMILY_FILE
    FamilyModel(("bass", "drum"), zeros, zeros[:, 0]).save(path, "sha256:other", None)
    with pytest.raises(EncoderMismatch, match=r"training\.instrument_family"):
        EncoderPair.load(weights, "cpu")
    assert instrument_family.main(["--weights", str(weights), "--bank", str(bank), "--device", "cpu"]) == 0
    FamilyModel.load(path, file_hash(weights / SINGLE_FILE), None)


def test_the_shipped_encoders_have_one() -> None:
    model = EncoderPair.load(device="cpu").instrument_family
    assert model is not None
    assert model.families == FAMILIES
