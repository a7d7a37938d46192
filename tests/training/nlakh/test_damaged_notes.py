"""Damaged, duplicate or slow notes: they are listed in `dataset.json`, or get enough time to sound."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.training.nlakh.tiny_sets import contents, render
from tests.training.tiny_notes import tone
from training.bank import Bank
from training.nlakh.dataset import Kind
from training.nlakh.instrument_selection import InstrumentCollection

RATE = 16_000
COUNTS = (("train", 8),)
PITCHES = range(36, 97, 5)
INSTRUMENTS = {
    f"{family}_acoustic_{number:03d}" for family in ("bass", "flute", "organ") for number in (1, 2)
}


def write_notes(folder: Path, made: dict[str, np.ndarray]) -> None:
    """Write a folder in NSynth's layout from samples by note name."""
    (folder / "audio").mkdir(parents=True)
    for name, samples in made.items():
        soundfile.write(folder / f"audio/{name}.wav", samples, RATE, subtype="PCM_16")
    examples = {name: {"instrument_str": name.split("-")[0]} for name in made}
    (folder / "examples.json").write_text(json.dumps(examples))


@pytest.fixture(scope="module")
def nsynth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six instruments of thirteen notes; the wav headers of three declare more samples than the files hold."""
    folder = tmp_path_factory.mktemp("notes") / "nsynth-train"
    names = {f"{key}-{pitch:03d}-100": pitch for key in sorted(INSTRUMENTS) for pitch in PITCHES}
    write_notes(folder, {name: tone(pitch, 1.0, (1.0, 0.3)) for name, pitch in names.items()})
    for name, pitch in names.items():
        if pitch in (41, 51, 56):  # not played when instruments are checked for sound
            path = folder / f"audio/{name}.wav"
            path.write_bytes(path.read_bytes()[:9_000])
    return folder


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_notes_found_damaged_while_they_are_played_are_named(
    kind: Kind, nsynth: Path, midi: Path, tmp_path: Path
) -> None:
    found = dict(render(nsynth, midi, tmp_path, kind, counts=COUNTS, valid_share=0.0).faults)
    assert found
    assert {int(name.split("-")[1]) for name in found} <= {41, 51, 56}
    assert all("cut short" in why for why in found.values())
    assert {name.split("/")[0] for name in found} <= INSTRUMENTS


def test_the_number_of_workers_changes_neither_samples_nor_faults(
    nsynth: Path, midi: Path, tmp_path: Path
) -> None:
    for workers in (1, 2):
        render(nsynth, midi, tmp_path / str(workers), layout="folders", counts=COUNTS, workers=workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_damaged_notes_do_not_keep_a_data_set_from_being_whole(
    nsynth: Path, midi: Path, tmp_path: Path
) -> None:
    render(nsynth, midi, tmp_path / "out", counts=COUNTS)
    clips = np.load(tmp_path / "out/train/shard_00000.npy")
    assert (np.abs(clips.astype(int)).max(axis=1) > 1_000).all()


def test_an_instrument_that_two_sources_have_is_named_once_left_out(nsynth: Path, tmp_path: Path) -> None:
    another = tmp_path / "nsynth-valid"
    write_notes(
        another, {f"{name}-060-100": tone(60, 1.0) for name in ("bass_acoustic_001", "new_acoustic_001")}
    )
    library = InstrumentCollection([nsynth, another])
    assert library.faults == (("nsynth-valid/bass_acoustic_001", "nsynth-train has this id too"),)
    assert {item.id for item in library} == {*INSTRUMENTS, "new_acoustic_001"}


def test_a_pad_that_swells_slower_than_the_music_goes_is_no_mute(midi: Path, tmp_path: Path) -> None:
    """The pad is silent for two seconds, while no note of the MIDI files lasts longer than half a second."""
    late = np.concatenate([np.zeros(2 * RATE, np.float32), tone(60, 2.0)])
    write_notes(
        tmp_path / "nsynth-train", {f"organ_electronic_001-{pitch:03d}-100": late for pitch in PITCHES}
    )
    out = tmp_path / "out"
    assert not render(tmp_path / "nsynth-train", midi, out, counts=COUNTS).faults
    clips = np.load(out / "train/shard_00000.npy")
    assert len(clips) == 8
    assert (np.abs(clips.astype(int)).max(axis=1) > 1_000).all()


def test_notes_that_nsynth_lacks_are_the_nearest_or_left_out(
    nsynth: Path, midi: Path, tmp_path: Path
) -> None:
    """Thirteen of sixty-one pitches exist: leaving the others out makes different clips, with fewer notes."""
    sounding = {}
    for missing in ("nearest", "leave out"):
        out = tmp_path / missing
        render(nsynth.parent, midi, out, counts=(("train", 2),), missing=missing)
        bank = Bank.open(out)
        sounding[missing] = np.count_nonzero(np.abs(bank.rows(range(bank.num_clips)).astype(int)) > 300)
    assert sounding["leave out"] < sounding["nearest"]
