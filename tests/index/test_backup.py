"""A backup is one moment of a data folder, whatever other threads do to it; restored, it answers as the folder did then."""

import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from sqlalchemy import select

from index.backup import back_up
from index.backup_manifest import MANIFEST
from index.catalog import Job, Query
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.leases import is_alive, is_interrupted
from index.libraries import DATABASE, utc_now
from index.migrations import CONNECTION, alembic_config
from index.records import Hit
from index.restoring import restore
from index.snapshot import copy_database
from index.sources.opening import open_source
from models.encoder_pair import EncoderPair
from models.errors import BackupError, Busy, IndexDamaged
from tests.index.conftest import LIBRARY, delete_for_good, open_index, vector_file, write_tone
from tests.index.fake_source import FakeInstrument, FakeSource
from tests.index.test_database import damage


@contextmanager
def meanwhile(work: Callable[[int], None]) -> Iterator[None]:
    """Do `work(0)`, `work(1)` and so on in another thread, at least twice, until the block ends."""
    ending, faults = threading.Event(), []

    def repeat() -> None:
        number = 0
        try:
            while number < 2 or not ending.is_set():
                work(number)
                number += 1
        except BaseException as error:
            faults.append(error)

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
    assert faults == []


@contextmanager
def restored(archive: Path, target: Path, pair: EncoderPair) -> Iterator[InstrumentIndex]:
    restore(archive, target)
    index = open_index(target, pair)
    yield index
    index.close()


def hits(index: InstrumentIndex, queries: np.ndarray) -> list[list[Hit]]:
    return index.searchable(LIBRARY).search(queries, 99)


