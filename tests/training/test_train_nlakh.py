"""Training reads both kinds of Nlakh, in either layout, with the same result; a multi encoder starts from a trained one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from models.checkpoint import file_hash, load_checkpoint
from models.encoder_pair import MULTI_FILE, SINGLE_FILE
from tests.training.nlakh.written import instruments, write_multi, write_single
from tests.training.small_bank import SmallBank
from tests.training.tiny_runs import CPU, read_log
from training import train_multi, train_single
from training.clip_store import ClipStore
from training.mixing import Mixer
from training.nlakh.dataset import Layout
from training.targets import Targets
from training.train_multi import Lesson, choose_lesson

SMALL = SmallBank()
PLAYED = [(1, 3), (2, 3, 5), (1, 2, 4), (4, 6), (1, 5), (2, 6)]


def write_both(folder: Path, layout: Layout) -> None:
    """Write the small bank as Nlakh-single and mixtures of its clips as Nlakh-multi."""
    clips = SMALL.rows(np.arange(SMALL.num_clips)) // 4
    write_single(folder / "single", clips, SMALL.instruments, layout=layout)
    mixtures = [[(key, clips[SMALL.clips_per_instrument * (key - 1)]) for key in row] for row in PLAYED]
    write_multi(folder / "multi", mixtures, instruments(6), layout=layout)


def tiny(*more: Path | str) -> list[str]:
    return ["--config", "tiny", "--device", "cpu", *map(str, more)]


def train(folder: Path) -> Path:
    """Train both encoders on the data sets in `folder`; return the folder of the runs."""
    runs = folder / "runs"
    assert train_single.main(tiny("--bank", folder / "single", "--out", runs)) == 0
    pair = ("--single", runs / SINGLE_FILE, "--out", runs / "multi")
    assert train_multi.main(tiny("--mixtures", folder / "multi", *pair)) == 0
    return runs


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compact")
    write_both(folder, "compact")
    train(folder)
    return folder


def test_both_layouts_train_the_same_encoders(compact: Path, tmp_path: Path) -> None:
    write_both(tmp_path, "folders")
    for published in (tmp_path / "single", tmp_path / "multi"):
        (published / "dataset.json").unlink()
    runs = train(tmp_path)
    assert (runs / SINGLE_FILE).read_bytes() == (compact / "runs" / SINGLE_FILE).read_bytes()
    assert (runs / "multi" / MULTI_FILE).read_bytes() == (
        compact / "runs" / "multi" / MULTI_FILE
    ).read_bytes()


def test_a_multi_encoder_starts_from_a_trained_one(compact: Path, tmp_path: Path) -> None:
    runs = compact / "runs"
    still = ["--set", "optimizer.learning_rate = 0.0", "--set", "optimizer.weight_decay = 0.0"]
    pair = (
        "--bank",
        compact / "single",
        "--single",
        runs / SINGLE_FILE,
        "--start",
        runs / "multi" / MULTI_FILE,
    )
    assert train_multi.main([*tiny(*pair, "--out", tmp_path), *still]) == 0
    before, _ = load_checkpoint(runs / "multi" / MULTI_FILE)
    after, header = load_checkpoint(tmp_path / MULTI_FILE)
    assert header.training["start"] == file_hash(runs / "multi" / MULTI_FILE)
    for name, value in before.named_parameters():
        np.testing.assert_array_equal(value.detach().numpy(), after.get_parameter(name).detach().numpy())


def test_what_does_not_fit_is_refused(
    compact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = compact / "runs"
    pair = ("--single", runs / SINGLE_FILE, "--out", tmp_path / "run")
    both = ("--bank", compact / "single", "--mixtures", compact / "multi")
    for wrong, told in (
        ((), "one of --bank and --mixtures"),
        (both, "one of --bank and --mixtures"),
        ((*both[:2], "--set", "mixing.rendered_share = 0.5"), "rendered_share"),
        ((*both, "--set", "mixing.rendered_share = 1.0"), "rendered_share 1.0"),
        (("--bank", compact / "multi"), "Nlakh-multi"),
        (("--mixtures", compact / "single"), "Nlakh-single"),
        (("--bank", compact / "single", "--start", runs / SINGLE_FILE), "holds a single"),
        (
            (*both[:2], "--start", runs / "multi" / MULTI_FILE, "--set", "encoder.embedding_dim = 8"),
            "another network",
        ),
    ):
        assert train_multi.main(tiny(*wrong, *pair)) == 2
        assert told in capsys.readouterr().err


def test_a_multi_encoder_learns_from_random_and_rendered_mixtures(compact: Path, tmp_path: Path) -> None:
    pair = ("--single", compact / "runs" / SINGLE_FILE)
    data = ("--bank", compact / "single", "--mixtures", compact / "multi")
    weights = {}
    for share in (0.01, 0.5, 0.99):
        out = tmp_path / str(share)
        assert (
            train_multi.main(tiny(*data, *pair, "--out", out, "--set", f"mixing.rendered_share = {share}"))
            == 0
        )
        weights[share] = (out / MULTI_FILE).read_bytes()
        assert read_log(out)[-1]["step"] == 6
    assert len(set(weights.values())) == 3
    again = tmp_path / "again"
    options = tiny(*data, *pair, "--out", again, "--set", "mixing.rendered_share = 0.5")
    assert train_multi.main([*options, "--minutes", "1e-6"]) == 0  # stops after a step
    assert train_multi.main([*options, "--resume"]) == 0
    assert (again / MULTI_FILE).read_bytes() == weights[0.5]


def test_batches_are_drawn_from_rendered_mixtures_as_often_as_asked() -> None:
    store = ClipStore(SMALL, CPU)
    targets = Targets(torch.eye(store.num_clips), store)
    lessons = [Lesson(Mixer(store, 2, 2), targets), Lesson(Mixer(store, 2, 2), targets)]
    generator = torch.Generator().manual_seed(0)
    drawn = [choose_lesson(lessons, 0.3, generator) is lessons[1] for _ in range(2_000)]
    assert 0.25 < np.mean(drawn) < 0.35
    before = generator.get_state()
    assert choose_lesson(lessons[:1], 0.3, generator) is lessons[0]
    assert torch.equal(
        before, generator.get_state()
    )  # a run without rendered mixtures draws as it always did
