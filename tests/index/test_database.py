"""A database that is busy, full or damaged: each is one of our errors, in words, and readers go on while they can."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, func, select

from index.catalog import Catalog, Library
from index.disk import RESERVE_BYTES, DiskReserve, free_bytes
from models.errors import Busy, IndexDamaged, StorageFull
from tests.databases import catalogue_at
from tests.file_limit import files_of_at_most


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the write lock of a database, as another process would."""
    with closing(Catalog(catalogue_at(folder))) as other, other.writer.begin():
        yield


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str | None) -> Iterator[Catalog]:
    for module in ("sqlite", "postgresql"):
        monkeypatch.setattr(f"index.database.{module}.BUSY_SECONDS", 0.2)
    made = Catalog(catalogue_at(tmp_path))
    made.migrate()
    yield made
    made.close()


def add(catalog: Catalog, name: str = "Lib", *, patient: bool = False) -> None:
    with catalog.write(patient=patient) as session:
        session.add(Library(name=name, encoder_hash="h"))


def count(catalog: Catalog) -> int:
    with catalog.session() as session:
        return session.scalar(select(func.count()).select_from(Library)) or 0


@pytest.mark.both_databases
def test_a_locked_database_is_busy_and_is_read_meanwhile(catalog: Catalog, tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(Busy, match="another write holds the database"):
            add(catalog)
        assert count(catalog) == 0
    add(catalog)
    assert count(catalog) == 1


@pytest.mark.both_databases
def test_a_patient_writer_waits_longer(catalog: Catalog, tmp_path: Path) -> None:
    with locked(tmp_path):
        waiting = threading.Thread(target=add, args=(catalog,), kwargs={"patient": True})
        waiting.start()
        waiting.join(0.6)  # three times as long as the others wait
        assert waiting.is_alive()
    waiting.join()
    assert count(catalog) == 1


@pytest.mark.both_databases
def test_readers_have_connections_beside_those_of_waiting_writers(catalog: Catalog, tmp_path: Path) -> None:
    """More writers wait than SQLAlchemy keeps connections."""
    refused: list[Exception] = []

    def write() -> None:
        try:
            add(catalog, patient=True)
        except Exception as error:
            refused.append(error)

    with locked(tmp_path):
        writers = [threading.Thread(target=write) for _ in range(20)]
        for writer in writers:
            writer.start()
        writers[-1].join(0.3)
        assert count(catalog) == 0
        assert all(writer.is_alive() for writer in writers)
    for writer in writers:
        writer.join()
    assert {type(error).__name__ for error in refused} == {"IntegrityError"}  # one of them took the name
    assert count(catalog) == 1


def full(catalog: Catalog) -> None:
    """Let the database grow by no page more."""

    def stop_growing(connection: sqlite3.Connection, _: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(catalog.writer.pool, "connect", stop_growing)
    catalog.writer.dispose()  # the listener sees new connections only


def test_a_full_disk_says_so_and_nothing_is_half_stored(catalog: Catalog) -> None:
    add(catalog)
    full(catalog)

    def fill() -> None:
        with catalog.write() as session:
            session.add_all(
                Library(name=f"{number:04d}" + "x" * 190, encoder_hash="h") for number in range(500)
            )

    with pytest.raises(StorageFull, match="delete queries or libraries"):
        fill()
    assert count(catalog) == 1
    with catalog.deleting() as session:
        session.delete(session.scalars(select(Library)).one())
    assert count(catalog) == 0


def test_the_reserve_is_held_until_the_disk_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reserve"
    reserve = DiskReserve(path)
    reserve.hold()
    assert path.stat().st_blocks * 512 >= RESERVE_BYTES
    reserve.release_if_needed()
    assert path.exists()
    monkeypatch.setattr("index.disk.RESERVE_BYTES", free_bytes(tmp_path) + (1 << 40))
    reserve.release_if_needed()
    assert not path.exists()
    reserve.hold()
    assert not path.exists()  # there is no room for it


def damage(path: Path) -> None:
    """Overwrite all pages but the first."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))


def test_a_damaged_page_is_named_in_words(catalog: Catalog, tmp_path: Path) -> None:
    add(catalog)
    catalog.close()
    damage(tmp_path / "showme.db")
    again = Catalog(tmp_path / "showme.db")
    for use in (count, add):
        with pytest.raises(IndexDamaged, match="put a backup of the data folder back"):
            use(again)
    again.close()


def test_a_schema_of_damaged_text_is_told_in_words(catalog: Catalog, tmp_path: Path) -> None:
    """SQLite cites the text in its message, which the driver cannot decode then."""
    catalog.close()
    database = tmp_path / "showme.db"
    content = database.read_bytes()
    assert content.count(b"CREATE TABLE job") == 1
    database.write_bytes(content.replace(b"CREATE TABLE job", b"CREATE T\xf3BLE job"))
    again = Catalog(database)
    with pytest.raises(IndexDamaged, match="put a backup of the data folder back"):
        count(again)
    again.close()


def test_a_failing_disk_is_told_and_nothing_half_is_stored(catalog: Catalog) -> None:
    add(catalog, "before")
    with files_of_at_most(1), pytest.raises(IndexDamaged, match="the disk fails under the database"):
        add(catalog, "meanwhile")
    add(catalog, "after")
    assert count(catalog) == 2
