"""Attention recognition trains, resumes and is measured, over features of every kind, on tones and on OpenMIC's form."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import CheckpointHeader, load_attention, load_vggish, save_checkpoint
from models.recognition.musicnn import WINDOW_FRAMES, Musicnn
from models.recognition.vggish import VggishLogMel
from tests.training.evaluation.held_out_bank import write_splits
from tests.training.real.tiny_real import FILES, write_real
from tests.training.tiny_openmic import CLASSES, write_openmic
from training.evaluation import command as evaluation
from training.evaluation import results
from training.evaluation.report import read_report
from training.musicnet import ScoredNote, write_recording
from training.recognition import train as command
from training.recognition.feature_kinds import FEATURES, MUSICNN, hear_by, moments, windows
from training.recognition.train_head import ATTENTION_FILE, masked_cross_entropy

RATE, SECONDS = 16_000, 10
STRING, FLUTE = 41, 74
TINY_HEAD = (
    "epochs=60",
    "batch_size=6",
    "log_every=10",
    "network.dropout=0.0",
    "optimizer.learning_rate=2e-3",
)
TINY_EXTRACTOR = (
    "epochs=1",
    "batch_size=4",
    "clips_per_instrument=2",
    "network.width=0.02",
    'precision="float32"',
)


def tune(generator: np.random.Generator, playing: Sequence[int]) -> tuple[np.ndarray, list[ScoredNote]]:
    """Ten seconds of notes of half a second: strings are bright and high, flutes are dull and low."""
    wave, notes = 0.001 * generator.standard_normal(SECONDS * RATE), list[ScoredNote]()
    time = np.arange(RATE // 2) / RATE
    for place in range(2 * SECONDS):
        for instrument in playing:
            pitch = int(generator.integers(70, 80) if instrument == STRING else generator.integers(40, 50))
            partials = np.arange(1, 7 if instrument == STRING else 2)[:, None]
            tone = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * partials * time).sum(axis=0)
            wave[place * RATE // 2 :][: len(tone)] += 0.05 * tone
            notes.append(ScoredNote(place / 2, place / 2 + 0.5, instrument, pitch))
    return wave, notes


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, generator = tmp_path_factory.mktemp("scores"), np.random.default_rng(0)
    casts = ((STRING,), (FLUTE,), (STRING, FLUTE), ())
    for split, number in (("train", 12), ("valid", 8), ("test", 4)):
        for place in range(number):
            wave, notes = tune(generator, casts[place % 4])
            key = f"{('chamber', 'production')[place // 2 % 2]}_{place:02d}"
            write_recording(folder, split, key, (wave * 32_767).astype(np.int16), RATE, notes)
    return folder


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    write_splits(folder, {"train": (5, 2), "valid": (5, 2)}, 32_000)
    return folder


def run(kind: str, out: Path, *more: str, seeds: int = 1) -> int:
    settings = [word for one in TINY_HEAD for word in ("--set", one)]
    settings += [word for one in TINY_EXTRACTOR for word in ("--set-extractor", one)]
    words = ["attention", "--features", kind, "--out", str(out), "--seeds", str(seeds), "--device", "cpu"]
    return command.main([*words, *settings, *more])


def test_a_head_over_log_mel_learns_is_resumed_and_is_measured(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    assert run("log-mel", runs, "--data", str(data), "--minutes", "0.00001", seeds=2) == 0
    assert "time is up; the same command continues" in capsys.readouterr().out
    assert not list(runs.rglob(ATTENTION_FILE))
    assert run("log-mel", runs, "--data", str(data), seeds=2) == 0
    assert "features of" not in capsys.readouterr().out  # they are computed once
    head, header = load_attention(runs / "log-mel" / "seed-0" / ATTENTION_FILE)
    assert head.config.classes == ("flute", "string")
    assert head.config.features == "log-mel"
    assert header.metrics["valid.f1_macro"] > 0.8
    assert header.training["recipe"]["steps"] == 120

    report, plots = tmp_path / "report.json", tmp_path / "plots"
    words = ["attention", "--data", str(data), "--runs", str(runs), "--device", "cpu", "--json", str(report)]
    assert evaluation.main([*words, "--plots", str(plots)]) == 0
    tables = read_report(report).tables
    assert [table.kind for table in tables] == ["features", "features", "features", "classes", "seeds"]
    row, constant = tables[0].rows
    scores = [one.value for one in tables[-1].rows[0].figures.values()]
    assert row.figures["f1_macro"].value == pytest.approx(np.mean(scores))
    assert (row.figures["f1_macro"].low, row.figures["f1_macro"].high) == (min(scores), max(scores))
    assert row.figures["deviation"].value == pytest.approx(np.std(scores))
    assert row.figures["f1_macro"].value > 0.8
    assert constant.is_chance
    assert constant.figures["f1_macro"].value == pytest.approx(1 / 3)  # each plays in half of the clips
    page = results.page([read_report(report)], plots, tmp_path / "RESULTS.md")
    assert "attention: instruments in ten seconds, all clips" in page
    assert "![attention-test](plots/attention-test.png)" in page
    assert "seed_0" not in page


def test_learned_features_are_measured_on_real_recordings_too(data: Path, bank: Path, tmp_path: Path) -> None:
    runs, report, given = tmp_path / "runs", tmp_path / "report.json", ["--data", str(data)]
    for kind in ("random", "textual"):
        assert run(kind, runs, *given, "--bank", str(bank), "--set", "epochs=1") == 0
    random, textual = (
        load_vggish(runs / kind / "vggish.safetensors")[0].config for kind in ("random", "textual")
    )
    assert (random.objective, textual.objective) == ("random", "textual")
    real = write_real(tmp_path / "real", FILES)
    words = [
        "attention",
        *given,
        "--runs",
        str(runs),
        "--device",
        "cpu",
        "--json",
        str(report),
        "--real",
        str(real),
    ]
    assert evaluation.main(words) == 0
    tables = [table for table in read_report(report).tables if table.kind == "features"]
    assert [table.split for table in tables] == ["test", "test", "test", "real"]
    kinds = [row.name for row in tables[0].rows if not row.is_chance]
    assert kinds == [kind for kind in FEATURES if kind in ("random", "textual")]
    assert tables[0].rows[0].figures["width"].value == 0.02
    assert "1 clips of ten seconds" in tables[-1].notes[0]  # the flute of the stage


def test_openmic_brings_its_own_features(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "openmic"
    folder.mkdir()
    write_openmic(
        folder, [f"{track:06d}_0" for track in range(46, 66)], ["140001_0", "140002_0", "140003_0"], 0.2
    )
    runs, report = tmp_path / "runs", tmp_path / "report.json"
    assert run("audioset", runs, "--openmic", str(folder), "--set", "epochs=2") == 0
    head = load_attention(runs / "audioset" / "seed-0" / ATTENTION_FILE)[0]
    assert head.config.classes == CLASSES
    assert float((head.least + head.span).max()) > 200  # bytes, scaled to 0…1
    words = [
        "attention",
        "--openmic",
        str(folder),
        "--runs",
        str(runs),
        "--device",
        "cpu",
        "--json",
        str(report),
    ]
    assert evaluation.main(words) == 0
    assert read_report(report).tables[0].rows[0].figures["published"].value == 0.81
    capsys.readouterr()


def test_unlabelled_entries_teach_nothing() -> None:
    share = torch.tensor([[0.9, 0.2], [0.4, 0.7]], requires_grad=True)
    truth, known = torch.tensor([[True, True], [False, True]]), torch.tensor([[True, False], [True, False]])
    loss = masked_cross_entropy(share, truth, known)
    assert float(loss.detach()) == pytest.approx(-(np.log(0.9) + np.log(0.6)) / 2, rel=1e-5)
    loss.backward()
    assert share.grad is not None
    assert (share.grad[:, 1] == 0).all()
    assert (share.grad[:, 0] != 0).all()
    assert float(masked_cross_entropy(share.detach(), truth, torch.zeros_like(known))) == 0
    assert masked_cross_entropy(torch.tensor([[0.0, 1.0]]), truth[:1], known[:1]).isfinite()


def test_log_mel_has_the_moments_of_a_second_and_musicnn_a_window_for_each() -> None:
    patches = VggishLogMel()(torch.randn(2, SECONDS * RATE))
    found = moments(patches)
    assert found.shape == (2, 10, 128)
    assert torch.allclose(found[0, 3, :64], patches[0, 3].mean(dim=0), atol=1e-5)
    assert torch.allclose(found[0, 3, 64:], patches[0, 3].std(dim=0), atol=1e-4)
    image = torch.arange(626.0)[None, :, None].expand(1, 626, 96)
    cut = windows(image)
    assert cut.shape == (1, 8, 187, 96)
    assert cut[0, :, 0, 0].tolist() == [round(second * 62.5) for second in range(8)]


def test_musicnn_hears_a_clip_by_its_windows(tmp_path: Path) -> None:
    network, path = Musicnn().eval(), tmp_path / "musicnn.safetensors"
    save_checkpoint(network, CheckpointHeader("musicnn", {}), path)
    wave = 0.1 * torch.randn(1, 4 * RATE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = hear_by(MUSICNN, path, torch.device("cpu"))(wave)
        image = network.log_mel(wave)
        assert found.shape == (1, 2, 200)
        assert torch.allclose(
            found[0, 1], network.features_of(image[:, 62 : 62 + WINDOW_FRAMES])[0], atol=1e-4
        )


@pytest.mark.parametrize(
    ("kind", "more", "reason"),
    [
        ("log-mel", [], "one of them"),
        ("log-mel", ["--data", "DATA", "--openmic", "DATA"], "one of them"),
        ("log-mel", ["--openmic", "DATA"], "class-map.json is not of OpenMIC's form"),
        ("musicnn", ["--data", "DATA"], "--musicnn FILE"),
        ("textual", ["--data", "DATA"], "give --bank"),
        ("audioset", ["--data", "DATA"], "come with OpenMIC-2018 alone"),
        ("log-mel", ["--data", "DATA", "--set", "epochs=0"], "epochs is 0"),
        (
            "log-mel",
            ["--data", "DATA", "--set", "network.normalisation='layer'"],
            "known are batch and group",
        ),
        ("random", ["--data", "DATA", "--set-extractor", "network.width=3"], "width is 3"),
        ("log-mel", ["--data", "DATA", "--seeds", "0"], "--seeds is 0"),
    ],
)
def test_mistakes_are_told(
    data: Path, tmp_path: Path, kind: str, more: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(kind, tmp_path, *(str(data) if word == "DATA" else word for word in more)) == 2
    assert reason in capsys.readouterr().err


def test_runs_of_another_width_or_of_other_classes_are_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    assert run("random", runs, "--data", str(data), "--set", "epochs=1") == 0
    assert run("random", runs, "--data", str(data), "--set-extractor", "network.width=0.03") == 2
    assert "another width than 0.03" in capsys.readouterr().err
    folder = tmp_path / "openmic"
    folder.mkdir()
    write_openmic(folder, ["000046_0"], ["140001_0"], 0.2)
    assert (
        evaluation.main(["attention", "--openmic", str(folder), "--runs", str(runs), "--device", "cpu"]) == 2
    )
    assert "tells flute, string; the clips have accordion" in capsys.readouterr().err
    assert evaluation.main(["attention", "--data", str(data), "--runs", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err
