"""The catalogue: migrations up and down, constraints, and sessions of several threads."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from index.catalog import JOB_STATES, Catalog, Clip, Instrument, Job, Library, Query
from index.declarative import Base, new_id
from index.migrations import CONNECTION, alembic_config, migrations_folder
from index.stored_embeddings import from_bytes, to_bytes
from models.errors import IndexDamaged
from tests.databases import catalogue_at

pytestmark = pytest.mark.both_databases


@pytest.fixture
def catalog(tmp_path: Path, database: str | None) -> Iterator[Catalog]:
    made = Catalog(catalogue_at(tmp_path))
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def in_sqlite(tmp_path: Path) -> Iterator[Catalog]:
    made = Catalog(tmp_path / "showme.db")
    made.migrate()
    yield made
    made.close()


def add_library(catalog: Catalog, name: str = "Lib", instruments: int = 0) -> str:
    with catalog.write() as session:
        library = Library(name=name, encoder_hash="h")
        session.add(library)
        session.flush()
        for i in range(instruments):
            session.add(instrument := an_instrument(library.id, f"{name} {i}"))
            session.flush()
            session.add(Clip(vector_id=instrument.vector_id, position=0, embedding=instrument.embedding))
    return library.id


def an_instrument(library_id: str, name: str) -> Instrument:
    embedding = to_bytes(np.full(4, 0.5, np.float32))
    return Instrument(
        library_id=library_id, name=name, source="test", num_clips=1, encoder_hash="h", embedding=embedding
    )


def count(catalog: Catalog, table: type[Base]) -> int:
    with catalog.session() as session:
        return session.scalar(select(sa.func.count()).select_from(table)) or 0


def test_migrations_make_what_the_models_say(catalog: Catalog) -> None:
    with catalog.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_go_down_and_up_again(catalog: Catalog) -> None:
    add_library(catalog, instruments=2)
    config = alembic_config()
    with catalog.database.altering() as connection:
        config.attributes[CONNECTION] = connection
        command.downgrade(config, "base")
    assert inspect(catalog.engine).get_table_names() == ["alembic_version"]
    catalog.migrate()
    assert set(inspect(catalog.engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    assert count(catalog, Library) == 0


def test_rows_of_0001_are_kept_and_know_no_licence_and_no_range(catalog: Catalog) -> None:
    library_id = add_library(catalog, instruments=3)
    config = alembic_config()
    with catalog.database.altering() as connection:
        config.attributes[CONNECTION] = connection
        command.downgrade(config, "0001")
    columns = {column["name"] for column in inspect(catalog.engine).get_columns("instrument")}
    assert not columns & {"licence", "lowest_pitch", "highest_pitch"}
    with catalog.write() as session:  # a row as revision 0001 wrote it
        old = "SELECT 'i_old', library_id, 'old', family, source, num_clips, encoder_hash, embedding, created_at"
        names = "id, library_id, name, family, source, num_clips, encoder_hash, embedding, created_at"
        session.execute(text(f"INSERT INTO instrument ({names}) {old} FROM instrument LIMIT 1"))
    catalog.migrate()
    with catalog.session() as session:
        rows = session.scalars(select(Instrument).order_by(Instrument.vector_id)).all()
        assert [row.name for row in rows] == ["Lib 0", "Lib 1", "Lib 2", "old"]
        assert {(row.library_id, row.licence, row.lowest_pitch, row.highest_pitch) for row in rows} == {
            (library_id, None, None, None)
        }
        assert all(np.array_equal(from_bytes(row.embedding), np.full(4, 0.5)) for row in rows)
    assert count(catalog, Clip) == 3
    with catalog.write() as session:
        session.execute(sa.delete(Instrument))
        session.add(fresh := an_instrument(library_id, "fresh"))
        session.flush()
        assert fresh.vector_id == 5  # ids used before the table was altered stay used


def test_migrating_twice_changes_nothing(catalog: Catalog) -> None:
    add_library(catalog)
    catalog.migrate()
    assert count(catalog, Library) == 1


def test_a_migration_that_fails_leaves_the_schema_as_it_was(catalog: Catalog) -> None:
    def failing() -> None:
        with catalog.database.altering() as connection:
            connection.execute(text("ALTER TABLE library ADD COLUMN half INTEGER"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert "half" not in {column["name"] for column in inspect(catalog.engine).get_columns("library")}


def test_altering_a_table_by_copying_keeps_the_rows_that_refer_to_it(in_sqlite: Catalog) -> None:
    add_library(in_sqlite, instruments=3)
    with in_sqlite.database.altering() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("library", recreate="always") as batch:
            batch.add_column(sa.Column("note", sa.Text()))
    assert count(in_sqlite, Instrument) == count(in_sqlite, Clip) == 3
    with in_sqlite.session() as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1


def test_the_migrations_are_found_and_have_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = migrations_folder()
    assert (folder / "versions").is_dir()
    assert not (folder / "__init__.py").exists()
    wheel = tmp_path / "site-packages" / "index"
    (wheel / "_alembic" / "versions").mkdir(parents=True)
    (wheel / "_alembic" / "env.py").touch()
    (wheel.parent / "alembic").mkdir()  # the installed library, which has no env.py of its own
    monkeypatch.setattr("index.migrations.__file__", str(wheel / "migrations.py"))
    assert migrations_folder() == wheel / "_alembic"
    (wheel / "_alembic" / "env.py").unlink()
    with pytest.raises(IndexDamaged, match="not installed"):
        migrations_folder()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "showme.db").write_bytes(b"garbage " * 500)
    catalog = Catalog(tmp_path / "showme.db")
    with pytest.raises(IndexDamaged, match=r"not a catalogue: file is not a database"):
        catalog.migrate()
    catalog.close()


def test_a_catalogue_from_the_future_is_refused(catalog: Catalog) -> None:
    with catalog.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(IndexDamaged, match="newer version"):
        catalog.migrate()


def test_several_may_open_a_new_catalogue_at_once(tmp_path: Path, database: str | None) -> None:
    failures: list[BaseException] = []

    def first_start() -> None:
        catalog = Catalog(catalogue_at(tmp_path))
        try:
            catalog.migrate()
        except BaseException as error:
            failures.append(error)
        finally:
            catalog.close()

    threads = [threading.Thread(target=first_start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_sqlite_runs_as_it_should(in_sqlite: Catalog) -> None:
    with in_sqlite.session() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA synchronous")) == 2


def test_deleting_a_library_takes_its_rows_but_not_the_history(catalog: Catalog) -> None:
    library_id = add_library(catalog, instruments=2)
    with catalog.write() as session:
        session.add(Job(library_id=library_id))
        session.add(Query(library_id=library_id, file_name="song.mp3", audio=None, result={"slots": []}))
    with catalog.write() as session:
        session.execute(sa.delete(Library))
    assert [count(catalog, table) for table in (Library, Instrument, Clip, Job, Query)] == [0, 0, 0, 1, 1]
    with catalog.session() as session:
        assert session.scalars(select(Job)).one().library_id is None
        query = session.scalars(select(Query)).one()
        assert query.result == {"slots": []}
        assert query.created_at.tzinfo is UTC


def test_constraints_hold(catalog: Catalog) -> None:
    library_id = add_library(catalog, instruments=1)
    wrong: list[Base] = [
        Library(name="Lib", encoder_hash="h"),
        an_instrument(library_id, "Lib 0"),
        an_instrument("l_unknown", "orphan"),
        Job(state="asleep"),
    ]
    for row in wrong:
        with pytest.raises(IntegrityError), catalog.write() as session:
            session.add(row)
    with catalog.write() as session:
        session.add_all(Job(state=state) for state in JOB_STATES)
    assert count(catalog, Job) == len(JOB_STATES)


def test_vector_ids_are_never_used_twice(catalog: Catalog) -> None:
    add_library(catalog, instruments=3)
    with catalog.write() as session:
        last = session.scalar(select(sa.func.max(Instrument.vector_id))) or 0
        session.execute(sa.delete(Library))
    add_library(catalog, "Again", instruments=1)
    with catalog.session() as session:
        assert session.scalars(select(Instrument.vector_id)).all() == [last + 1]


def test_a_reader_sees_one_state_while_a_writer_works(catalog: Catalog) -> None:
    add_library(catalog, "before")
    with catalog.session() as reader:
        assert reader.scalars(select(Library.name)).all() == ["before"]
        add_library(catalog, "after")
        assert reader.scalars(select(Library.name)).all() == ["before"]
    with catalog.session() as reader:
        assert sorted(reader.scalars(select(Library.name))) == ["after", "before"]


def test_writers_wait_for_each_other(catalog: Catalog) -> None:
    library_id = add_library(catalog)

    def raise_revision() -> None:
        for _ in range(10):
            with catalog.write() as session:
                library = session.get_one(Library, library_id)
                library.revision += 1

    threads = [threading.Thread(target=raise_revision) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with catalog.session() as session:
        assert session.get_one(Library, library_id).revision == 40


def test_what_raises_while_writing_is_not_kept(catalog: Catalog) -> None:
    def failing() -> None:
        with catalog.write() as session:
            session.add(Library(name="half", encoder_hash="h"))
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert count(catalog, Library) == 0


@given(st.lists(st.floats(-1, 1, width=32), max_size=64))
def test_embeddings_keep_every_bit(values: list[float]) -> None:
    embedding = np.array(values, np.float32)
    assert np.array_equal(from_bytes(to_bytes(embedding)), embedding)


def test_ids_tell_what_they_are_of() -> None:
    ids = {new_id("i") for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 14 and one.startswith("i_") for one in ids)


def test_moments_come_back_in_utc(catalog: Catalog) -> None:
    add_library(catalog)
    with catalog.session() as session:
        created_at = session.scalars(select(Library.created_at)).one()
    assert abs((datetime.now(UTC) - created_at).total_seconds()) < 60
