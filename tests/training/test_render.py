"""Rendering is one function of its plan: the same bytes whatever the workers, the kills and the restarts."""

import json
from pathlib import Path

import numpy as np
import pytest

import training.render_plan as render_plan
from index.sources.default import default_soundfont
from models.errors import TrainingError
from tests.training.tiny_notes import slots, write_instrument, write_midi
from training.bank import Bank
from training.note_bank import SampledInstrument
from training.render import THREAD_LIMITS, Renderer, main, render
from training.render_plan import Plan, Sources, make_plan
from training.splits import Row

NUM_INSTRUMENTS, CLIPS = 18, 2  # two shards


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    folder = tmp_path_factory.mktemp("sources")
    for number in range(NUM_INSTRUMENTS):
        write_instrument(folder, f"tone_{number:02d}", "zyn", slots(overtones=(1, 0.1 * number)))
    notes = [(50 + i % 20, 0.3 * i, 0.3 * i + 0.4) for i in range(60)]
    for number in range(20):  # some of these are held out by the hash of their names
        write_midi(folder / f"midi/{number}.mid", [(0, 40, notes)])
    return Sources(folder, (), folder / "midi", folder / "phrases.npz")


@pytest.fixture(scope="module")
def plan(sources: Sources) -> Plan:
    manifest = {f"tone_{number:02d}": Row(split="train", group=number) for number in range(NUM_INSTRUMENTS)}
    return make_plan(sources, manifest, split="train", clips=CLIPS, seed=3)


@pytest.fixture(scope="module")
def rendered(plan: Plan, sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bank")
    render(plan, sources, folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_rendered_bank_is_whole_audible_and_level(rendered: Path) -> None:
    bank = Bank.open(rendered)
    clips = bank.rows(range(bank.num_clips))
    assert clips.shape == (NUM_INSTRUMENTS * CLIPS, 80_000)
    peak_db = 20 * np.log10(np.abs(clips.astype(np.float64)).max(axis=1) / 32767)
    assert peak_db.max() <= -2.99
    assert peak_db.min() >= -9.01
    assert len(np.unique(clips, axis=0)) == len(clips)
    assert not list(rendered.glob("*.tmp"))


def test_the_bytes_do_not_depend_on_the_workers(
    plan: Plan, sources: Sources, rendered: Path, tmp_path: Path
) -> None:
    render(plan, sources, tmp_path, workers=2)
    assert contents(tmp_path) == contents(rendered)


def test_a_killed_run_carries_on_to_the_same_bytes(
    plan: Plan, sources: Sources, rendered: Path, tmp_path: Path
) -> None:
    """A kill leaves the plan, whole shards and at most half-written temporary files."""
    for name in ("plan.json", "shard_00001.npy"):
        (tmp_path / name).write_bytes((rendered / name).read_bytes())
    kept = (tmp_path / "shard_00001.npy").stat().st_mtime_ns
    (tmp_path / "shard_00000.npy.tmp").write_bytes(b"half")
    with pytest.raises(TrainingError):
        Bank.open(tmp_path)
    render(plan, sources, tmp_path)
    assert contents(tmp_path) == contents(rendered)
    assert (tmp_path / "shard_00001.npy").stat().st_mtime_ns == kept


def test_a_failure_in_the_middle_leaves_what_was_done(
    plan: Plan, sources: Sources, rendered: Path, tmp_path: Path
) -> None:
    broken = Sources(tmp_path / "notes", (), sources.midi, sources.cache)
    for number in range(16):  # the second shard's instruments are missing here
        write_instrument(tmp_path / "notes", f"tone_{number:02d}", "zyn", slots(overtones=(1, 0.1 * number)))
    with pytest.raises(TrainingError, match="tone_16"):
        render(plan, broken, tmp_path / "bank")
    assert (tmp_path / "bank/shard_00000.npy").exists()
    render(plan, sources, tmp_path / "bank")
    assert contents(tmp_path / "bank") == contents(rendered)


def test_another_plan_is_refused_in_the_same_folder(plan: Plan, sources: Sources, rendered: Path) -> None:
    manifest = {row.id: Row(split="train", group=0) for row in plan.instruments}
    other = make_plan(sources, manifest, split="train", clips=CLIPS, seed=4)
    before = contents(rendered)
    with pytest.raises(TrainingError, match="other settings"):
        render(other, sources, rendered)
    assert contents(rendered) == before


def test_a_clip_depends_on_its_number_not_on_those_before(
    plan: Plan, sources: Sources, rendered: Path
) -> None:
    renderer = Renderer(plan, sources)
    instrument = renderer.load("tone_05")
    np.testing.assert_array_equal(renderer.clip(instrument, 1), Bank.open(rendered).clip(5 * CLIPS + 1))


def test_train_and_the_other_sides_share_no_midi_file(plan: Plan, sources: Sources) -> None:
    manifest = {
        "tone_00": Row(split="validation", group=0, probe=True),
        "tone_01": Row(split="train", group=1),
    }
    held = make_plan(sources, manifest, split="validation", clips=1, seed=3)
    assert (plan.held_midi, held.held_midi) == (False, True)
    assert [(row.id, row.probe) for row in held.instruments] == [("tone_00", True)]


def test_an_instrument_that_stays_silent_is_named(tmp_path: Path, plan: Plan) -> None:
    write_instrument(tmp_path, "ghost", "zyn", slots(silent=range(7)))
    sources = Sources(tmp_path, (), None, None)
    manifest = {"ghost": Row(split="train", group=0)}
    renderer = Renderer(make_plan(sources, manifest, split="train", clips=1, seed=1), sources)
    ghost, silent = renderer.load("ghost"), renderer.load("ghost")
    assert np.abs(renderer.clip(ghost, 0)).max() > 0
    assert isinstance(silent, SampledInstrument)
    for slot in silent.slots:
        slot.samples[:] = 0
    with pytest.raises(TrainingError, match="ghost"):
        renderer.clip(silent, 0)


def test_the_command_renders_presets_of_the_default_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in THREAD_LIMITS:
        monkeypatch.setenv(name, "1")  # which the command sets for its workers, and only here is undone
    rows = {
        f"timgm6mb_000_{p:03d}": {"split": "test-default", "group": p, "probe": True} for p in (0, 40, 73)
    }
    rows["timgm6mb_000_001"] = {"split": "excluded", "group": 9, "near": "x"}
    (tmp_path / "splits.json").write_text(json.dumps(rows))
    arguments = (
        f"--soundfont default --splits {tmp_path}/splits.json --split test-default --clips 2 --workers 1"
    )
    out = ["--out", str(tmp_path / "bank")]
    assert main([*arguments.split(), *out]) == 0
    bank = Bank.open(tmp_path / "bank")
    assert [row.family for row in bank.instruments] == ["keyboard", "string", "flute"]
    assert {row.source for row in bank.instruments} == {"TimGM6mb.sf2"}
    assert main([*arguments.split(), *out, "--seed", "2"]) == 2
    assert "other settings" in capsys.readouterr().err


def test_a_split_nobody_has_is_refused(sources: Sources) -> None:
    with pytest.raises(TrainingError, match="no instrument of the split train"):
        render_plan.find_instruments(sources, {}, "train", 16_000)
    fonts = Sources(None, (default_soundfont(),), None, None)
    with pytest.raises(TrainingError, match="no instrument of the split train"):
        render_plan.find_instruments(fonts, {}, "train", 16_000)
