"""`showme evaluate solo` measures both methods on rendered and real instruments, and its report becomes a page."""

from pathlib import Path

import numpy as np
import pytest
import torch

from index.families import FAMILIES
from models.checkpoint import CheckpointHeader, save_checkpoint
from models.encoder_pair import INSTRUMENT_FAMILY_FILE, MULTI_FILE, SINGLE_FILE
from models.encoders import EncoderConfig, MultiInstrumentEncoder, SingleInstrumentEncoder
from models.errors import TrainingError
from models.family import FamilyModel
from models.recognition.solo import SOLO_FILE, SoloConfig, SoloNetwork
from models.recognition.solo_recogniser import SoloRecogniser
from tests.training.evaluation.held_out_bank import write_splits
from tests.training.evaluation.test_real import MORE
from tests.training.real.tiny_real import FILES, write_real
from training.evaluation import command, results
from training.evaluation.real_queries import RealQuery
from training.evaluation.report import read_report
from training.evaluation.solo_recognition import NETWORK, SERVED, Heard, hear_all, hear_by_network

ENCODER = EncoderConfig("compact", {"widths": [4, 8, 8]}, 16, 3, "pooled")
SOLO = SoloConfig(families=FAMILIES, width=2, hidden=8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of random encoders, their instrument family model, and a random solo network."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        single, multi, solo = (
            SingleInstrumentEncoder(ENCODER),
            MultiInstrumentEncoder(ENCODER),
            SoloNetwork(SOLO),
        )
    config = ENCODER.to_dict()
    target = save_checkpoint(single, CheckpointHeader("single", config), folder / SINGLE_FILE)
    save_checkpoint(multi, CheckpointHeader("multi", config, target), folder / MULTI_FILE)
    save_checkpoint(solo, CheckpointHeader("solo", SOLO.to_dict()), folder / SOLO_FILE)
    weight = np.random.default_rng(0).normal(size=(len(FAMILIES), 16)).astype(np.float32)
    model = FamilyModel(FAMILIES, weight, np.zeros(len(FAMILIES), np.float32))
    model.save(folder / INSTRUMENT_FAMILY_FILE, target, None)
    return folder


def test_both_methods_are_measured_on_rendered_and_real_sound(weights: Path, tmp_path: Path) -> None:
    write_splits(tmp_path / "bank", {"train": (4, 2), "valid": (4, 2), "test-same": (5, 2)})
    folder = write_real(tmp_path / "real", (*FILES, *MORE))
    report, pictures = tmp_path / "solo.json", tmp_path / "plots"
    arguments = ["solo", "--bank", str(tmp_path / "bank"), "--real", str(folder), "--weights", str(weights)]
    arguments += ["--network", str(weights / SOLO_FILE)]
    assert command.main([*arguments, "--json", str(report), "--plots", str(pictures)]) == 0
    found = read_report(report)
    assert [(table.split, table.kind) for table in found.tables] == [
        (split, kind) for split in ("test-same", "test-real") for kind in ("solo", "classes", "confusion")
    ]
    rendered, classes, confusion, real = found.tables[:4]
    names = [row.name for row in rendered.rows]
    assert names[:2] == [f"{SERVED}, by clip", f"{NETWORK}, by clip"]
    assert names[-2:] == ["published, validation", "published, test"]
    assert rendered.rows[-1].figures["f1_macro"].value == 0.692
    assert [row.name for row in classes.rows] == ["bass", "mallet", "synth_lead", "drum"]
    assert all(
        sum(figure.value for figure in row.figures.values()) == pytest.approx(1) for row in confusion.rows
    )
    assert {row.name.partition(" · ")[0] for row in real.rows} >= {"solos", "voices", "drum loops", "all"}
    assert (pictures / "solo-confusion-test-real.png").exists()
    page = results.page([found], pictures, tmp_path / "RESULTS.md")
    assert "### solo: family of one rendered instrument" in page
    assert "solo-confusion-test-same" in page


def test_instruments_are_the_mean_over_their_recordings() -> None:
    probability = np.array([[0.6, 0.4], [0.1, 0.9], [0.7, 0.3]], np.float32)
    heard = Heard(np.array([0, 0, 1]), np.array([0, 0, 1]), {NETWORK: probability}).by_unit()
    assert heard.truth.tolist() == [0, 1]
    assert np.allclose(heard.probability[NETWORK], [[0.35, 0.65], [0.7, 0.3]])


def test_silent_recordings_are_left_out() -> None:
    hear = hear_by_network(SoloRecogniser(SoloNetwork(SOLO), torch.device("cpu")))
    noise = np.random.default_rng(0).normal(size=(3, 48_000)).astype(np.float32)
    recordings = [
        RealQuery(wave, ("bass",), str(place)) for place, wave in enumerate(noise * [[1], [0], [1]])
    ]
    assert hear_all(recordings, {NETWORK: hear}).unit.tolist() == [0, 1]
    with pytest.raises(TrainingError, match="sounds"):
        hear_all(recordings[1:2], {NETWORK: hear})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--bank, --real, or both"),
        (["--real", "nowhere", "--clips", "0"], "at least 1"),
        (["--real", "nowhere", "--network", "none.safetensors"], "none.safetensors"),
        (["--real", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["solo", *arguments]) == 2
    assert words in capsys.readouterr().err
