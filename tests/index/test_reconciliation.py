"""SQLite is authoritative: vector files are repaired from it, other processes see its changes, verification names faults."""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, select, update

from index.catalog import Clip, Instrument, Library
from index.instrument_index import InstrumentIndex
from index.stored_embeddings import to_bytes
from index.vector_store import VectorStore
from models.encoder_pair import EncoderPair
from models.errors import IndexDamaged, LibraryNotFound
from tests.index.conftest import LIBRARY, open_index, vector_file

DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 20),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-9] + b"\x99" + path.read_bytes()[-8:]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_vector_file_is_made_again_on_opening(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, damage: str
) -> None:
    before, whole = enrolled.searchable(LIBRARY).search(queries, 9), vector_file(enrolled).read_bytes()
    DAMAGE[damage](vector_file(enrolled))
    assert any("showme index rebuild" in fault for fault in enrolled.verify())
    again = open_index(enrolled.folder.root, pair)
    assert again.searchable(LIBRARY).search(queries, 9) == before
    assert again.verify() == []
    assert len(vector_file(again).read_bytes()) == len(whole)
    again.close()


def test_a_stale_vector_file_is_brought_up_to_date_on_opening(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray
) -> None:
    """A kill between the commit and saving the vectors leaves such a file."""
    old = vector_file(enrolled).read_bytes()
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    enrolled.instruments.delete(first.id)
    after = enrolled.searchable(LIBRARY).search(queries, 9)
    vector_file(enrolled).write_bytes(old)
    assert any("other instruments" in fault for fault in enrolled.verify())
    again = open_index(enrolled.folder.root, pair)
    assert again.searchable(LIBRARY).search(queries, 9) == after
    assert again.verify() == []
    again.close()


def test_rebuilding_makes_the_same_vectors(enrolled: InstrumentIndex, queries: np.ndarray) -> None:
    before = enrolled.searchable(LIBRARY).search(queries, 9)
    vector_file(enrolled).write_bytes(b"garbage")
    assert enrolled.rebuild() == 7
    assert enrolled.searchable(LIBRARY).search(queries, 9) == before
    assert enrolled.verify(LIBRARY) == []


