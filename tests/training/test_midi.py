"""Collections of MIDI files: damage is listed, never fatal; caches and workers change no result; splits share the notes."""

import os
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from index.families import FAMILIES
from models.errors import TrainingError
from tests.training.tiny_notes import write_midi
from training import midi as midi_module
from training.midi import MidiCollection, family_of_track, is_held
from training.midi_notes import read_tracks
from training.nlakh.command import main
from training.phrases import PhraseBook
from training.sections import SectionBook

SCALE = [(60 + i % 12, 0.5 * i, 0.5 * i + 0.5) for i in range(20)]
ARRAYS = ("notes", "spans", "programs", "is_drum", "file_of_track")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Five good files (one of drums), a damaged one, a folder called x.mid, links in a circle, and a text."""
    root = tmp_path / "tree"
    write_midi(root / "b/one.mid", [(0, 40, SCALE), (1, 73, SCALE[:5])])
    write_midi(root / "b/two.MID", [(0, 33, SCALE[3:9])])
    write_midi(root / "a/three.Midi", [(9, 0, SCALE), (2, 90, SCALE)])
    write_midi(root / "a/song.kar", [(0, 0, SCALE)])
    write_midi(root / "a/x.mid/inside.mid", [(0, 19, SCALE[:3])])
    (root / "bad.mid").write_bytes(b"MThd, not really")
    (root / "gone.mid").symlink_to(root / "nowhere")
    (root / "a/circle").symlink_to(root, target_is_directory=True)
    (root / "notes.txt").write_text("no MIDI")
    return root


def assert_same(one: MidiCollection, other: MidiCollection) -> None:
    for name in ARRAYS:
        a, b = getattr(one, name), getattr(other, name)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    for name in ("files", "faults", "fingerprint"):
        assert getattr(one, name) == getattr(other, name)


def test_every_file_is_read_or_named_with_its_fault(tree: Path) -> None:
    midi = MidiCollection.read(tree)
    good = ["a/song.kar", "a/three.Midi", "a/x.mid/inside.mid", "b/one.mid", "b/two.MID"]
    assert midi.files == (*good, "bad.mid", "gone.mid")
    assert [name for name, _ in midi.faults] == ["bad.mid", "gone.mid"]
    assert "broken header" in midi.faults[0][1]
    assert midi.faults[1][1] == "unreadable: No such file or directory"
    assert [(midi.files[file], int(program)) for file, program in zip(midi.file_of_track, midi.programs, strict=True)] == [
        ("a/song.kar", 0), ("a/three.Midi", 0), ("a/three.Midi", 90), ("a/x.mid/inside.mid", 19),
        ("b/one.mid", 40), ("b/one.mid", 73), ("b/two.MID", 33),
    ]  # fmt: skip
    assert midi.is_drum.tolist() == [False, True] + 5 * [False]
    tracks = [track for name in good for track in read_tracks(tree / name)]
    for track, span in zip(tracks, midi.spans, strict=True):
        np.testing.assert_array_equal(midi.notes[slice(*span)], track.notes)
    assert midi.num_notes == len(midi.notes) == 20 * 4 + 5 + 6 + 3
    assert midi.hours * 3600 == pytest.approx(3 * 9.5 + 1.0 + 4.0)


def test_a_cache_gives_the_same_collection_by_memory_map(tree: Path, tmp_path: Path) -> None:
    plain = MidiCollection.read(tree)
    for _ in range(2):
        cached = MidiCollection.read(tree, cache=tmp_path / "cache")
        assert_same(cached, plain)
        base = cached.notes
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap)
        assert not base.flags.writeable
    for book in (PhraseBook, SectionBook):
        draws = [[draw(book(midi), seed) for seed in range(20)] for midi in (plain, cached)]
        assert draws[0] == draws[1]


def draw(book: PhraseBook | SectionBook, seed: int) -> object:
    generator = np.random.default_rng(seed)
    return book.section(generator) if isinstance(book, SectionBook) else book.excerpt(generator, "string")


def test_a_cache_is_used_while_the_files_are_the_same_and_no_longer(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = MidiCollection.read(tree, cache=cache)
    written = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    MidiCollection.read(tree, cache=cache)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == written
    os.utime(tree / "b/one.mid", ns=(1, 1))
    again = MidiCollection.read(tree, cache=cache)
    assert again.fingerprint == first.fingerprint
    assert not set(cache.glob("*.npy")) & set(written)
    assert len(list(cache.iterdir())) == len(written)
    write_midi(tree / "b/one.mid", [(0, 41, SCALE)])
    changed = MidiCollection.read(tree, cache=cache)
    assert changed.fingerprint != first.fingerprint
    assert_same(changed, MidiCollection.read(tree))
    (tree / "b/one.mid").rename(tree / "b/1.mid")
    assert MidiCollection.read(tree, cache=cache).fingerprint not in (first.fingerprint, changed.fingerprint)


@pytest.mark.parametrize("harm", ["cut", "lost", "words", "half", "format"])
def test_a_damaged_or_foreign_cache_is_read_anew(tree: Path, tmp_path: Path, harm: str) -> None:
    cache = tmp_path / "cache"
    MidiCollection.read(tree, cache=cache)
    notes, facts = next(cache.glob("notes-*.npy")), cache / "collection.json"
    if harm == "cut":
        os.truncate(notes, notes.stat().st_size - 100)
    elif harm == "lost":
        notes.unlink()
    elif harm == "words":
        facts.write_text("[1, 2")
    elif harm == "half":  # killed before the facts were written
        facts.unlink()
        (cache / f".{notes.name}.1-1.partial").write_bytes(b"half")
    else:
        facts.write_text(facts.read_text().replace('"format": 1', '"format": 0'))
    assert_same(MidiCollection.read(tree, cache=cache), MidiCollection.read(tree))


def test_a_cache_that_cannot_be_written_is_a_clear_error(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(TrainingError, match="cannot be written"):
        MidiCollection.read(tree, cache=tmp_path / "cache")


def test_workers_change_nothing(tree: Path, tmp_path: Path) -> None:
    for number in range(70):
        shutil.copy(tree / ("bad.mid" if number % 9 == 0 else "b/one.mid"), tree / f"{number}.mid")
    assert_same(MidiCollection.read(tree, workers=2), MidiCollection.read(tree))


def test_folders_without_usable_midi_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not a folder"):
        MidiCollection.read(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match="no MIDI file"):
        MidiCollection.read(tmp_path)
    (tmp_path / "bad.mid").write_bytes(b"no")
    with pytest.raises(TrainingError, match="none of the 1 MIDI files"):
        MidiCollection.read(tmp_path, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_an_unreadable_folder_is_a_fault(tree: Path) -> None:
    (tree / "b").chmod(0)
    midi = MidiCollection.read(tree)
    (tree / "b").chmod(0o755)
    assert ("b", "unreadable: Permission denied") in midi.faults


def test_parts_divide_the_files_and_share_the_notes(tmp_path: Path) -> None:
    names = [f"{number}.mid" for number in range(40)]
    for number, name in enumerate(names):
        write_midi(tmp_path / name, [(0, number, SCALE[:8]), (1, number, SCALE[:6])])
    (tmp_path / "bad.mid").write_bytes(b"no")
    midi = MidiCollection.read(tmp_path)
    held, others = midi.part(held=True), midi.part(held=False)
    assert held.notes is others.notes is midi.notes
    assert set(held.files) == {name for name in midi.files if is_held(name)}
    assert sorted(held.files + others.files) == sorted(midi.files)
    assert held.faults + others.faults == midi.faults
    for part in (held, others):
        assert {part.files[file] for file in part.file_of_track} == set(part.files) - {"bad.mid"}
        assert [names[program] for program in part.programs] == [
            part.files[file] for file in part.file_of_track
        ]
        assert part.num_notes == 14 * len(set(part.programs.tolist()))
    assert not set(held.programs.tolist()) & set(others.programs.tolist())
    assert held.fingerprint == midi.fingerprint


def test_the_held_out_files_are_the_same_for_ever() -> None:
    held = [name for name in (f"{number}.mid" for number in range(40)) if is_held(name)]
    assert held == ["18.mid", "24.mid", "33.mid", "37.mid"]
    assert all(is_held(f"deep/er/{name}") for name in held)


@pytest.mark.parametrize("limit", [1, 30, 10_000])
def test_blocks_cover_whole_files_that_lie_together(
    tree: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(midi_module, "BLOCK_NOTES", limit)
    whole = MidiCollection.read(tree)
    for midi in (whole, whole.part(held=True), whole.part(held=False)):
        blocks = list(midi.blocks())
        assert [track for first, until in blocks for track in range(first, until)] == list(
            range(len(midi.spans))
        )
        for first, until in blocks:
            files = midi.file_of_track[first:until]
            assert not np.isin(np.delete(midi.file_of_track, slice(first, until)), files).any()
            assert all(a[1] == b[0] for a, b in pairwise(midi.spans[first:until]))


def test_programs_have_the_families_of_the_table() -> None:
    families = [family_of_track(program, False) for program in range(128)]
    assert set(families) == set(FAMILIES)
    named = {0: "keyboard", 25: "guitar", 32: "bass", 40: "string", 53: "vocal", 73: "flute", 95: "synth_pad"}
    assert {program: families[program] for program in named} == named
    assert {family_of_track(program, True) for program in range(128)} == {"drum"}


def test_the_command_counts_what_a_folder_holds(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["midi", str(tree), "--midi-cache", str(tmp_path / "cache"), "--workers", "1"]) == 0
    lines = {" ".join(line.split()[:2]) for line in capsys.readouterr().out.splitlines()}
    assert {
        "files 7",
        "damaged 2",
        "tracks 7",
        "notes 94",
        "string 1",
        "drum 1",
        "synth_pad 1",
        "9+ parts",
    } <= lines
    assert main(["midi", str(tmp_path / "nowhere")]) == 2
    assert "not a folder" in capsys.readouterr().err
