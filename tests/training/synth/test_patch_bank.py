"""A bank of patches: rendered, checked, resumed, and read by our own reader; with the tests' own synthesiser."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.sources.base import Note
from index.sources.note_bank import SLOT_NOTES, NoteBankSource
from models.errors import SourceError
from tests.index.tiny_banks import loudest_hz, slots, write_slots
from training.near_duplicates import extract_features
from training.nlakh.command import main
from training.synth.dssi import find_plugin
from training.synth.patch_bank import make_patch_bank, near_duplicates
from training.synth.patch_rendering import BANK_RATE, finish_slots, periodicity
from training.synth.patches import find_patches


@pytest.fixture(scope="module")
def bank(tiny_dssi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that held another bank before, whose flute the synthesiser's resembles in pitch only."""
    out = tmp_path_factory.mktemp("bank")
    write_slots(out, "old_flute", "others", slots())
    assert main(["synth", "--synth", str(tiny_dssi), "--out", str(out), "--workers", "1"]) == 0
    return out


def rows(bank: Path) -> dict[str, dict[str, Any]]:
    lines = map(json.loads, (bank / "index.jsonl").read_text().splitlines())
    return {row["name"]: row for row in lines}


def left_out(bank: Path) -> list[str]:
    return [json.loads(line)["reason"] for line in (bank / "synth/left_out.jsonl").read_text().splitlines()]


def test_a_bank_holds_what_sounds_and_tells_why_the_rest_is_left_out(bank: Path) -> None:
    found = rows(bank)
    assert list(found) == ["old_flute", "Bright Organ", "Plain Flute"]
    reasons = ["is noise, without a period", "is silent", "crashed (exit status -6)"]
    assert left_out(bank) == [*reasons, f"near-duplicate of {found['Bright Organ']['id']}"]
    organ = found["Bright Organ"]
    assert (organ["family"], organ["licence"], organ["source"]) == ("organ", "public domain", "tiny")
    np.testing.assert_allclose(organ["pitches"], [pitch for pitch, _ in SLOT_NOTES], atol=0.05)


def test_the_reader_of_note_banks_plays_it_at_pitch_and_below_full_scale(bank: Path) -> None:
    source = NoteBankSource(bank)
    assert not source.faults
    flute = source.get(rows(bank)["Plain Flute"]["id"])
    played = flute.play((Note(57, 100, 0.0, 1.0),), 1.0, BANK_RATE)
    assert loudest_hz(played) == pytest.approx(220, abs=0.5)
    stored = [slot for slot in flute.slots() if slot is not None]
    assert len(stored) == len(SLOT_NOTES)
    assert max(np.abs(slot).max() for slot in stored) == pytest.approx(0.6, abs=0.01)
    assert np.abs(stored[-1]).max() == pytest.approx(np.abs(stored[3]).max() / 2, rel=0.05)  # velocity 50


def test_a_torn_run_resumes_to_the_same_bytes(bank: Path, tiny_dssi: Path) -> None:
    before = {path: path.read_bytes() for path in bank.rglob("*") if path.is_file()}
    audio = bank / rows(bank)["Plain Flute"]["file"]
    kept = bank / rows(bank)["Bright Organ"]["file"]
    old = kept.stat().st_mtime_ns
    audio.unlink()
    (bank / "index.jsonl").write_text(json.dumps(rows(bank)["old_flute"]) + "\n")
    report = make_patch_bank(bank, find_patches([str(tiny_dssi)]), workers=1)
    assert report.instruments == 2
    assert {path: path.read_bytes() for path in bank.rglob("*") if path.is_file()} == before
    assert kept.stat().st_mtime_ns == old


def test_what_resembles_an_instrument_of_another_bank_is_near_it() -> None:
    same, other = slots(), [slot[::-1].copy() for slot in slots()]
    mine = extract_features([("a", same), ("b", other), ("c", same)])
    assert near_duplicates(mine, []) == {"c": "a"}
    assert near_duplicates(mine, [extract_features([("x", same)])]) == {"a": "x", "c": "x"}


def test_periods_are_found_to_five_cents_and_noise_has_none() -> None:
    time = np.arange(BANK_RATE) / BANK_RATE
    for hz in (30.0, 65.4, 440.0, 1864.7):
        partials = [np.sin(2 * np.pi * k * hz * time) / k for k in (1, 2, 3)]
        wave = np.sum(partials, axis=0).astype(np.float32)
        found, strength = periodicity(wave + np.float32(0.5), BANK_RATE)  # a constant does not matter
        assert 1200 * abs(np.log2(found / hz)) < 5
        assert strength > 0.99
    noise = np.random.default_rng(1).standard_normal(BANK_RATE).astype(np.float32)
    assert periodicity(noise, BANK_RATE)[1] < 0.4
    assert periodicity(np.zeros(BANK_RATE, np.float32), BANK_RATE) == (0.0, 0.0)
    assert periodicity(np.zeros(0, np.float32), BANK_RATE) == (0.0, 0.0)


def test_samples_that_are_no_numbers_are_refused() -> None:
    damaged = slots()
    damaged[5][100] = np.nan
    with pytest.raises(SourceError, match="NaN or infinite"):
        finish_slots(damaged)


@pytest.mark.skipif(find_plugin("hexter") is None, reason="the synthesiser hexter is not installed")
def test_an_installed_synthesiser_plays_its_patches_at_pitch(tmp_path: Path) -> None:
    wanted = ("HARP 1", "HARPSICH 1", "CLAV 1")
    found = find_patches(["hexter"])
    patches = [patch for patch in found if patch.bank == "dx7_roms" and patch.name in wanted]
    assert len(patches) == len(wanted)
    assert make_patch_bank(tmp_path, patches, workers=1).instruments == len(wanted)
    for row in rows(tmp_path).values():
        heard = np.array(row["pitches"], float)  # NaN where no period is found
        octaves = (heard - [pitch for pitch, _ in SLOT_NOTES]) / 12
        assert np.nanmax(np.abs(octaves - np.round(octaves))) < 0.03  # patches may be transposed by octaves
