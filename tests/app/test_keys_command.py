"""`showme keys` and `showme audit`, as users run them: a key is shown once, revoked by its id, and leaves no names behind."""

import logging
import re
from pathlib import Path

import pytest

from app.cli.serving import _say_how_to_get_a_key
from app.settings import Settings
from index.catalog import Catalog
from index.database.sqlite import plain_connection
from index.libraries import DataFolder
from index.snapshot import copy_database
from index.source_finder import EnrolledInstrument, SourceFinder
from index.sources.opening import IN_PROCESS
from models.errors import SourceError
from tests.app.commands import assert_one_line, run


def test_a_key_is_made_listed_and_revoked(environment: Path) -> None:
    made = run("keys", "create", "My studio", "--scope", "admin", "--days", "30")
    (secret,) = re.findall(r"^showme_[\w-]{43}$", made, re.MULTILINE)
    listed = run("keys", "list")
    (key_id,) = re.findall(r"k_[0-9a-f]{12}", listed)
    assert "My studio" in listed
    assert "valid" in listed
    assert secret not in listed
    assert secret.encode() not in b"".join(
        path.read_bytes() for path in (environment / "data").glob("showme.db*")
    )
    assert key_id in run("keys", "revoke", key_id)
    assert "revoked" in run("keys", "list")
    recorded = run("audit")
    assert re.search(rf"key +{key_id}", recorded)
    assert "My studio" not in recorded


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "x", "--scope", "root"),
        ("create", " "),
        ("create", "x" * 101),
        ("create", "x", "--days", "0"),
        ("create", "x", "--days", "nan"),
        ("create", "x", "--days", "inf"),
        ("revoke", "k_000000000000"),
    ],
)
def test_a_mistake_is_one_line(environment: Path, arguments: tuple[str, ...]) -> None:
    assert_one_line(run("keys", *arguments, code=2))


def test_what_the_terminal_deletes_is_recorded(folder: Path) -> None:
    run("index", "add", folder, "--library", "Private")
    run("index", "remove", "Private", "--yes")
    recorded = run("audit", "--limit", "1")
    assert re.search(r"library +l_[0-9a-f]{12} +– +–", recorded)
    assert "Private" not in recorded


def test_the_service_says_how_to_get_the_first_key(
    environment: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run("keys", "list")  # makes the database
    with caplog.at_level(logging.WARNING, "showme"):
        _say_how_to_get_a_key(Settings())
        assert "showme keys create NAME" in caplog.text
        caplog.clear()
        run("keys", "create", "first")
        _say_how_to_get_a_key(Settings())
        assert caplog.text == ""


def test_a_backup_holds_no_sessions(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "showme.db")
    catalog.migrate()
    with plain_connection(tmp_path / "showme.db") as database:
        database.execute(
            "INSERT INTO access_key (id, name, scope, digest, created_at) VALUES ('k_1', 'a', 'read', 'd', 0)"
        )
        database.execute("INSERT INTO sign_in VALUES ('t', 'k_1', 0, 0)")
    copy_database(tmp_path / "showme.db", tmp_path / "copy.db")
    catalog.close()
    with plain_connection(tmp_path / "copy.db") as copied:
        assert copied.execute("SELECT count(*) FROM sign_in").fetchone() == (0,)
        assert copied.execute("SELECT count(*) FROM access_key").fetchone() == (1,)


def test_sources_are_read_below_named_roots_only(folder: Path, tmp_path: Path) -> None:
    """Also by a link, and by a row that climbs out of the data folder."""
    data = DataFolder(tmp_path / "data")
    data.create()
    link = tmp_path / "allowed" / "link"
    link.parent.mkdir()
    link.symlink_to(folder)

    def row(path: str) -> EnrolledInstrument:
        return EnrolledInstrument(1, "i_1", "Low Bass", "Low Bass", "Low Bass", None, path)

    climbing = "uploads/../../samples"
    for roots in ((), (tmp_path / "allowed",), (folder / "Low Bass",)):
        for path in (str(folder), str(link), climbing, "/etc"):
            with pytest.raises(SourceError, match="SHOWME_SOURCE_ROOTS"):
                SourceFinder(data, (), IN_PROCESS, roots).find(row(path))
    for allowed in (None, (folder,), (tmp_path,)):
        with pytest.raises(SourceError) as refused:  # opened, and looked into
            SourceFinder(data, (), IN_PROCESS, allowed).find(row(str(folder))._replace(source="other"))
        assert "SHOWME_SOURCE_ROOTS" not in refused.value.message
