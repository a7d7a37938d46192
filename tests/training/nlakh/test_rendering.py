"""Rendering is a function of its specification and inputs: the same bytes with any workers, kills and restarts."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import TrainingError
from tests.training.nlakh.conftest import FAMILIES
from tests.training.nlakh.tiny_sets import CLIPS, MIXTURES, arguments, render
from tests.training.tiny_notes import slots, write_instrument, write_midi
from training.bank import Bank
from training.nlakh.command import main
from training.nlakh.dataset import Dataset, DatasetInstrument, Kind, read_dataset
from training.nlakh.dataset_check import check_dataset
from training.nlakh.instrument_selection import InstrumentCollection
from training.nlakh.multi import InstrumentPool
from training.nlakh.spec import RenderPlan, RenderSpec
from training.sections import SectionTrack
from training.splits import SplitRow, write_manifest


@pytest.fixture(scope="module")
def multi(notes: Path, midi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "multi"
    render(notes, midi, out, "multi", "folders")
    return out


def test_clips_are_whole_audible_level_and_different(single: Path) -> None:
    dataset = read_dataset(single)
    for split in ("train", "valid"):
        bank = Bank.open(single, split)
        clips = bank.rows(range(bank.num_clips))
        peak_db = 20 * np.log10(np.abs(clips.astype(np.float64)).max(axis=1) / 32767)
        assert clips.shape == (dataset.splits[split].instruments * CLIPS, 80_000)
        assert -9.01 <= peak_db.min() <= peak_db.max() <= -2.99
        assert len({clip.tobytes() for clip in clips}) == len(clips)
    assert sum(info.instruments for info in dataset.splits.values()) == 12
    assert dataset.splits["train"].hours == round(len(dataset.of_split("train")) * CLIPS * 5 / 3600, 4)
    assert dataset.families["flute"] == {"instruments": 3, "clips": 9}


def test_stems_sum_to_their_mixture_and_are_of_different_instruments(multi: Path) -> None:
    assert not list(check_dataset(multi))
    bank, dataset = Bank.open(multi, kind="multi"), read_dataset(multi)
    assert bank.num_mixtures == MIXTURES
    for mixture in range(MIXTURES):
        players = bank.instrument_of_clip[bank.offsets[mixture] : bank.offsets[mixture + 1]]
        assert 2 <= len(players) <= len(FAMILIES)
        assert len(set(players)) == len(players)
        families = [bank.instruments[place].family for place in players]
        assert len(set(families)) == len(families)  # each file has one track of each family
    assert sum(dataset.instruments_per_mixture.values()) == MIXTURES
    assert sum(row["clips"] for row in dataset.families.values()) == bank.num_clips


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_both_layouts_hold_the_same_samples(
    kind: Kind, single: Path, multi: Path, notes: Path, midi: Path, tmp_path: Path
) -> None:
    render(notes, midi, tmp_path / "compact", kind)
    one = Bank.open(single if kind == "single" else multi, kind=kind)
    other = Bank.open(tmp_path / "compact", kind=kind)
    assert one.instruments == other.instruments
    np.testing.assert_array_equal(one.rows(range(one.num_clips)), other.rows(range(other.num_clips)))
    np.testing.assert_array_equal(one.instrument_of_clip, other.instrument_of_clip)
    np.testing.assert_array_equal(one.offsets, other.offsets)


def test_a_finished_folder_is_left_alone_and_another_is_refused(
    single: Path, notes: Path, midi: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in single.rglob("*")}
    assert isinstance(render(notes, midi, single, layout="folders"), Dataset)
    assert {path: path.stat().st_mtime_ns for path in single.rglob("*")} == before
    with pytest.raises(TrainingError, match="another finished data set"):
        render(notes, None, single, layout="folders")
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(TrainingError, match=r"mine\.txt"):
        render(notes, midi, tmp_path)
    assert os.listdir(tmp_path) == ["mine.txt"]  # noqa: PTH208


def test_the_probes_alone_can_be_mixed(notes: Path, midi: Path, tmp_path: Path) -> None:
    keys = [f"{family}_{number}" for family in ("bass", "flute", "organ", "string") for number in range(3)]
    rows: dict[str, SplitRow] = {key: {"split": "train", "group": place} for place, key in enumerate(keys)}
    for key in keys[::3]:
        rows[key]["probe"] = True
    write_manifest(tmp_path / "splits.json", rows)
    made = render(notes, midi, tmp_path / "out", "multi", manifest=tmp_path / "splits.json")
    assert [row.id for row in made.instruments] == keys[::3]
    assert all(row.probe for row in made.instruments)


def test_instruments_of_unknown_family_play_tracks_of_pads_and_effects_too(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    for key, family in {"fingered": "bass", "pad": "synth_pad", "noise": "effect", "twerp": None}.items():
        write_instrument(tmp_path, key, "zyn", slots(), family=family)
    collection = InstrumentCollection([tmp_path])
    rows = tuple(
        DatasetInstrument(number, one.id, one.id, one.family, one.source, "train")
        for number, one in enumerate(collection, 1)
    )
    spec = RenderSpec(kind="multi", layout="compact", counts=(("train", 1),))
    pool = InstrumentPool(RenderPlan(spec, rows), collection, "train", 0)
    players: dict[str, set[str]] = {}
    for family in ("bass", "flute", "synth_pad", "effect"):
        drawn = [pool.assign(rng, (SectionTrack(family, False, ()),)) for _ in range(50)]
        players[family] = {instrument.id for assigned in drawn for _, instrument, _ in assigned}
    pads, effects = {"pad", "twerp"}, {"noise", "twerp"}
    assert players == {"bass": {"fingered"}, "flute": set(), "synth_pad": pads, "effect": effects}


def test_a_half_rendered_folder_belongs_to_its_settings(notes: Path, midi: Path, tmp_path: Path) -> None:
    (tmp_path / ".rendering").mkdir()
    (tmp_path / ".rendering/plan.json").write_text(json.dumps({"digest": "another"}))
    with pytest.raises(TrainingError, match="other settings"):
        render(notes, midi, tmp_path)
    (tmp_path / ".rendering/plan.json").write_text("{")
    with pytest.raises(TrainingError, match="cannot be read"):
        render(notes, midi, tmp_path)


def test_a_folder_that_an_earlier_version_half_rendered_is_refused(
    single: Path, notes: Path, midi: Path, tmp_path: Path
) -> None:
    (tmp_path / ".rendering").mkdir()
    for families in ({}, {"families": ["bass", "drum"]}):  # it kept none, or knows fewer
        kept = {"digest": read_dataset(single).request, "instruments": [], "faults": []} | families
        (tmp_path / ".rendering/plan.json").write_text(json.dumps(kept))
        with pytest.raises(TrainingError, match="by an earlier version"):
            render(notes, midi, tmp_path, layout="folders")


def test_what_cannot_be_used_is_named_and_the_rest_rendered(
    notes: Path, midi: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loops = tmp_path / "loops"
    loops.mkdir()
    (loops / "noise.wav").write_bytes(next(notes.rglob("*.wav")).read_bytes())
    (tmp_path / "midi").mkdir()
    (tmp_path / "midi/good.mid").write_bytes((midi / "0.mid").read_bytes())
    (tmp_path / "midi/broken.mid").write_bytes(b"MThd, but no more")
    out = tmp_path / "out"
    command = arguments(notes, tmp_path / "midi", out, "single", "--clips", "1", "--notes", str(loops))
    assert main(command) == 0
    told = " ".join(capsys.readouterr().err.split())
    faults = dict(read_dataset(out).faults)
    assert "no MIDI can play it" in next(why for what, why in faults.items() if "noise" in what)
    assert "broken.mid" in faults
    assert "broken.mid" in told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--clips", "none"], "'none'"),
        (["--clips", "0"], "'0'"),
        (["--clips", "test-same=2"], "no audible instrument of the split test-same"),
        (["--clips", "1000000000000"], "1 to 1,000,000"),
        (["--clips", "1000001"], "1 to 1,000,000"),
        (["--valid-share", "2"], "valid_share is 2.0, 0.0 to 1.0"),
        (["--valid-share", "nan"], "valid_share is nan"),
        (["--seed", "-1"], "seed is -1"),
        (["--workers", "0"], "workers is 0, 1 to 256"),
        (["--out", __file__], "is a file"),
        (["--out", f"{__file__}/out"], "Not a directory"),
        (["--splits", "nowhere.json"], "nowhere.json"),
        (["--notes", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    more: list[str], told: str, notes: Path, midi: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(notes, midi, tmp_path / "out", "single", *more)) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.rglob("*.wav"))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"max_instruments": 1}, "max_instruments is 1, 2 to 100"),
        ({"level_range_db": float("nan")}, "level_range_db is nan"),
        ({"level_range_db": -3.0}, r"level_range_db is -3\.0"),
        ({"counts": (("train", 0),)}, "count of train is 0"),
    ],
)
def test_what_cannot_be_rendered_is_refused_before_anything_is_read(
    more: dict[str, Any], told: str, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    with pytest.raises(TrainingError, match=told):
        render(nowhere, nowhere, tmp_path / "out", "multi", **more)
    with pytest.raises(TrainingError, match="needs MIDI"):
        render(nowhere, None, tmp_path / "out", "multi")
    assert not list(tmp_path.iterdir())


def test_options_of_the_other_kind_are_refused(notes: Path, midi: Path, tmp_path: Path) -> None:
    for kind, more in (("single", "--mixtures"), ("multi", "--clips"), ("single", "--max-instruments")):
        with pytest.raises(SystemExit):
            main(arguments(notes, midi, tmp_path / "out", kind, more, "4"))


def test_midi_that_the_instruments_cannot_play_together_is_said(
    notes: Path, midi: Path, tmp_path: Path
) -> None:
    """Three organs are one family, so every mixture would have a single part."""
    rows = [json.loads(row) for row in (notes / "index.jsonl").read_text().splitlines()]
    shutil.copytree(notes / "zyn", tmp_path / "zyn")
    organs = [json.dumps(row) for row in rows if row["family"] == "organ"]
    (tmp_path / "index.jsonl").write_text("\n".join(organs))
    with pytest.raises(
        TrainingError, match=r"of train has tracks for two of its instruments \(families: organ\)"
    ):
        render(tmp_path, midi, tmp_path / "out", "multi", valid_share=0.0)


@pytest.mark.parametrize("workers", [1, 2])
def test_midi_without_sections_is_said_before_anything_is_rendered(
    workers: int, notes: Path, tmp_path: Path
) -> None:
    alone = [(0, 33, [(45, 0.4 * i, 0.4 * i + 0.5) for i in range(40)])]
    write_midi(tmp_path / "midi/alone.mid", alone)
    out, counts = tmp_path / "out", (("train", 1_000),)
    with pytest.raises(TrainingError, match="split train hold no section of two tracks"):
        render(notes, tmp_path / "midi", out, "multi", counts=counts, workers=workers)


def test_without_midi_phrases_are_composed(notes: Path, tmp_path: Path) -> None:
    dataset = render(notes, None, tmp_path / "out")
    assert dataset.midi == {}
    assert not list(check_dataset(tmp_path / "out"))
