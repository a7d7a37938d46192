"""Splits: near-duplicates, patch names and GM programs are never in two splits, in a tiny bank and in the manifest."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from index.sources.note_bank import NoteBankSource
from models.errors import TrainingError
from tests.training.real.tiny_real import write_real
from tests.training.tiny_notes import slots, write_instrument
from training.near_duplicates import NEAR_DB, distances, extract_features
from training.slot_audio import recorded_features
from training.splits import (
    EXCLUDED_BANKS,
    Manifest,
    Quota,
    draw,
    exclude_near,
    join,
    make_splits,
    read_manifest,
    shared_names,
    split_default,
    summary,
    write_manifest,
)

SIDES = ("train", "validation", "test-same", "test-engine", "test-recorded", "test-default")
MANIFEST = read_manifest()
NUM_COLOURS = 5
TINY = Quota(probes=2, test_instruments=4)


def test_no_group_of_the_manifest_is_on_two_sides() -> None:
    sides = defaultdict(set)
    for row in MANIFEST.values():
        sides[row["group"]].add(row["split"])
    assert all(len(found) == 1 for found in sides.values())


def test_the_manifest_holds_what_the_evaluation_needs() -> None:
    ids = {side: [key for key, row in MANIFEST.items() if row["split"] == side] for side in SIDES}
    assert len(ids["train"]) >= 1150
    trained = sum(len(ids[side]) for side in ("train", "validation", "test-same"))
    assert len(ids["test-same"]) >= max(100, 0.1 * trained)
    for side in ("validation", "test-same"):
        probes = [MANIFEST[key] for key in ids[side] if MANIFEST[key].get("probe")]
        assert len(probes) == 53
        assert len({row["group"] for row in probes}) == 53
    assert not any(MANIFEST[key].get("probe") for key in ids["train"])
    assert list(MANIFEST) == sorted(MANIFEST)


def test_held_out_sources_of_the_manifest_stay_out_of_train() -> None:
    held = {"amsynth": "test-engine", "timgm6mb": "test-default", "philharmonia": "test-recorded"}
    for key, row in MANIFEST.items():
        side = held.get(key.split("_")[0])
        assert side is None or row["split"] in (side, "excluded")
    assert sum(key.startswith("timgm6mb") for key in MANIFEST) == 128
    near = [row["near"] for row in MANIFEST.values() if "near" in row]
    assert near
    assert all(MANIFEST[key]["split"] == "train" for key in near)


def test_distance_is_level_blind_and_grows_with_the_timbre() -> None:
    made = {
        "a": slots((1, 0.5)),
        "loud": [2 * s for s in slots((1, 0.5))],
        "near": slots((1, 0.52)),
        "far": slots((0.1, 1, 1)),
    }
    features = extract_features(made.items())
    apart = distances(features.features, features.sounds, features.features, features.sounds)
    np.testing.assert_allclose(apart, apart.T, atol=1e-4)
    assert apart[0, 1] < 0.01 < apart[0, 2] < NEAR_DB < apart[0, 3]
    assert features.near_pairs() == [("a", "loud"), ("a", "near"), ("loud", "near")]


def test_instruments_with_few_shared_notes_are_not_compared() -> None:
    features = extract_features([("low", slots(silent=(4, 5, 6))), ("high", slots(silent=(0, 1, 2, 3)))])
    assert np.isinf(distances(features.features, features.sounds, features.features, features.sounds)[0, 1])


def test_join_makes_connected_groups() -> None:
    links = [["a", "b"], ["c", "d", "e"], ["b", "d"], ["f"]]
    assert join("abcdefg", links) == [["a", "b", "c", "d", "e"], ["f"], ["g"]]


def tiny_bank(folder: Path) -> NoteBankSource:
    generator = np.random.default_rng(1)
    for number in range(NUM_COLOURS):
        colour = slots(list(generator.random(8)))
        write_instrument(folder, f"patch_{number}", "zyn", colour, bank="Misc", name=f"Patch {number}")
        copy = [0.9 * slot for slot in colour]
        write_instrument(folder, f"copy_{number}", "zyn", copy, bank="Collection", name=f"Other {number}")
        write_instrument(
            folder, f"font_{number}", "soundfont", slots(list(generator.random(8))), gm_program=number
        )
    write_instrument(
        folder, "patch_name", "zyn", slots(list(generator.random(8))), bank="Collection", name="patch-0"
    )
    write_instrument(folder, "tick", "zyn", slots(), bank=min(EXCLUDED_BANKS), name="Tick")
    write_instrument(folder, "mute", "zyn", slots(silent=range(6)), bank="Misc", name="Mute")
    write_instrument(folder, "held", "amsynth", slots(), name="Held")
    return NoteBankSource(folder)


def test_a_tiny_bank_is_split_by_its_groups(tmp_path: Path) -> None:
    bank = tiny_bank(tmp_path)
    assert ["patch_0", "patch_name"] in shared_names(bank)  # without case and signs
    rows = make_splits(tmp_path, quota=TINY, progress=False)
    for number in range(NUM_COLOURS):
        assert rows[f"patch_{number}"]["group"] == rows[f"copy_{number}"]["group"]
    assert rows["patch_0"]["group"] == rows["patch_name"]["group"]
    assert rows["patch_0"]["group"] != rows["patch_1"]["group"]
    assert (rows["tick"]["split"], rows["mute"]["split"]) == ("excluded", "excluded")
    assert rows["held"] == {"split": "test-engine", "group": rows["held"]["group"], "probe": True}
    for side in ("validation", "test-same"):
        assert sum(row["split"] == side and row.get("probe", False) for row in rows.values()) == TINY.probes
    assert any(row["split"] == "train" for row in rows.values())
    assert rows == make_splits(tmp_path, quota=TINY, progress=False)


def test_patches_that_we_render_ourselves_are_trained_on(tmp_path: Path) -> None:
    tiny_bank(tmp_path)
    write_instrument(tmp_path, "dssi_0", "synth", slots((0.1, 0.2, 1.0, 0.4)), bank="built-in", name="Nasal")
    row = make_splits(tmp_path, quota=TINY, progress=False)["dssi_0"]
    assert row["split"] in ("train", "validation", "test-same")


def test_the_draw_is_deterministic_disjoint_and_in_proportion() -> None:
    groups = [[f"s{i}"] for i in range(400)] + [[f"f{i}_{j}" for j in range(3)] for i in range(80)]
    groups.append([f"giant_{i}" for i in range(40)])
    kind = {key: "soundfont" if key[0] == "f" else "synthesiser" for group in groups for key in group}
    validation, test = draw(groups, kind, 1, Quota())
    assert (validation, test) == draw(groups, kind, 1, Quota())
    assert draw(groups, kind, 2, Quota()) != (validation, test)
    assert len(validation) == 53 <= len(test)
    assert not set(validation) & set(test)
    assert len(groups) - 1 not in validation + test
    assert sum(len(groups[number]) for number in test) >= 100
    fonts = sum(len(groups[number]) == 3 for number in validation)
    assert fonts == round(53 * 240 / 680)


def test_a_bank_too_small_to_draw_from_is_refused() -> None:
    with pytest.raises(TrainingError, match="too few"):
        draw([["a"], ["b"]], {"a": "soundfont", "b": "soundfont"}, 1, Quota())


def test_a_bank_with_nothing_to_draw_from_or_to_hear_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="0 groups are too few"):
        draw([], {}, 1, Quota())
    write_instrument(tmp_path, "mute", "zyn", slots(silent=range(6)))
    with pytest.raises(TrainingError, match="sounding notes"):
        make_splits(tmp_path, progress=False)


@pytest.mark.parametrize("text", ["[]", '{"a": 1}', '{"a": {"group": 3}}', '{"a": {"split": 1, "group": 1}}'])
def test_a_file_of_another_form_is_no_manifest(text: str, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text(text)
    with pytest.raises(TrainingError, match="no split manifest"):
        read_manifest(tmp_path / "splits.json")


def test_default_presets_near_train_are_left_out() -> None:
    manifest = Manifest()
    manifest.add_group("train", ["trained"])
    manifest.add_group("test-same", ["tested"])
    trained = extract_features([("trained", slots((1, 0.5))), ("tested", slots((0.1, 1, 1)))])
    split_default(manifest, extract_features([("p0", slots((1, 0.5))), ("p1", slots((0.1, 1, 1)))]), trained)
    assert manifest.rows["p0"]["split"] == "excluded"
    assert manifest.rows["p0"]["near"] == "trained"
    assert manifest.rows["p1"]["split"] == "test-default"


def test_held_out_instruments_near_recorded_ones_are_left_out() -> None:
    """Training instruments stay, whatever they resemble."""
    colours = {"held": (1, 0.5), "other": (0.1, 1, 1), "trained": (1, 0.5)}
    manifest = Manifest()
    for key in colours:
        manifest.add_group("train" if key == "trained" else "test-same", [key], key)
    sounds = extract_features((key, slots(colour)) for key, colour in colours.items())
    exclude_near(manifest, sounds, extract_features([("recorded", slots((1, 0.5)))]))
    assert (manifest.rows["held"]["split"], manifest.rows["held"]["near"]) == ("excluded", "recorded")
    assert (manifest.rows["other"]["split"], manifest.rows["trained"]["split"]) == ("test-same", "train")


def test_a_folder_of_recordings_joins_the_training_instruments(tmp_path: Path) -> None:
    """A horn of the training groups is compared with the bank's held-out instruments, a harp of the test groups is not."""
    (tmp_path / "bank").mkdir()
    tiny_bank(tmp_path / "bank")
    real = write_real(tmp_path / "real")
    assert recorded_features(real).ids == ("real_notes_horn",)
    rows = make_splits(tmp_path / "bank", real=real, quota=TINY, progress=False)
    assert rows.keys() == make_splits(tmp_path / "bank", quota=TINY, progress=False).keys()


def test_a_manifest_written_is_read_back(tmp_path: Path) -> None:
    rows = dict(list(MANIFEST.items())[:50])
    write_manifest(tmp_path / "splits.json", rows)
    assert read_manifest(tmp_path / "splits.json") == rows
    assert len((tmp_path / "splits.json").read_text().splitlines()) == 52
    assert "instruments" in summary(rows)
    with pytest.raises(TrainingError):
        read_manifest(tmp_path / "none.json")
