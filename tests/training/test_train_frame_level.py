"""Frame-level recognition trains, validates, resumes, is written and is measured, on recordings of tones in MusicNet's form."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import load_frame_level
from models.encoder_pair import FRAME_LEVEL_FILE
from models.errors import CheckpointError
from models.recognition.constant_q import FRAME_SECONDS
from models.recognition.frame_level import POOLED_FRAMES, SEGMENT_FRAMES
from models.recognition.frame_level_recogniser import FrameLevelRecogniser
from models.recognition.notes import read_notes
from models.recognition.pitch_estimator import PitchActivity
from training.config import OptimizerConfig
from training.evaluation import command as evaluation
from training.evaluation.report import read_report
from training.loop import learning_rate_factor, make_optimizer
from training.musicnet import NO_PITCH, PERCUSSION, ScoredNote, classes_of, write_recording
from training.recognition import train as command
from training.recognition.frame_features import FrameSet, frame_maps, pooled
from training.recognition.frame_recipe import NETWORKS
from training.recognition.frame_scores import best_thresholds, class_f1, counts, mean_f1
from training.recognition.note_scores import matched_notes

RATE = 16_000
BRIGHT, DULL = 41, 74  # string, flute
SETTINGS = ["epochs=12", "batch_size=4", "validate_every=4", "log_every=4", 'precision="float32"']
TINY = [word for setting in SETTINGS for word in ("--set", setting)]


def tune(generator: np.random.Generator) -> tuple[np.ndarray, list[ScoredNote]]:
    """Eight seconds of notes of half a second, each of a tone with or without overtones, some with silence instead."""
    wave, notes = np.zeros(8 * RATE, np.float32), list[ScoredNote]()
    time = np.arange(RATE // 2) / RATE
    for place in range(16):
        instrument = (0, BRIGHT, DULL)[int(generator.integers(3))]
        pitch = int(generator.integers(48, 72))
        if instrument:
            partials = np.arange(1, 7 if instrument == BRIGHT else 2)[:, None]
            tone = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * partials * time).sum(axis=0)
            wave[place * RATE // 2 :][: len(tone)] = 0.1 * tone
            notes.append(ScoredNote(place / 2, place / 2 + 0.5, instrument, pitch))
    return wave, notes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    generator = np.random.default_rng(0)
    for split, number in (("train", 4), ("valid", 1), ("test", 2)):
        for place in range(number):
            wave, notes = tune(generator)
            key = f"{('chamber', 'production')[place % 2]}_{place}"
            write_recording(folder, split, key, (wave * 32_767).astype(np.int16), RATE, notes)
    return folder


def run(data: Path, out: Path, network: str, *more: str) -> int:
    words = ["frame-level", "--data", str(data), "--out", str(out), "--network", network, "--device", "cpu"]
    return command.main([*words, *TINY, *more])


@pytest.mark.parametrize("network", ["cqt", "hsf-1-true"])
def test_it_learns_is_resumed_and_is_measured(
    data: Path, tmp_path: Path, network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, tmp_path, network, "--minutes", "0.0001") == 0
    assert "time is up" in capsys.readouterr().out
    assert run(data, tmp_path, network) == 0
    path = tmp_path / network / FRAME_LEVEL_FILE
    loaded, header = load_frame_level(path)
    assert loaded.config.families == ("flute", "string")
    assert len(loaded.config.thresholds) == 2
    losses = [
        float(line.partition("loss ")[2].split()[0])
        for line in capsys.readouterr().out.splitlines()
        if "loss " in line
    ]
    assert losses[-1] < 0.85 * losses[0]
    assert header.metrics["valid.f1_macro"] > 0.7
    report = tmp_path / "report.json"
    words = ["frame-level", "--data", str(data), "--runs", str(tmp_path), "--json", str(report)]
    assert evaluation.main([*words, "--device", "cpu"]) == 0
    table = read_report(report).tables[0]
    assert [row.name for row in table.rows] == [network]
    assert table.rows[0].figures["f1_macro"].value > 0.7
    assert {one.kind for one in read_report(report).tables} == {
        "frames",
        "frames-chamber",
        "frames-production",
        "classes",
    }
    if network == "cqt":
        wave, notes = tune(np.random.default_rng(5))
        timeline = FrameLevelRecogniser.load(path, "cpu").timeline(wave, RATE, start_seconds=10.0)
        true = sum(note.end_seconds - note.start_seconds for note in notes if note.instrument == BRIGHT)
        told = sum(end - start for start, end in timeline.spans("string"))
        assert told == pytest.approx(true, abs=2.0)
        assert all(10 <= start < end <= 18 for start, end in timeline.spans("string"))
    else:
        with pytest.raises(CheckpointError, match="true pitches"):
            FrameLevelRecogniser.load(path, "cpu")


def test_notes_of_the_pitch_network_are_measured(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "notes.json"
    words = ["frame-level", "--data", str(data), "--notes", "--json", str(report), "--device", "cpu"]
    assert evaluation.main(words) == 0
    (table,) = read_report(report).tables
    assert [row.name for row in table.rows] == ["all recordings", "chamber", "production"]
    assert table.rows[0].figures["f1"].value > 0.5


def test_features_are_computed_once(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = FrameSet.open(data, "test", tmp_path, ("string",), "cpu")
    assert "2 of 2" in capsys.readouterr().out
    again = FrameSet.open(data, "test", tmp_path, ("string", "flute"), "cpu")
    assert not capsys.readouterr().out
    assert np.array_equal(first.level, again.level)
    assert again.target.shape[1] == 2
    frames = again.segments(20, torch.Generator().manual_seed(0))
    assert frames.shape == (20, SEGMENT_FRAMES)
    first_of, last_of = (np.searchsorted(again.starts, frames[:, place], "right") for place in (0, -1))
    assert np.array_equal(first_of, last_of)  # no segment spans two recordings
    mean, deviation = again.moments()
    assert np.allclose(mean, np.asarray(again.level, np.float64).mean(axis=0), atol=1e-3)
    assert np.allclose(deviation, np.asarray(again.level, np.float64).std(axis=0), atol=1e-3)


def test_frames_tell_what_the_notes_do() -> None:
    place_of = classes_of(("drum", "string"))
    notes = [
        ScoredNote(0.0, 10 * FRAME_SECONDS, BRIGHT, 60),
        ScoredNote(5 * FRAME_SECONDS, 5 * FRAME_SECONDS, PERCUSSION, NO_PITCH),
        ScoredNote(2 * FRAME_SECONDS, 4 * FRAME_SECONDS, DULL, 72),
    ]
    pitch, target = frame_maps(notes, 20, place_of, 2)
    assert np.flatnonzero(pitch[:, 60 - 21]).tolist() == list(range(10))
    assert np.flatnonzero(pitch[:, 72 - 21]).tolist() == [2, 3]  # a pitch sounds, whoever plays it
    assert pitch.astype(bool).sum() == 12
    assert np.flatnonzero(target[:, 0]).tolist() == [5]
    assert np.flatnonzero(target[:, 1]).tolist() == list(range(10))
    assert pooled(target).tolist() == [[1, 1], [0, 1]]
    assert pooled(target[: POOLED_FRAMES - 1]).shape == (0, 2)


def test_thresholds_are_the_best_of_the_grid() -> None:
    generator = np.random.default_rng(0)
    target = generator.integers(0, 2, (300, 2)).astype(np.uint8)
    share = np.clip(0.3 * target + 0.5 * generator.random((300, 2)), 0, 1).astype(np.float32)
    grid = [step / 100 for step in range(1, 100)]
    best = [
        max(class_f1(counts([share], [target], (one, one))[0])[place] for one in grid) for place in range(2)
    ]
    chosen = best_thresholds(share, target)
    found = class_f1(counts([share], [target], chosen)[0])
    assert found.tolist() == pytest.approx(best)
    assert best_thresholds(share, np.zeros_like(target)) == (0.5, 0.5)


def test_the_mean_is_over_classes_that_occur() -> None:
    totals = np.array([[3.0, 0.0], [4.0, 2.0], [4.0, 0.0]])  # right, told and true frames of two classes
    assert class_f1(totals).tolist() == [0.75, 0.0]
    assert mean_f1(totals) == 0.75


def test_notes_are_read_from_onsets_and_from_what_is_left() -> None:
    note, onset = np.zeros((88, 200), np.float32), np.zeros((88, 200), np.float32)
    note[30, 20:90], onset[30, 20] = 0.6, 0.8
    note[30, 60:64] = 0.28  # below the threshold, across which the note goes on
    note[50, 100:140], onset[50, 100] = 0.8, 0.9
    note[70, 150:155], onset[70, 150] = 0.9, 0.9  # too short
    found = read_notes(PitchActivity(note, onset))
    assert [(one.pitch, round(one.start_seconds / FRAME_SECONDS)) for one in found] == [(51, 20), (71, 100)]
    assert round(found[0].end_seconds / FRAME_SECONDS) == 90
    assert read_notes(PitchActivity(np.zeros_like(note), np.zeros_like(note))) == ()


def test_a_true_note_is_matched_once() -> None:
    heard = [(1.0, 60), (1.02, 60), (2.0, 60), (3.0, 61)]
    assert matched_notes(heard, [(1.04, 60), (2.06, 60), (3.0, 60)]) == 1
    assert matched_notes(heard, [(0.96, 60), (1.06, 60), (3.05, 61)]) == 3


def test_the_rate_falls_to_a_ten_thousandth() -> None:
    config = OptimizerConfig(name="sgd", learning_rate=1e-2, weight_decay=1e-4, schedule="decay")
    assert learning_rate_factor(config, 0, 100) == 1
    assert learning_rate_factor(config, 50, 100) == pytest.approx(1e-2)
    optimizer = make_optimizer(config, [torch.nn.Parameter(torch.ones(2))])
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.defaults["momentum"] == 0.9


def test_the_table_has_all_published_rows() -> None:
    assert len(NETWORKS) == 15
    assert {"baseline", "cqt", "hsf-5-true", "hsf-0-estimated", "pitch-f"} <= set(NETWORKS)


@pytest.mark.parametrize(
    ("more", "reason"),
    [(["--set", "epochs=0"], "epochs is 0"), (["--set", "rows=3"], "rows")],
)
def test_mistakes_are_told(
    data: Path, tmp_path: Path, more: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, tmp_path, "cqt", *more) == 2
    assert reason in capsys.readouterr().err
    assert command.main(["frame-level", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "not of MusicNet's form" in capsys.readouterr().err
