"""Backups that are damaged, cut short, newer or made to do harm are refused in one sentence and leave nothing behind."""

import hashlib
import json
import sqlite3
import stat
import warnings
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.backup import back_up
from index.backup_manifest import MANIFEST
from index.catalog import Catalog, Library, Query
from index.libraries import DATABASE, DataFolder
from index.restoring import restore
from models.errors import BackupError
from tests.index.test_catalog import an_instrument

Entries = dict[str, bytes]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a library with one instrument and its preview, and of a query with its audio."""
    folder = DataFolder(tmp_path_factory.mktemp("backed-up") / "data")
    folder.root.mkdir()
    folder.create()
    catalog = Catalog(folder.database)
    catalog.migrate()
    with catalog.write() as session:
        session.add(library := Library(name="L", encoder_hash="h"))
        session.flush()
        session.add(instrument := an_instrument(library.id, "I"))
        session.add(Query(file_name="song.wav", audio="q_1.wav", result={}))
    catalog.close()
    folder.preview_file(instrument.id).write_bytes(b"preview")
    (folder.queries_dir / "q_1.wav").write_bytes(b"audio")
    back_up(folder.root, archive := folder.root.with_name("backup.zip"))
    return archive


def entries_of(archive: Path) -> Entries:
    with zipfile.ZipFile(archive) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def in_folder(root: Path) -> Entries:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def refused(archive: Path, reason: str = "not restored") -> None:
    """Check that restoring the archive is refused in one sentence, and changes nothing in the folder that it is in."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(BackupError, match=reason) as raised:
        restore(archive, archive.parent / "data")
    assert "\n" not in raised.value.message
    assert archive.name in raised.value.message
    assert sorted(archive.parent.rglob("*")) == before


