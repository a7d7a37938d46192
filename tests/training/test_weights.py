"""The chain of shipped recipes: its content, and how a chain runs, resumes, skips and releases."""

from dataclasses import replace
from pathlib import Path

import pytest

from models.checkpoint import file_hash, load_checkpoint
from models.encoder_pair import MULTI_FILE, SINGLE_FILE, WEIGHTS, EncoderPair
from models.errors import TrainingError
from tests.training.evaluation.held_out_bank import write_splits
from tests.training.tiny_runs import CPU
from training import weights
from training.bank import Bank
from training.config import CONFIGS, load_recipe, same_recipe
from training.loop import STATE_FILE
from training.weights import STAGES_FILE, TrainingBanks, TrainingChain, read_stages

MUON = ['optimizer.name = "muon"', "optimizer.learning_rate = 1e-3"]
# Each stage as the former commands said: a recipe, overrides, and the stages given as --start and --single.
COMMANDS = {
    "01-single": ("ours-single", [], None, None),
    "02-multi": ("ours-multi", [], None, "01-single"),
    "03-multi-effects": (
        "ours-multi-effects",
        ["steps = 1400", "mixing.curriculum_steps = 0", "optimizer.learning_rate = 1e-3"],
        "02-multi",
        "01-single",
    ),
    "04-multi-mel": ("ours-multi-mel", [], "03-multi-effects", "01-single"),
    "05-multi-posterior": (
        "ours-multi-mel",
        ["steps = 1200", "optimizer.learning_rate = 6e-4", "multi.posterior = 1.0"],
        "04-multi-mel",
        "01-single",
    ),
    "06-single-margin": ("ours-single-mel", ["steps = 2000"], "01-single", None),
    "07-multi-retargeted": (
        "ours-multi-mel",
        ["steps = 1618", "optimizer.learning_rate = 1e-3", "multi.posterior = 1.0"],
        "05-multi-posterior",
        "06-single-margin",
    ),
    "08-single-heavy": ("ours-single-heavy", [], "06-single-margin", None),
    "09-single-real": ("ours-single-real", [], "08-single-heavy", None),
    "10-multi-real": ("ours-multi-real", [], "07-multi-retargeted", "09-single-real"),
    "11-multi-real": ("ours-multi-real", ["steps = 3600"], "10-multi-real", "09-single-real"),
    "12-multi-real": (
        "ours-multi-real",
        ["steps = 1200", "seed = 1", "optimizer.learning_rate = 7e-4"],
        "11-multi-real",
        "09-single-real",
    ),
    "13-multi-changed": (
        "ours-multi-real",
        ["steps = 1200", "seed = 2", *MUON],
        "12-multi-real",
        "09-single-real",
    ),
    "14-multi-synth": (
        "ours-multi-real",
        ["steps = 1800", "seed = 3", *MUON],
        "13-multi-changed",
        "09-single-real",
    ),
    "15-single-changed": ("ours-single-real", ["steps = 2400", "seed = 3", *MUON], "09-single-real", None),
    "16-multi-real": (
        "ours-multi-real",
        ["steps = 3000", "seed = 3", "mixing.recorded_share = 0.5", "multi.family = 0.5", *MUON],
        "14-multi-synth",
        "15-single-changed",
    ),
}
# The banks of each stage beside the renderings: those that it hears as they are, and those whose instruments are changed.
BANKS_OF_STAGE = {
    "09-single-real": (["real"], []),
    "10-multi-real": (["real"], []),
    "11-multi-real": (["real"], []),
    "12-multi-real": (["real"], []),
    "13-multi-changed": (["real"], ["rendered"]),
    "14-multi-synth": (["real", "synth"], ["rendered", "real"]),
    "15-single-changed": (["real"], ["real"]),
    "16-multi-real": (["real", "synth"], ["rendered", "real"]),
}
TINY_STAGES = """
[a-single]
[b-multi]
single = "a-single"
[c-single]
start = "a-single"
[d-multi]
single = "c-single"
start = "b-multi"
also = ["real"]
"""
STEPS = 2


