"""Moving a catalogue between SQLite and PostgreSQL: every row of every table, all or nothing, whatever is in the way."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event, inspect, select

from index import catalog as tables
from index.catalog import Catalog
from index.catalogue_move import move_catalogue
from index.database import postgresql, sqlite
from index.declarative import Base, now
from index.incoming import ResumableUpload, Watch, WatchedEntry, WatchedFile
from index.libraries import DATABASE
from index.sound_descriptors import SoundDescriptors
from index.stored_embeddings import to_bytes
from models.errors import Busy, MoveError
from tests.postgresql_server import PostgresqlServer

HERE = Path(__file__).parents[2]
EMBEDDING = to_bytes(np.linspace(-1, 1, 4, dtype=np.float32))
NAME = "Flöte, 笛 and \0 in it"
KILLED = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from index.catalog import Catalog
from index.catalogue_move import move_catalogue

source, target, moment = sys.argv[1:]
opened = [Catalog(Path(place) if place.startswith("/") else place) for place in (source, target)]

@event.listens_for(Engine, "after_cursor_execute")
def end(connection, cursor, statement, *others):
    if moment in statement and connection.dialect.name == opened[1].engine.dialect.name:
        os.kill(os.getpid(), signal.SIGKILL)

move_catalogue(*opened)
"""


def fill(catalog: Catalog) -> None:
    """Write rows of every table: texts of all kinds, missing values, and an instrument that is gone."""
    with catalog.write() as session:
        library = tables.Library(name=NAME, encoder_hash="e", revision=7, shared=True)
        session.add(library)
        session.flush()
        for number in range(3):
            instrument = tables.Instrument(
                library_id=library.id,
                name=f"{number}",
                source="a'b\"c\\",
                num_clips=1,
                encoder_hash="e",
                embedding=EMBEDDING,
                families={"bass": 0.1 + 0.2} if number else None,
            )
            session.add(instrument)
            session.flush()
        session.delete(instrument)
        first = 1
        session.add_all(
            [
                tables.Clip(vector_id=first, position=0, embedding=EMBEDDING),
                tables.OtherEmbedding(
                    vector_id=first,
                    encoder_hash="f",
                    embedding=EMBEDDING,
                    clips=b"\0\xff",
                    from_preview=False,
                ),
                SoundDescriptors(vector_id=first, brightness=10.1, attack=-1 / 3, length=None),
                tables.LibraryMap(
                    library_id=library.id, revision=7, method="pca", vector_ids=b"", points=b"\x80"
                ),
                tables.Job(library_id=library.id, skipped=[(NAME, "why")]),
                tables.Query(
                    library_id=None, file_name=NAME, result={"z": [1, None, 1e-30], "a": {NAME: "½"}}
                ),
                tables.AnsweredKey(key="k", fingerprint="f", answer="{}"),
                tables.AccessKey(id="k_1", name="studio", scope="read", digest="d"),
                tables.Deletion(kind="query", item_id="q_1"),
                ResumableUpload(
                    file_name=NAME, described="", num_bytes=2**40, expires_at=now() + timedelta(days=1)
                ),
            ]
        )
        session.flush()
        watch = Watch(library_id=library.id, path=NAME)
        session.add(watch)
        session.flush()
        session.add_all(
            [
                WatchedFile(
                    watch_id=watch.id, path=NAME, num_bytes=2**40, modified_ns=2**60, digest="d" * 64
                ),
                WatchedEntry(watch_id=watch.id, path=NAME, digest="d" * 64, instruments=["i_1", NAME]),
            ]
        )
        session.add(tables.SignIn(digest="s", key_id="k_1", expires_at=now()))


def rows_of(catalog: Catalog) -> dict[str, list[str]]:
    """All rows, as both databases give them back."""
    with catalog.engine.connect() as connection:
        return {
            table.name: sorted(
                repr([_replaced(value) for value in row]) for row in connection.execute(select(table))
            )
            for table in Base.metadata.sorted_tables
        }


def next_vector_id(catalog: Catalog) -> int:
    """Add an instrument and a deletion; return the number of the former, which none had that is gone."""
    with catalog.write() as session:
        library = session.scalars(select(tables.Library)).one()
        added = tables.Instrument(
            library_id=library.id, name="new", source="", num_clips=0, encoder_hash="e", embedding=EMBEDDING
        )
        session.add_all([added, tables.Deletion(kind="query", item_id="q_2")])
        session.flush()
        return added.vector_id


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_replaced(key): _replaced(item) for key, item in value.items()}
    return [_replaced(item) for item in value] if isinstance(value, list) else value


