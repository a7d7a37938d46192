"""A library follows its folder: whatever happens to the files, it holds what the folder holds, and embeds nothing twice."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from index.catalog import Instrument
from index.enroll import enroll
from index.incoming import WatchedEntry
from index.sources.opening import IN_PROCESS, open_source
from index.watching.folder_look import FolderLooker
from index.watching.folder_scan import FolderGone
from index.watching.folder_sync import FolderSync
from index.watching.watch_store import WatchStore
from tests.encoders import random_pair_of
from tests.index.conftest import CountingPair, open_index, write_tone
from tests.index.followed import SETTLE_SECONDS, Followed, write_samples
from tests.index.tiny_sfz import sine, write_sfz
from tests.index.tiny_soundfont import PATCHES, write_soundfont


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_samples(tmp_path / "samples")


@pytest.fixture
def followed(tmp_path: Path, folder: Path) -> Iterator[Followed]:
    made = Followed(folder, tmp_path / "data")
    yield made
    made.index.close()


def test_a_new_folder_is_enrolled_once(followed: Followed) -> None:
    told: list[str] = []
    assert followed.embedded(lambda: told.extend(followed.sync())) > 0
    assert told == ["added Bass.wav", "added Flute.wav", "added Organ"]
    assert set(followed.instruments()) == {"Bass", "Flute", "Organ"} == followed.found_in_source()
    assert followed.embedded(lambda: followed.sync() == []) == 0


def test_what_happens_while_nobody_watches_is_found_after_a_restart(followed: Followed) -> None:
    followed.sync()
    before = followed.instruments()
    followed.restart()
    (followed.root / "Flute.wav").unlink()
    write_tone(followed.root / "Bass.wav", 120.0)
    write_tone(followed.root / "Lead" / "a.wav", 900.0)
    assert followed.sync() == ["removed Flute.wav", "changed Bass.wav", "added Lead"]
    after = followed.instruments()
    assert set(after) == {"Bass", "Organ", "Lead"}
    assert after["Organ"] == before["Organ"]
    assert after["Bass"].id != before["Bass"].id


def test_a_renamed_file_or_folder_keeps_all_but_its_name(followed: Followed) -> None:
    followed.sync()
    before = followed.instruments()
    index = followed.index
    index.instruments.correct(before["Bass"].id, {"tags": ["mine"], "favourite": True})
    index.instruments.correct(before["Organ"].id, {"name": "My Organ", "family": "organ"})
    (followed.root / "Bass.wav").rename(followed.root / "Sub.wav")
    (followed.root / "Organ").rename(followed.root / "Pipes")
    moved = ["moved Organ → Pipes", "moved Bass.wav → Sub.wav"]
    assert followed.embedded(lambda: moved.extend(followed.sync())) == 0
    assert moved[:2] == moved[2:]
    after = followed.instruments()
    assert {name: one.id for name, one in after.items()} == {
        "Sub": before["Bass"].id,
        "Flute": before["Flute"].id,
        "My Organ": before["Organ"].id,
    }
    assert (after["Sub"].tags, after["Sub"].favourite, after["Sub"].source) == (
        ("mine",),
        True,
        "samples/Sub.wav",
    )
    assert after["My Organ"].family == "organ"
    assert followed.found_in_source() == {"Sub", "Flute", "Pipes"}
    assert followed.sync() == []


def test_a_file_that_moves_into_a_folder_of_its_own_is_the_same(followed: Followed) -> None:
    followed.sync()
    (followed.root / "Low").mkdir()
    (followed.root / "Bass.wav").rename(followed.root / "Low" / "x.wav")
    assert followed.embedded(lambda: followed.sync()) == 0
    assert set(followed.instruments()) == {"Low", "Flute", "Organ"} == followed.found_in_source()


def test_files_that_exchange_their_names_are_not_embedded(followed: Followed) -> None:
    followed.sync()
    before = followed.instruments()
    bass, flute = followed.root / "Bass.wav", followed.root / "Flute.wav"
    bass.rename(followed.root / "x")
    flute.rename(bass)
    (followed.root / "x").rename(flute)
    assert followed.embedded(lambda: followed.sync()) == 0
    after = followed.instruments()
    assert (after["Bass"].id, after["Flute"].id) == (before["Flute"].id, before["Bass"].id)


def test_a_file_moved_over_another_one_replaces_it(followed: Followed) -> None:
    followed.sync()
    before = followed.instruments()
    (followed.root / "Bass.wav").rename(followed.root / "Flute.wav")
    assert followed.sync() == ["removed Flute.wav", "moved Bass.wav → Flute.wav"]
    after = followed.instruments()
    assert set(after) == {"Flute", "Organ"}
    assert after["Flute"].id == before["Bass"].id


def test_a_changed_sound_keeps_what_a_person_has_said_of_it(followed: Followed) -> None:
    followed.sync()
    old = followed.instruments()["Organ"].id
    followed.index.instruments.correct(old, {"name": "Mine", "family": "organ", "tags": ["a"]})
    write_tone(followed.root / "Organ" / "2.wav", 350.0)
    assert followed.sync() == ["changed Organ"]
    new = followed.instruments()["Mine"]
    assert (new.family, new.tags, new.num_clips) == ("organ", ("a",), 3)
    followed.index.instruments.delete(new.id)
    assert followed.index.instruments.restore(old).name == "Mine"  # undone as other deletions are


def test_a_removed_instrument_can_be_restored(followed: Followed) -> None:
    followed.sync()
    gone = followed.instruments()["Bass"].id
    (followed.root / "Bass.wav").unlink()
    assert followed.sync() == ["removed Bass.wav"]
    assert "Bass" not in followed.instruments()
    assert followed.index.instruments.restore(gone).name == "Bass"
    assert followed.sync() == []


def test_a_folder_that_is_away_or_empty_removes_nothing(followed: Followed, tmp_path: Path) -> None:
    followed.sync()
    before = followed.instruments()
    followed.root.rename(tmp_path / "away")
    with pytest.raises(FolderGone, match="is gone"):
        followed.sync()
    followed.root.mkdir()  # the place of an unmounted disk
    with pytest.raises(FolderGone, match="is empty"):
        followed.sync()
    followed.root.rmdir()
    (tmp_path / "away").rename(followed.root)
    assert followed.embedded(lambda: followed.sync() == []) == 0
    assert followed.instruments() == before


def test_a_disk_that_goes_away_during_the_enrollment_spoils_nothing(
    followed: Followed, tmp_path: Path
) -> None:
    look = FolderLooker(followed.store, followed.watch, SETTLE_SECONDS).look()
    followed.root.rename(tmp_path / "away")
    assert followed.applied(look) == []
    (tmp_path / "away").rename(followed.root)
    assert followed.sync() == ["added Bass.wav", "added Flute.wav", "added Organ"]


def test_files_that_are_being_written_are_waited_for(followed: Followed) -> None:
    followed.sync()
    growing = write_tone(followed.root / "Lead.wav", 900.0)
    (followed.root / "Bass.wav").unlink()  # perhaps it is what is being copied

    def grow() -> None:
        with growing.open("ab") as file:
            file.write(b"\0" * 1000)

    assert followed.sync(meanwhile=grow) == []
    assert followed.sync() == ["removed Bass.wav", "added Lead.wav"]


def test_what_cannot_be_used_is_said_once_and_stops_nothing(followed: Followed) -> None:
    (followed.root / "Bad.wav").write_bytes(b"RIFF no audio at all")
    write_tone(followed.root / "Silent.wav", 100.0, level=0.0)
    (followed.root / "Bad.sf2").write_bytes(b"no font")
    (followed.root / "Broken").symlink_to(followed.root / "nowhere")
    (followed.root / os.fsdecode(b"\xff.wav")).write_bytes(b"a name of another encoding")
    told = followed.sync()
    assert [one for one in told if one.startswith("added")] == [
        "added Bass.wav",
        "added Flute.wav",
        "added Organ",
    ]
    skipped = {one.split()[1].rstrip(":") for one in told if one.startswith("skipped")}
    assert skipped == {"Bad.wav", "Silent.wav", "Bad.sf2"}
    assert told[-2:] == ["unreadable Broken", "unreadable ?.wav"]
    assert followed.sync() == ["unreadable Broken", "unreadable ?.wav"]
    write_tone(followed.root / "Bad.wav", 600.0)
    assert followed.sync() == ["added Bad.wav", "unreadable Broken", "unreadable ?.wav"]


def test_a_file_that_is_spoilt_keeps_what_it_was(followed: Followed) -> None:
    followed.sync()
    before = followed.instruments()["Bass"]
    (followed.root / "Bass.wav").write_bytes(b"spoilt")
    (told,) = followed.sync()
    assert told.startswith("skipped Bass.wav: ")
    assert followed.instruments()["Bass"] == before


def test_banks_are_followed_beside_recordings(followed: Followed) -> None:
    root = followed.root
    write_soundfont(root / "tiny.sf2")
    write_sfz(root, "<region> sample=Keys/c4.wav pitch_keycenter=60", {"Keys/c4.wav": sine()}, "piano.sfz")
    write_sfz(root / "Strings", "<region> sample=c4.wav pitch_keycenter=60")
    told = followed.sync()
    assert f"added tiny.sf2: {len(PATCHES)} instruments" in told
    assert {"Bass", "Flute", "Organ", "piano", "a"} <= set(followed.instruments())
    assert "Keys" not in followed.instruments()  # the samples of piano.sfz
    assert len(followed.found_in_source()) == len(followed.instruments())
    before = {name: one.id for name, one in followed.instruments().items()}
    (root / "tiny.sf2").rename(root / "small.sf2")
    (root / "Strings").rename(root / "Bows")
    assert followed.embedded(lambda: followed.sync()) == 0
    assert {name: one.id for name, one in followed.instruments().items()} == before
    assert len(followed.found_in_source()) == len(before)
    write_sfz(root, "", {"Keys/c4.wav": sine(300.0)}, "other.txt")
    assert followed.sync() == ["changed piano.sfz"]
    (root / "small.sf2").unlink()
    assert followed.sync() == [f"removed small.sf2: {len(PATCHES)} instruments"]
    assert set(followed.instruments()) == {"Bass", "Flute", "Organ", "piano", "a"}


def test_what_was_added_by_hand_is_taken_as_it_is(tmp_path: Path, folder: Path) -> None:
    counting = random_pair_of(CountingPair)
    index = open_index(tmp_path / "data", counting)
    library = index.libraries.create("L").id
    enroll(index, counting, library, open_source(folder), opened_at=folder)
    before = {one.id for one in index.instruments.page(library)[0]}
    store = WatchStore(index.catalog)
    watch = store.add(library, folder)
    store.take(watch.id)
    count = counting.count
    sync = FolderSync(index, counting, IN_PROCESS, store, watch)
    sync.apply(FolderLooker(store, watch, SETTLE_SECONDS).look())
    assert counting.count == count
    assert {one.id for one in index.instruments.page(library)[0]} == before
    index.close()


def test_a_kill_between_storing_and_recording_repeats_nothing(followed: Followed) -> None:
    followed.sync()
    before = followed.instruments()
    with followed.index.catalog.write() as session:  # the batch is stored, and the entries are not
        session.execute(delete(WatchedEntry))
    followed.restart()
    assert followed.embedded(lambda: followed.sync()) == 0
    assert followed.instruments() == before
    assert followed.sync() == []


@pytest.mark.both_databases
def test_it_is_the_same_on_both_databases(tmp_path: Path, folder: Path, database: str | None) -> None:
    followed = Followed(folder, tmp_path / "data")
    followed.sync()
    (folder / "Bass.wav").rename(folder / "Sub.wav")
    write_tone(folder / "Organ" / "0.wav", 210.0)
    shutil.copy(folder / "Flute.wav", folder / "Flute 2.wav")
    os.utime(folder / "Flute 2.wav", (1, 1))
    assert sorted(followed.sync()) == ["added Flute 2.wav", "changed Organ", "moved Bass.wav → Sub.wav"]
    followed.restart()
    assert followed.sync() == []
    with followed.index.catalog.session() as session:
        kept = session.scalars(select(Instrument.name).where(Instrument.deleted_at.is_(None))).all()
    assert sorted(kept) == ["Flute", "Flute 2", "Organ", "Sub"]
    followed.index.close()