def contents(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as zipped:
        return set(zipped.namelist())


def test_it_answers_as_before_while_others_enroll_and_ask(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, few: FakeSource, tmp_path: Path
) -> None:
    filled = enrolled.libraries.create("Filled").id
    before = hits(enrolled, queries)

    def enroll_and_ask(number: int) -> None:
        enroll(enrolled, pair, filled, few)
        assert hits(enrolled, queries) == before

    with meanwhile(enroll_and_ask):
        manifests = [back_up(enrolled.folder.root, tmp_path / f"{number}.zip") for number in range(3)]
    for number, manifest in enumerate(manifests):
        with restored(tmp_path / f"{number}.zip", tmp_path / f"{number}", pair) as index:
            assert hits(index, queries) == before
            assert index.verify() == []
            library = index.libraries.get("Filled")
            assert library.num_instruments % 3 == 0  # no half enrollment
            assert manifest.counts["instrument"] == 7 + library.num_instruments
            assert manifest.encoders == [pair.encoder_hash]
    assert list(enrolled.folder.tmp_dir.iterdir()) == []


def around_the_moment(
    monkeypatch: pytest.MonkeyPatch, before: Callable[[], None], after: Callable[[], None]
) -> None:
    """Let other threads do something right before and right after the moment of each backup."""

    def copy(live: Path, target: Path) -> None:
        before()
        copy_database(live, target)
        after()

    monkeypatch.setattr("index.backup.copy_database", copy)


def test_files_that_are_deleted_after_the_moment_are_in_it(
    enrolled: InstrumentIndex,
    pair: EncoderPair,
    queries: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = hits(enrolled, queries)
    audio = enrolled.folder.queries_dir / "q_1.wav"
    audio.write_bytes(b"audio")
    with enrolled.catalog.write() as session:
        session.add(Query(id="q_1", file_name="", audio=audio.name, result={}))

    def delete() -> None:
        delete_for_good(enrolled)
        with enrolled.catalog.write() as session:
            session.delete(session.get_one(Query, "q_1"))
        audio.unlink()

    around_the_moment(monkeypatch, lambda: None, delete)
    back_up(enrolled.folder.root, tmp_path / "backup.zip")
    assert list(enrolled.folder.previews_dir.iterdir()) == []
    with restored(tmp_path / "backup.zip", tmp_path / "again", pair) as index:
        assert hits(index, queries) == before
        assert index.verify() == []
        assert (index.folder.queries_dir / audio.name).read_bytes() == b"audio"


def test_files_that_are_deleted_before_the_moment_are_not_in_it(
    enrolled: InstrumentIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around_the_moment(monkeypatch, lambda: delete_for_good(enrolled), lambda: None)
    back_up(enrolled.folder.root, tmp_path / "backup.zip")
    assert contents(tmp_path / "backup.zip") == {DATABASE, MANIFEST}


def test_another_moment_is_taken_if_new_files_are_deleted(
    enrolled: InstrumentIndex, pair: EncoderPair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is stored after the first look and deleted before the second one cannot be had any more."""
    enrolled.libraries.undo_seconds = 0.0
    library = enrolled.libraries.create("Changing").id
    left = [2]  # times that it happens

    def add() -> None:
        if left[0]:
            enroll(enrolled, pair, library, FakeSource(FakeInstrument("Fleeting")))

    def delete() -> None:
        if left[0]:
            left[0] -= 1
            enrolled.instruments.delete(enrolled.instruments.find(library, "Fleeting").id)

    around_the_moment(monkeypatch, add, delete)
    manifest = back_up(enrolled.folder.root, tmp_path / "backup.zip")
    assert (left, manifest.counts["instrument"]) == ([0], 7)
    left[0] = 1000
    with pytest.raises(Busy, match="again and again"):
        back_up(enrolled.folder.root, tmp_path / "other.zip")
    assert not (tmp_path / "other.zip").exists()
    assert list(enrolled.folder.tmp_dir.iterdir()) == []


def test_vectors_of_another_moment_are_left_out(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, tmp_path: Path
) -> None:
    """Vector files are written after the database, so at times they are of an earlier or a later moment."""
    name = vector_file(enrolled).relative_to(enrolled.folder.root).as_posix()
    back_up(enrolled.folder.root, tmp_path / "with.zip")
    earlier = vector_file(enrolled).read_bytes()
    enrolled.instruments.delete(enrolled.instruments.page(LIBRARY)[0][0].id)
    vector_file(enrolled).write_bytes(earlier)
    back_up(enrolled.folder.root, tmp_path / "without.zip")
    assert name in contents(tmp_path / "with.zip")
    assert name not in contents(tmp_path / "without.zip")
    with restored(tmp_path / "without.zip", tmp_path / "again", pair) as index:
        assert len(hits(index, queries)[0]) == 6
        assert index.verify() == []


def test_uploads_are_in_it_unless_they_are_left_out(
    index: InstrumentIndex, pair: EncoderPair, tmp_path: Path
) -> None:
    upload = index.folder.uploads_dir / "u_1"
    write_tone(upload / "files" / "Tone.wav", 300.0)
    (index.folder.uploads_dir / "u_2").mkdir()  # waits for its enrollment
    (index.folder.uploads_dir / "u_2" / "waiting.wav").write_bytes(b"audio")
    enroll(index, pair, index.libraries.create(LIBRARY).id, open_source(upload), opened_at=upload)
    back_up(index.folder.root, tmp_path / "with.zip")
    manifest = back_up(index.folder.root, tmp_path / "without.zip", with_uploads=False)
    (there,) = contents(tmp_path / "with.zip") - contents(tmp_path / "without.zip")
    assert there == "uploads/u_1/files/Tone.wav"
    assert not manifest.with_uploads
    with restored(tmp_path / "with.zip", tmp_path / "again", pair) as again:
        kept = again.folder.root / there
        assert kept.read_bytes() == (index.folder.root / there).read_bytes()
        delete_for_good(again)
        assert not kept.exists()
        assert (index.folder.root / there).exists()  # no other name of the same file


def test_its_unfinished_jobs_were_interrupted(
    index: InstrumentIndex, pair: EncoderPair, tmp_path: Path
) -> None:
    now = utc_now()
    with index.catalog.write() as session:
        for state in ("queued", "running", "done"):
            session.add(Job(state=state, owner="p_1", leased_until=now + timedelta(seconds=60)))
    back_up(index.folder.root, tmp_path / "backup.zip")
    with restored(tmp_path / "backup.zip", tmp_path / "again", pair) as again:
        for one, alive, interrupted in ((index, 2, 0), (again, 0, 2)):
            with one.catalog.session() as session:
                assert len(session.scalars(select(Job).where(is_alive(now))).all()) == alive
                assert len(session.scalars(select(Job).where(is_interrupted(now))).all()) == interrupted


def test_one_of_an_older_schema_is_upgraded_when_it_is_opened(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, tmp_path: Path
) -> None:
    before = hits(enrolled, queries)
    config = alembic_config()
    with enrolled.catalog.database.altering() as connection:
        config.attributes[CONNECTION] = connection
        command.downgrade(config, "0001")
    manifest = back_up(enrolled.folder.root, tmp_path / "backup.zip")
    assert manifest.schema_revision == "0001"
    with closing(sqlite3.connect(enrolled.folder.database)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    with restored(tmp_path / "backup.zip", tmp_path / "again", pair) as index:
        assert hits(index, queries) == before
        assert index.verify() == []


def test_places_that_cannot_be_are_refused(enrolled: InstrumentIndex, tmp_path: Path) -> None:
    root, other = enrolled.folder.root, tmp_path / "song.wav"
    other.write_bytes(b"song")
    for data, archive, reason in (
        (tmp_path / "nowhere", tmp_path / "backup.zip", "holds no showme.db"),
        (root, other, "replaces nothing"),
        (root, root / "vectors" / "backup.zip", "in the data folder itself"),
        (root, tmp_path / "nowhere" / "backup.zip", "no folder"),
    ):
        with pytest.raises(BackupError, match=reason):
            back_up(data, archive)
    assert other.read_bytes() == b"song"
    assert sorted(tmp_path.iterdir()) == [root, other]


def test_a_damaged_database_is_not_backed_up(enrolled: InstrumentIndex, tmp_path: Path) -> None:
    enrolled.close()
    damage(enrolled.folder.database)
    with pytest.raises(IndexDamaged, match="put a backup of the data folder back"):
        back_up(enrolled.folder.root, tmp_path / "backup.zip")
    assert list(tmp_path.iterdir()) == [enrolled.folder.root]


def test_a_folder_whose_database_is_empty_is_not_backed_up(tmp_path: Path) -> None:
    (tmp_path / DATABASE).touch()
    with pytest.raises(IndexDamaged, match="not a catalogue"):
        back_up(tmp_path, tmp_path.with_name("never.zip"))


def test_a_zip_program_reads_it(enrolled: InstrumentIndex, tmp_path: Path) -> None:
    manifest = back_up(enrolled.folder.root, tmp_path / "backup.zip")
    with zipfile.ZipFile(tmp_path / "backup.zip") as zipped:
        assert zipped.testzip() is None
        assert set(zipped.namelist()) == {*manifest.files, MANIFEST}