def test_shipped_stages_are_the_former_commands() -> None:
    stages = {stage.name: stage for stage in read_stages()}
    assert list(stages) == list(COMMANDS)
    for name, (config, overrides, start, single) in COMMANDS.items():
        stage = stages[name]
        assert (list(stage.also), list(stage.changed)) == BANKS_OF_STAGE.get(name, ([], []))
        assert (stage.recipe, stage.start, stage.single) == (
            load_recipe(Path(config), overrides),
            start,
            single,
        )


@pytest.mark.parametrize(
    ("name", "file"), [("15-single-changed", SINGLE_FILE), ("16-multi-real", MULTI_FILE)]
)
def test_shipped_weights_come_from_the_last_stages(name: str, file: str) -> None:
    recipe = load_recipe(Path(f"shipped/{name}"))
    _, header = load_checkpoint(WEIGHTS / file)
    assert same_recipe(header.training["recipe"], recipe)
    assert not same_recipe(header.training["recipe"], replace(recipe, seed=recipe.seed + 1))


def test_every_shipped_recipe_says_what_it_does() -> None:
    for stage in read_stages():
        first = (CONFIGS / f"shipped/{stage.name}.toml").read_text().splitlines()[0]
        assert first.startswith(f"# Stage {int(stage.name[:2])}, {stage.recipe.kind} encoder ")


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    write_splits(folder, {"train": (4, 7), "valid": (10, 7)}, clip_samples=8_000)
    return folder


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain of four tiny stages."""
    folder = tmp_path_factory.mktemp("stages")
    tiny = (CONFIGS / "tiny.toml").read_text().replace("steps = 6", f"steps = {STEPS}")
    (folder / STAGES_FILE).write_text(TINY_STAGES)
    for name in ("a-single", "b-multi", "c-single", "d-multi"):
        (folder / f"{name}.toml").write_text(tiny.replace('"multi"', f'"{name[2:]}"', 1))
    return folder


@pytest.fixture(scope="module")
def finished(bank: Path, stages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of a chain that was trained and released in one call."""
    runs = tmp_path_factory.mktemp("runs")
    assert weights.main(arguments(bank, stages, runs)) == 0
    return runs


def arguments(bank: Path, stages: Path, runs: Path, *more: str) -> list[str]:
    paths = ["--bank", str(bank), "--real", str(bank), "--stages", str(stages), "--runs", str(runs)]
    return [*paths, "--device", "cpu", *more]


def test_a_stage_hears_the_banks_that_it_names(bank: Path, stages: Path) -> None:
    *others, last = read_stages(stages)
    whole = Bank.open(bank)
    assert all(TrainingBanks(whole).heard_in(stage) is whole for stage in others)
    with pytest.raises(TrainingError, match="d-multi learns from real clips"):
        TrainingBanks(whole).heard_in(last)
    banks, number = TrainingBanks(whole, real=whole, synth=whole), len(whole.instruments)
    assert len(banks.heard_in(last).instruments) == 2 * number
    with pytest.raises(TrainingError, match="d-multi learns from synth clips"):
        TrainingBanks(whole, whole).heard_in(replace(last, also=("real", "synth")))
    every = replace(last, also=("real", "synth"), changed=("rendered", "real"))  # patches are not changed
    everything = banks.heard_in(every).instruments
    assert len(everything) == 5 * number
    assert len({one.id for one in everything}) == 2 * number


def checkpoints(runs: Path) -> dict[str, str]:
    """Return the hashes of all encoders under a folder, by relative path."""
    return {
        path.relative_to(runs).as_posix(): file_hash(path) for path in sorted(runs.rglob("*.safetensors"))
    }


