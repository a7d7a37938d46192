"""`showme database move`: the catalogue of a data folder goes to PostgreSQL and comes back, and is used there."""

from pathlib import Path

import pytest

from tests.app.commands import assert_one_line, run
from tests.databases import VARIABLE
from tests.postgresql_server import PostgresqlServer


def test_there_and_back(
    tmp_path: Path, postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path))
    run("keys", "create", "studio")
    (tmp_path / "showme.db-reserve").touch()
    url = postgresql.new_database()
    told = run("database", "move", url)
    assert "access_key 1" in told
    assert "set SHOWME_DATABASE_URL" in told
    (kept,) = (path.name for path in tmp_path.iterdir())
    assert kept.startswith("showme.db.moved-")
    assert kept in told
    monkeypatch.setenv(VARIABLE, url)
    assert "studio" in run("keys", "list")
    assert "access_key 1" in run("database", "move", "sqlite")
    assert_one_line(run("database", "move", "sqlite", code=2))
    monkeypatch.delenv(VARIABLE)
    assert "studio" in run("keys", "list")


def test_mistakes_are_one_line(
    tmp_path: Path, postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOWME_DATA_DIR", str(tmp_path))
    for target in ("sqlite", "mysql://me:secret@host/name", "postgresql://", postgresql.new_database()):
        told = run("database", "move", target, code=2)
        assert_one_line(told)
        assert "secret" not in told
    assert not list(tmp_path.iterdir())
