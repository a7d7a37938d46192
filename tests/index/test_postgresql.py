"""Tests of what is of PostgreSQL alone: its URL, its faults in our words, and texts that it does not hold."""

import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import func, select

from index.catalog import Catalog, Instrument, Library, Query
from models.errors import Busy, DatabaseUnavailable, IndexDamaged, InvalidRequest, ShowMeError, StorageFull
from tests.postgresql_server import LOCKED, PASSWORD, PostgresqlServer

on_postgresql = pytest.mark.parametrize("database", ["postgresql"], indirect=True)


@pytest.fixture
def catalog(database: str) -> Iterator[Catalog]:
    with closing(Catalog(database)) as made:
        made.migrate()
        yield made


def refusal(url: str) -> ShowMeError:
    """Return the error of a URL: one sentence, without the password."""
    with pytest.raises(ShowMeError) as told, closing(Catalog(url)) as catalog:
        catalog.migrate()
    assert "secret" not in f"{told.value.sentence} {told.value.value} {told.value.__cause__}"
    assert "\n" not in told.value.sentence
    return told.value


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:secret@host/showme",
        "showme.db",
        "postgresql://",
        "postgresql://me:secret@host",
        "postgresql://me:secret@host:port/showme",
        "postgresql://me:secret@host:99999/showme",
        "postgresql://me:half@secret@host/showme",
        "postgresql://me:half@sec/secret@host/showme",
        "postgresql://me:half@sec?secret@host/showme",
    ],
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    pytest.importorskip("psycopg")
    assert isinstance(refusal(url), InvalidRequest)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_server_that_is_not_there_is_told_with_the_reason(scheme: str) -> None:
    pytest.importorskip("psycopg")
    told = refusal(f"{scheme}://me:secret@127.0.0.1:1/showme")
    assert isinstance(told, DatabaseUnavailable)
    assert told.message == "the database showme on 127.0.0.1:1 cannot be used: Connection refused"


def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "showme[postgres]" in refusal("postgresql://me:secret@host/showme").message


@on_postgresql
def test_who_is_not_let_in_is_told_why(postgresql: PostgresqlServer, database: str) -> None:
    locked = database.replace("//postgres@", f"//{LOCKED}:secret@")
    assert "password authentication failed" in refusal(locked).message
    assert "does not exist" in refusal(postgresql.url("nowhere")).message
    right = database.replace("//postgres@", f"//{LOCKED}:{PASSWORD.replace('/', '%2F')}@")
    assert "permission denied for schema public" in refusal(right).message


FAULTS = [
    ("53100", StorageFull, "the disk of the database server is full"),
    ("XX001", IndexDamaged, "the database is damaged"),
    ("58030", IndexDamaged, "the disk fails under the database server"),
    ("40001", Busy, "try again"),
    ("57P03", DatabaseUnavailable, "cannot be reached"),
    ("25006", DatabaseUnavailable, "forbids it"),
]


@on_postgresql
def test_faults_of_the_server_are_told_in_words(catalog: Catalog) -> None:
    for state, kind, words in FAULTS:
        statement = f"DO $$ BEGIN RAISE EXCEPTION 'it fails' USING ERRCODE = '{state}'; END $$"
        with pytest.raises(kind, match=words), catalog.engine.begin() as connection:
            connection.exec_driver_sql(statement)


@on_postgresql
def test_a_server_that_is_started_again_is_used_again(catalog: Catalog, postgresql: PostgresqlServer) -> None:
    count = select(func.count()).select_from(Library)

    def lose() -> None:
        with catalog.write() as session:
            session.add(Library(name="Lost", encoder_hash="h"))
            session.flush()
            postgresql.stop()

    with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
        lose()
    try:
        with pytest.raises(DatabaseUnavailable), catalog.session() as session:
            session.scalar(count)
    finally:
        postgresql.start()
    with catalog.write() as session:
        assert session.scalar(count) == 0
        session.add(Library(name="Kept", encoder_hash="h"))
    with catalog.session() as session:
        assert session.scalar(count) == 1


@on_postgresql
def test_a_reader_writes_nothing(catalog: Catalog) -> None:
    with catalog.session() as session:
        session.add(Library(name="L", encoder_hash="h"))
        with pytest.raises(DatabaseUnavailable, match="read-only"):
            session.flush()


@on_postgresql
def test_texts_that_it_cannot_hold_and_long_ones_are_stored(catalog: Catalog) -> None:
    odd = "half \ud800, zero \0, both \\u0000"
    with catalog.write() as session:
        library = Library(name=odd, encoder_hash="h")
        session.add(library)
        session.flush()
        long = Instrument(library_id=library.id, name="n" * 1000, source="s", num_clips=1, encoder_hash="h")
        long.embedding = b""
        session.add(long)
        session.add(Query(file_name=odd, result={odd: 0, "num_instruments": 3}))
    held = "half ?, zero �, both \\u0000"
    with catalog.session() as session:
        assert session.scalars(select(Library.name).where(Library.name == odd)).one() == held
        assert len(session.scalars(select(Instrument.name)).one()) == 1000
        rows = select(Query.result, Query.result["num_instruments"].as_integer())
        assert session.execute(rows).one() == ({held: 0, "num_instruments": 3}, 3)