def test_vectors_that_cannot_be_saved_do_not_stop_the_search(
    enrolled: InstrumentIndex,
    queries: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(_: VectorStore) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(VectorStore, "save", full)
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    enrolled.instruments.delete(first.id)
    assert len(enrolled.searchable(LIBRARY).search(queries, 9)[0]) == 6
    assert "No space left" in caplog.text


def test_a_change_by_another_process_is_noticed_by_the_next_search(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray
) -> None:
    other = open_index(enrolled.folder.root, pair)
    (first, second, *_), _ = enrolled.instruments.page(LIBRARY)
    for removed, left in ((first, 6), (second, 5)):
        other.instruments.delete(removed.id)
        found = enrolled.searchable(LIBRARY).search(queries, 9)[0]
        assert len(found) == left
        assert removed.id not in {one.instrument_id for one in found}
    other.libraries.delete(LIBRARY)
    with pytest.raises(LibraryNotFound):
        enrolled.searchable(LIBRARY).search(queries, 1)
    other.close()


def test_searches_go_on_while_instruments_are_removed(enrolled: InstrumentIndex, queries: np.ndarray) -> None:
    rows, _ = enrolled.instruments.page(LIBRARY)
    failures: list[BaseException] = []
    sizes: set[int] = set()
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                sizes.update(len(found) for found in enrolled.searchable(LIBRARY).search(queries, 9))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for row in rows[:-1]:
            enrolled.instruments.delete(row.id)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert sizes <= set(range(1, 8))
    assert len(enrolled.searchable(LIBRARY).search(queries, 9)[0]) == 1


def test_a_damaged_catalogue_is_refused(tmp_path: Path, pair: EncoderPair) -> None:
    (tmp_path / "showme.db").write_bytes(b"garbage " * 500)
    index = InstrumentIndex(tmp_path, pair.encoder_hash, pair.embedding_dim)
    with pytest.raises(IndexDamaged, match="not a catalogue"):
        index.open()
    index.close()


def test_opening_sweeps_what_a_killed_process_left_long_ago(
    enrolled: InstrumentIndex, pair: EncoderPair
) -> None:
    old, young = time.time() - 2 * 24 * 3600, time.time()
    leftovers = {}
    for age, when in (("old", old), ("young", young)):
        folder = enrolled.folder.tmp_dir / f"enroll-{age}"
        folder.mkdir()
        (folder / "i_1.mp3").touch()
        files = [
            enrolled.folder.previews_dir / f"i_{age}.mp3",
            enrolled.folder.vectors_dir / f".l_{age}.faiss.x.tmp",
        ]
        for file in files:
            file.touch()
        for path in (folder, *files):
            os.utime(path, (when, when))
        leftovers[age] = [folder, *files]
    for path in (*enrolled.folder.previews_dir.iterdir(), vector_file(enrolled)):
        if path.stem not in ("i_old", "i_young"):
            os.utime(path, (old, old))
    open_index(enrolled.folder.root, pair).close()
    assert not any(path.exists() for path in leftovers["old"])
    assert all(path.exists() for path in leftovers["young"])
    assert enrolled.verify() == []


def test_an_emptied_database_costs_no_files(
    enrolled: InstrumentIndex, pair: EncoderPair, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody puts an empty database in the place of the real one, starts the program, and puts the real one back."""
    root, aside, old = (
        enrolled.folder.root,
        enrolled.folder.root.parent / "aside.db",
        time.time() - 2 * 24 * 3600,
    )
    enrolled.catalog.close()  # the last connection takes the journal into the database
    upload = enrolled.folder.uploads_dir / "u_1"
    upload.mkdir()
    files = {*enrolled.folder.previews_dir.iterdir(), upload}
    for path in files:
        os.utime(path, (old, old))
    enrolled.folder.database.rename(aside)
    for name in ("Another", "One more"):
        emptied = open_index(root, pair)
        emptied.libraries.create(name)
        emptied.close()
    assert all(path.exists() for path in files)
    assert "7 of the previews" in caplog.text
    aside.replace(enrolled.folder.database)
    again = open_index(root, pair)
    assert again.verify() == []
    assert not upload.exists()
    again.close()


def test_an_embedding_damaged_in_the_catalogue_stops_its_own_library_only(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    with enrolled.catalog.write() as session:
        session.execute(update(Instrument).where(Instrument.id == first.id).values(embedding=b"short"))
    vector_file(enrolled).unlink()
    again = open_index(enrolled.folder.root, pair)
    assert "cannot be searched (The index is damaged); `showme index verify` tells why" in caplog.text
    assert not any(name in caplog.text for name in ("Tiny", "Pure"))
    assert any("Pure: its embedding is not" in fault for fault in again.verify())
    with pytest.raises(IndexDamaged, match=f"remove {first.id} and enrol it again"):
        again.searchable(LIBRARY).search(queries, 1)
    again.instruments.delete(first.id)
    assert len(again.searchable(LIBRARY).search(queries, 9)[0]) == 6
    again.close()


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_never_served(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, number: float
) -> None:
    (first, second, *_), _ = enrolled.instruments.page(LIBRARY)
    embedding = np.full(enrolled.embedding_dim, number, np.float32)
    with enrolled.catalog.write() as session:
        session.execute(
            update(Instrument).where(Instrument.id == first.id).values(embedding=to_bytes(embedding))
        )
        session.execute(update(Library).values(revision=Library.revision + 1))
    vector_file(enrolled).unlink()
    again = open_index(enrolled.folder.root, pair)
    for use in (
        lambda: again.searchable(LIBRARY).search(queries, 9),
        lambda: again.similar(first.id, 1),
        lambda: again.similar(second.id, 1),
        lambda: again.duplicates(LIBRARY, 0.5, 9),
    ):
        with pytest.raises(IndexDamaged):
            use()
    assert any("not 32 finite numbers" in fault for fault in again.verify())
    again.instruments.delete(first.id)
    assert len(again.searchable(LIBRARY).search(queries, 9)[0]) == 6
    again.close()


def test_a_vector_file_that_is_not_finite_is_made_again(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray
) -> None:
    before = enrolled.searchable(LIBRARY).search(queries, 9)
    library = enrolled.libraries.get(LIBRARY)
    with enrolled.catalog.session() as session:
        store = enrolled.vectors.empty_store(session.get_one(Library, library.id))
        ids = np.array(sorted(session.scalars(select(Instrument.vector_id))), np.int64)
    store.add(ids, np.full((len(ids), store.dim), np.nan, np.float32))
    store.save()
    again = open_index(enrolled.folder.root, pair)
    assert again.searchable(LIBRARY).search(queries, 9) == before
    again.close()


@pytest.mark.parametrize("seed", range(6))
def test_damage_anywhere_in_the_database_is_told_in_words(
    enrolled: InstrumentIndex, pair: EncoderPair, seed: int
) -> None:
    """Random bytes in a third of the pages: opening and verifying give sentences, never another error."""
    random, database = np.random.default_rng(seed), enrolled.folder.database
    enrolled.catalog.close()
    content = bytearray(database.read_bytes())
    for start in range(4096 * (seed % 2), len(content), 4096):
        if random.random() < 0.3:
            at = start + int(random.integers(4000))
            content[at : at + 96] = random.bytes(96)
    database.write_bytes(content)
    index = InstrumentIndex(enrolled.folder.root, pair.encoder_hash, pair.embedding_dim)
    assert all(fault.startswith(("database", "library", "the libraries", "rows")) for fault in index.verify())
    with suppress(IndexDamaged):
        index.open()
    index.close()


def test_verification_names_each_fault(enrolled: InstrumentIndex) -> None:
    assert enrolled.verify() == []
    rows, _ = enrolled.instruments.page(LIBRARY)
    changes: dict[int, dict[str, object]] = {
        0: {"embedding": b"short"},
        1: {"embedding": to_bytes(np.full(enrolled.embedding_dim, np.nan, np.float32))},
        2: {"embedding": to_bytes(np.ones(enrolled.embedding_dim, np.float32))},
        3: {"encoder_hash": "sha256:other"},
    }
    with enrolled.catalog.write() as session:
        for i, values in changes.items():
            session.execute(update(Instrument).where(Instrument.id == rows[i].id).values(**values))
        fifth = session.query(Instrument).where(Instrument.id == rows[4].id).one()
        session.execute(delete(Clip).where(Clip.vector_id == fifth.vector_id, Clip.position > 0))
        sixth = session.query(Instrument).where(Instrument.id == rows[5].id).one()
        cut = update(Clip).where(Clip.vector_id == sixth.vector_id, Clip.position == 0)
        session.execute(cut.values(embedding=b"short"))
    enrolled.instruments.preview_path(rows[5].id).unlink()
    faults = enrolled.verify()
    expected = [
        "finite numbers",
        "finite numbers",
        "unit norm",
        "another encoder",
        "1 of its 8 clips are intact",
    ]
    for i, words in [*enumerate(expected), (5, "7 of its 8 clips are intact"), (5, "preview")]:
        assert any(rows[i].name in fault and words in fault for fault in faults), (i, faults)
    assert not any(rows[6].name in fault for fault in faults)


def test_verification_compares_the_vectors_with_the_catalogue(
    enrolled: InstrumentIndex, queries: np.ndarray
) -> None:
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    with enrolled.catalog.write() as session:
        changed = update(Instrument).where(Instrument.id == first.id).values(embedding=to_bytes(queries[0]))
        session.execute(changed)
    assert any("differs from the catalogue's embeddings" in fault for fault in enrolled.verify())
    enrolled.rebuild()
    assert enrolled.verify() == []