def test_a_chain_ends_with_a_released_pair(finished: Path) -> None:
    pair = EncoderPair.load(finished / "weights", "cpu")
    assert pair.encoder_hash == file_hash(finished / "c-single" / SINGLE_FILE)
    _, first = load_checkpoint(finished / "b-multi" / MULTI_FILE)
    _, last = load_checkpoint(finished / "weights" / MULTI_FILE)
    assert first.target_encoder == file_hash(finished / "a-single" / SINGLE_FILE)
    assert last.training["start"] == file_hash(finished / "b-multi" / MULTI_FILE)
    assert "map_macro" in last.metrics
    assert "absence_auroc" in pair.calibrated_match().metrics


def test_a_chain_stopped_after_every_step_ends_the_same(
    bank: Path, stages: Path, finished: Path, tmp_path: Path
) -> None:
    chain, banks = (
        TrainingChain(read_stages(stages), tmp_path),
        TrainingBanks(Bank.open(bank), Bank.open(bank)),
    )
    calls, stopped = 1, set()
    while not chain.train(banks, CPU, 0.0):
        calls += 1  # each ends after the first step of a stage
        stopped.add(max(path.parent.name for path in tmp_path.glob(f"*/{STATE_FILE}")))
    assert calls > len(chain.stages)
    assert "b-multi" in stopped
    expected = {
        name: value for name, value in checkpoints(finished).items() if not name.startswith("weights/")
    }
    assert checkpoints(tmp_path) == expected


def test_finished_stages_and_releases_are_skipped(
    bank: Path, stages: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    assert weights.main(arguments(bank, stages, finished)) == 0
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()} == before
    assert capsys.readouterr().out.count(": finished") == 4


def test_minutes_end_a_chain_that_continues(
    bank: Path, stages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert weights.main(arguments(bank, stages, tmp_path, "--minutes", "0")) == 0
    assert "the same command continues" in capsys.readouterr().out
    assert [path.parent.name for path in tmp_path.glob(f"*/{STATE_FILE}")] == ["a-single"]


def test_other_weights_are_not_overwritten(
    bank: Path, stages: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for runs in (finished, tmp_path):
        assert weights.main(arguments(bank, stages, runs, "--out", str(WEIGHTS))) == 2
    assert capsys.readouterr().err.count("holds other weights") == 2
    assert not list(tmp_path.iterdir())  # refused before training


def test_a_stage_of_another_recipe_is_not_taken(
    bank: Path, stages: Path, finished: Path, tmp_path: Path
) -> None:
    for name in ("a-single", "b-multi", "c-single", "d-multi"):
        (tmp_path / f"{name}.toml").write_text((stages / f"{name}.toml").read_text())
    (tmp_path / STAGES_FILE).write_text(TINY_STAGES)
    with (tmp_path / "b-multi.toml").open("a") as file:
        file.write("cell_rivals = 'batch'\n")
    before = checkpoints(finished)
    with pytest.raises(TrainingError, match=r"b-multi.* comes from another recipe"):
        TrainingChain(read_stages(tmp_path), finished).train(TrainingBanks(Bank.open(bank)), CPU)
    assert checkpoints(finished) == before


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[a-single]\n[b-multi]\n", "b-multi cannot have single = None"),
        ("[a-single]\n[b-multi]\nsingle = 'c-single'\n", "b-multi cannot have single = 'c-single'"),
        (
            "[a-single]\n[b-multi]\nsingle = 'a-single'\nstart = 'a-single'\n",
            "cannot have start = 'a-single'",
        ),
        ("[a-single]\nsingle = 'a-single'\n", "a-single cannot have single"),
        ("[a-single]\n", "last stage must train a multi encoder"),
        ("[a-single]\nfrom = 'b-multi'\n", "cannot be read"),
        ("[a-single]\nchanged = ['noise']\n", "names the bank 'noise', not rendered, real, synth"),
        ("[e-multi]\n", "no recipe"),
    ],
)
def test_mistakes_in_the_table_are_named(stages: Path, tmp_path: Path, table: str, message: str) -> None:
    for path in stages.glob("*-*.toml"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / STAGES_FILE).write_text(table)
    with pytest.raises(TrainingError, match=message):
        read_stages(tmp_path)