def test_it_is_as_it_was(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    restore(archive, tmp_path / "data")
    expected = entries_of(archive)
    del expected[MANIFEST]
    assert in_folder(tmp_path / "data") == expected
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o750
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_a_folder_that_is_in_use_is_named_and_stays(archive: Path, tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_bytes(b"file")
    (folder / "empty").mkdir(parents=True)
    for taken in (file, folder):
        with pytest.raises(BackupError, match=f"{taken} is in use"):
            restore(archive, taken)
    with pytest.raises(BackupError, match="no folder"):
        restore(archive, tmp_path / "nowhere" / "data")
    assert in_folder(tmp_path) == {"file": b"file"}


# Damage


@given(data=st.data())
def test_any_damage_is_refused_or_does_no_harm(archive: Path, data: st.DataObject) -> None:
    """Changed bytes are found, or say nothing of the content, as dates do: then all is restored as it was."""
    content = bytearray(archive.read_bytes())
    place = st.integers(0, len(content) - 1) | st.integers(len(content) - 1500, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(place)] ^= data.draw(st.integers(1, 255))
    with TemporaryDirectory() as folder:
        damaged, root = Path(folder) / "damaged.zip", Path(folder) / "data"
        damaged.write_bytes(content)
        try:
            restore(damaged, root)
        except BackupError:
            refused(damaged)
        else:
            assert in_folder(root) == {n: b for n, b in entries_of(archive).items() if n != MANIFEST}


@given(share=st.floats(0, 1, exclude_max=True))
def test_one_that_is_cut_short_is_refused(archive: Path, share: float) -> None:
    content = archive.read_bytes()
    with TemporaryDirectory() as folder:
        (short := Path(folder) / "short.zip").write_bytes(content[: int(share * len(content))])
        refused(short, "cut short")


# Archives that were not written by `back_up`


def forge(
    target: Path, entries: Entries, changes: dict[str, Any] | None = None, listed: Entries | None = None
) -> Path:
    """Write an archive of these entries whose manifest has their hashes, or those of the `listed` ones, and the changes."""
    manifest = json.loads(entries[MANIFEST])
    files = listed if listed is not None else {name: entries[name] for name in entries if name != MANIFEST}
    manifest["files"] = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    with zipfile.ZipFile(target, "w") as zipped:
        for name, content in (entries | {MANIFEST: json.dumps(manifest | (changes or {})).encode()}).items():
            zipped.writestr(name, content)
    return target


@pytest.mark.parametrize(
    "name",
    [
        *("/tmp/evil", "../evil", "previews/../../evil", "previews/..", "previews//evil", "previews/./evil"),
        *("evil", "tmp/evil", "C:evil", "previews/", "previews/a\0b", "showme.db/evil"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(archive: Path, tmp_path: Path, name: str) -> None:
    refused(forge(tmp_path / "evil.zip", entries_of(archive) | {name: b"evil"}), "no part of a data folder")


def test_a_file_in_the_place_of_a_folder_is_refused(archive: Path, tmp_path: Path) -> None:
    for names in (("uploads/u/a", "uploads/u/a/b"), ("uploads/u/a/b", "uploads/u/a")):
        evil = forge(tmp_path / "evil.zip", entries_of(archive) | dict.fromkeys(names, b""))
        refused(evil, "takes the place of another")


def test_links_compressed_and_repeated_entries_are_refused(archive: Path, tmp_path: Path) -> None:
    entries, evil = entries_of(archive), tmp_path / "evil.zip"
    listed = {name: entries[name] for name in entries if name != MANIFEST} | {"previews/evil": b"/etc/passwd"}
    link = zipfile.ZipInfo("previews/evil")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    packed = zipfile.ZipInfo("previews/evil")
    packed.compress_type = zipfile.ZIP_DEFLATED
    for entry in (link, packed):
        with zipfile.ZipFile(forge(evil, entries, listed=listed), "a") as zipped:
            zipped.writestr(entry, b"/etc/passwd")
        refused(evil, "no stored file")
    with warnings.catch_warnings(), zipfile.ZipFile(forge(evil, entries), "a") as zipped:
        warnings.simplefilter("ignore")
        zipped.writestr(DATABASE, entries[DATABASE])
    refused(evil, "each once")


def test_entries_and_manifest_must_agree(archive: Path, tmp_path: Path) -> None:
    entries, evil = entries_of(archive), tmp_path / "evil.zip"
    files = {name: entries[name] for name in entries if name != MANIFEST}
    refused(forge(evil, entries | {"previews/more": b""}, listed=files), "each once")
    refused(forge(evil, entries, listed=files | {"previews/more": b""}), "each once")
    refused(forge(evil, entries, listed=files | {DATABASE: b"other"}), "damaged")
    refused(forge(evil, {MANIFEST: entries[MANIFEST]}), "no manifest that can be read")


def test_sizes_that_lie_are_refused(archive: Path, tmp_path: Path) -> None:
    """Entries that share their bytes, or declare more than there are, unpack to no more than the archive's size."""
    evil = forge(tmp_path / "evil.zip", entries_of(archive))
    content = bytearray(evil.read_bytes())
    directory = content.index(b"PK\x01\x02")
    content[directory + 20 : directory + 28] = (1 << 30).to_bytes(4, "little") * 2
    evil.write_bytes(content)
    refused(evil, "declares 1073")


def test_what_is_no_backup_is_refused(archive: Path, tmp_path: Path) -> None:
    entries, evil = entries_of(archive), tmp_path / "evil.zip"
    for content in (b"", b"PK", b"x" * 10_000):
        evil.write_bytes(content)
        refused(evil, "no backup of this program, or it was cut short")
    for text in (b"", b"{", b"[]", b"[" * 100_000, b'{"format": "zip", "version": 1}', b"\xff"):
        with zipfile.ZipFile(evil, "w") as zipped:
            zipped.writestr(MANIFEST, text)
        refused(evil, "no backup of this program: it holds no manifest")
    refused(forge(evil, entries, {"counts": None}), "no manifest that can be read")
    refused(forge(evil, entries | {"previews": b""}), "no manifest that can be read")


def test_those_of_a_newer_version_are_refused(archive: Path, tmp_path: Path) -> None:
    entries, newer = entries_of(archive), tmp_path / "newer.zip"
    refused(forge(newer, entries, {"version": 2, "more": "…"}), "format 2.*reads up to 1")
    refused(forge(newer, entries, {"schema_revision": "9999"}), "schema 9999; .* take a newer one")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE query SET audio = '../../../etc/passwd'", "'queries/../../../etc/passwd'"),
        ("UPDATE query SET audio = '/etc/passwd'", "'/etc/passwd'"),
        ("UPDATE query SET audio = CAST('../a' AS BLOB)", "'queries/../a'"),
        ("UPDATE instrument SET id = '../../i'", "'previews/../../i.mp3'"),
        ("UPDATE instrument SET source_path = '..'", "names '..'"),
        ("UPDATE instrument SET source_path = 'showme.db-wal'", "names 'showme.db-wal'"),
        ("UPDATE library SET id = '../l'", "'vectors/../l'"),
        ("CREATE VIEW v AS SELECT 1", "has 'v'"),
        ("CREATE TRIGGER t AFTER INSERT ON job BEGIN UPDATE query SET audio = '../a'; END", "has 't'"),
        ("CREATE VIRTUAL TABLE f USING fts4(a)", "has 'f'"),
        ("ALTER TABLE query ADD COLUMN path AS ('..' || audio)", "has 'query'"),
        ("CREATE TABLE p (a REFERENCES query(audio) ON UPDATE CASCADE)", "has 'p'"),
        ("CREATE TABLE p (a DEFAULT '..' REFERENCES query(audio) ON DELETE SET DEFAULT)", "has 'p'"),
        ("DELETE FROM query", "not the one that its manifest describes"),
        ("UPDATE alembic_version SET version_num = '0001'", "not the one that its manifest describes"),
        ("DROP TABLE alembic_version", "no revision"),
    ],
)
def test_databases_that_would_do_harm_are_refused(
    archive: Path, tmp_path: Path, statement: str, reason: str
) -> None:
    refused(with_database(archive, tmp_path, lambda database: database.execute(statement)), reason)


def with_database(archive: Path, folder: Path, change: Callable[[sqlite3.Connection], object]) -> Path:
    """Write an archive whose database was changed, as its manifest says."""
    with TemporaryDirectory() as aside:
        (path := Path(aside) / DATABASE).write_bytes(entries_of(archive)[DATABASE])
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            change(database)
        return forge(folder / "evil.zip", entries_of(archive) | {DATABASE: path.read_bytes()})


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DROP TABLE query", "no such table: query"),
        ("ALTER TABLE query DROP COLUMN audio", "no such column: audio"),
    ],
)
def test_a_database_that_lacks_something_is_refused(
    archive: Path, tmp_path: Path, statement: str, reason: str
) -> None:
    evil = with_database(archive, tmp_path, lambda database: database.execute(statement))
    counts = json.loads(entries_of(evil)[MANIFEST])["counts"]
    if "DROP TABLE" in statement:
        del counts["query"]
    refused(forge(evil, entries_of(evil), {"counts": counts}), reason)


def test_a_database_that_is_none_or_is_damaged_is_refused(archive: Path, tmp_path: Path) -> None:
    entries, evil = entries_of(archive), tmp_path / "evil.zip"
    sound = entries[DATABASE]
    for content, reason in (
        (b"", "no revision"),
        (b"words " * 1000, "not a catalogue"),
        (sound[:4096] + b"\xa5" * (len(sound) - 4096), "is damaged"),
    ):
        refused(forge(evil, entries | {DATABASE: content}), reason)