def tables_in(place: Path | str) -> list[str]:
    with closing(Catalog(place)) as found, found.engine.connect() as connection:
        return inspect(connection).get_table_names()


@pytest.fixture(params=["to postgresql", "to sqlite"])
def places(
    request: pytest.FixtureRequest, tmp_path: Path, postgresql: PostgresqlServer
) -> tuple[Path | str, Path | str]:
    """Where a filled catalogue is, and where there is none yet."""
    file, url = tmp_path / DATABASE, postgresql.new_database()
    source, target = (file, url) if request.param == "to postgresql" else (url, file)
    with closing(Catalog(source)) as catalog:
        catalog.migrate()
        fill(catalog)
    return source, target


@pytest.fixture
def opened(places: tuple[Path | str, Path | str]) -> Iterator[tuple[Catalog, Catalog]]:
    with closing(Catalog(places[0])) as source, closing(Catalog(places[1])) as target:
        yield source, target


def test_every_row_arrives_and_numbers_go_on(opened: tuple[Catalog, Catalog]) -> None:
    source, target = opened
    before = rows_of(source)
    assert all(before.values()), "a table is not tested"
    counts = move_catalogue(source, target)
    assert rows_of(source) == rows_of(target) == before
    assert counts == {name: len(rows) for name, rows in before.items()}
    assert next_vector_id(target) == 4


def test_there_and_back_is_the_same(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    places = (tmp_path / "old.db", postgresql.new_database(), tmp_path / "new.db")
    old, between, new = (Catalog(place) for place in places)
    old.migrate()
    fill(old)
    before = rows_of(old)
    move_catalogue(old, between)
    move_catalogue(between, new)
    assert rows_of(new) == before
    assert next_vector_id(new) == 4
    for catalog in (old, between, new):
        catalog.close()


@pytest.mark.parametrize("moment", ["CREATE TABLE job", "INSERT INTO instrument", "INSERT INTO sign_in"])
def test_a_kill_in_the_middle_leaves_nothing_behind(
    places: tuple[Path | str, Path | str], moment: str
) -> None:
    source, target = places
    command = [sys.executable, "-c", KILLED, str(source), str(target), moment]
    assert subprocess.run(command, cwd=HERE, check=False).returncode == -signal.SIGKILL
    assert tables_in(target) == []
    with closing(Catalog(source)) as old, closing(Catalog(target)) as new:
        before = rows_of(old)
        move_catalogue(old, new)
        assert rows_of(new) == before


def test_a_target_that_is_not_empty_is_refused(opened: tuple[Catalog, Catalog]) -> None:
    source, target = opened
    target.migrate()
    with pytest.raises(MoveError, match="not empty"):
        move_catalogue(source, target)
    assert not any(rows_of(target).values())


def test_a_database_of_others_is_refused(opened: tuple[Catalog, Catalog]) -> None:
    source, target = opened
    with target.writer.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE invoices (number integer)")
    with pytest.raises(MoveError, match="invoices") as refused:
        move_catalogue(source, target)
    assert refused.value.value == 1
    with target.engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["invoices"]


def test_a_catalogue_in_use_is_refused(
    opened: tuple[Catalog, Catalog], places: tuple[Path | str, Path | str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite, postgresql):
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.2)
    with closing(Catalog(places[0])) as service, closing(Catalog(places[0])) as source:
        rows_of(service)
        with pytest.raises(Busy, match="stop the services"):
            move_catalogue(source, opened[1])
        with service.write() as session:
            session.add(tables.Deletion(kind="query", item_id="q_3"))
    assert tables_in(places[1]) == []


def test_a_copy_that_differs_is_taken_back(
    opened: tuple[Catalog, Catalog], places: tuple[Path | str, Path | str]
) -> None:
    source, target = opened

    def alter(connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        if "INSERT INTO library " in statement:
            connection.exec_driver_sql("UPDATE library SET revision = 8")

    event.listen(target.patient_writer, "after_cursor_execute", alter)
    with pytest.raises(MoveError, match="library differs"):
        move_catalogue(source, target)
    assert tables_in(places[1]) == []


def test_what_is_no_catalogue_is_not_moved(tmp_path: Path, postgresql: PostgresqlServer) -> None:
    for place in (tmp_path / DATABASE, postgresql.new_database()):
        target = Catalog(postgresql.new_database())
        with (
            closing(Catalog(place)) as source,
            closing(target),
            pytest.raises(MoveError, match="no catalogue"),
        ):
            move_catalogue(source, target)
    assert not list(tmp_path.iterdir())
