"""The facade: libraries, pages, search, reconciliation with SQLite, several processes, verification."""

import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import delete, update

from index.catalog import Clip, Instrument, to_bytes
from index.families import FAMILIES
from index.instrument_index import InstrumentIndex
from index.vectors import VectorStore
from models.encoder_pair import EncoderPair
from models.errors import (
    EncoderMismatch,
    IndexDamaged,
    InstrumentNotFound,
    InvalidRequest,
    LibraryEmpty,
    LibraryExists,
    LibraryNotFound,
)
from tests.index.conftest import LIBRARY, open_index


@pytest.fixture
def queries(pair: EncoderPair, rng: np.random.Generator) -> np.ndarray:
    vectors = rng.standard_normal((3, pair.embedding_dim)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def vector_file(index: InstrumentIndex) -> Path:
    return index.vectors.file(index.library(LIBRARY).id)


def embeddings(index: InstrumentIndex) -> dict[str, np.ndarray]:
    with index.catalog.session() as session:
        return {row.id: np.frombuffer(row.embedding, np.float32) for row in session.query(Instrument)}


# Libraries


def test_libraries_are_made_found_and_deleted(index: InstrumentIndex) -> None:
    first, second = index.create_library("  My \n sounds "), index.create_library("Other")
    assert first.name == "My sounds"
    assert first.num_instruments == 0
    assert first.encoder_hash == index.encoder_hash
    assert index.libraries() == [first, second]
    assert index.library(first.id) == index.library("My sounds") == first
    with pytest.raises(LibraryExists, match="Other"):
        index.create_library("Other")
    for name in ("", "   ", "x" * 201):
        with pytest.raises(InvalidRequest, match="1 to 200 characters"):
            index.create_library(name)
    index.delete_library("Other")
    assert index.libraries() == [first]
    for act in (index.library, index.delete_library, index.verify, index.rebuild):
        with pytest.raises(LibraryNotFound, match="Other"):
            act("Other")


def test_an_id_wins_over_a_name(index: InstrumentIndex) -> None:
    first = index.create_library("first")
    impostor = index.create_library(first.id)
    assert index.library(first.id) == first
    assert index.library(impostor.id) == impostor


def test_deleting_a_library_removes_its_files(enrolled: InstrumentIndex) -> None:
    file = vector_file(enrolled)
    assert file.is_file()
    enrolled.delete_library(LIBRARY)
    assert not file.exists()
    assert list(enrolled.previews_dir.iterdir()) == []
    assert enrolled.verify() == []


# Instruments


def test_pages_cover_all_instruments_once_in_order(enrolled: InstrumentIndex) -> None:
    everything, more = enrolled.instruments(LIBRARY, limit=100)
    assert more is None
    assert [one.name for one in everything][:2] == ["Pure", "Hollow Clarinet"]
    for limit in range(1, 8):
        paged, after = [], None
        while True:
            page, after = enrolled.instruments(LIBRARY, limit=limit, after=after)
            paged += page
            if after is None:
                break
            assert len(page) == limit
        assert paged == everything


def test_a_page_goes_on_where_it_was_though_its_last_instrument_was_removed(
    enrolled: InstrumentIndex,
) -> None:
    first, after = enrolled.instruments(LIBRARY, limit=3)
    rest, _ = enrolled.instruments(LIBRARY, after=after)
    enrolled.remove_instrument(first[-1].id)
    assert enrolled.instruments(LIBRARY, after=after)[0] == rest


def test_instruments_are_filtered_by_family_and_name(enrolled: InstrumentIndex) -> None:
    def names(**filters: str) -> list[str]:
        return [one.name for one in enrolled.instruments(LIBRARY, **filters)[0]]  # type: ignore[arg-type]

    assert names(family="bass") == ["Variation Bass"]
    assert names(family="guitar") == []
    assert names(search="RI") == ["Hollow Clarinet", "Bright Saw Lead", "Variation Bass"]
    assert names(search="ri", family="reed") == ["Hollow Clarinet"]
    assert names(search="%") == names(search="_") == []


def test_wrong_parameters_are_refused_with_value_and_limit(
    enrolled: InstrumentIndex, queries: np.ndarray
) -> None:
    for limit in (0, -3):
        with pytest.raises(InvalidRequest, match=f"limit is {limit}"):
            enrolled.instruments(LIBRARY, limit=limit)
        with pytest.raises(InvalidRequest, match=f"top_k is {limit}"):
            enrolled.candidates(LIBRARY, queries, limit)
    for after in ("", "x", "-1", "1e3", "²", "9" * 30):
        with pytest.raises(InvalidRequest, match="after"):
            enrolled.instruments(LIBRARY, after=after)
    with pytest.raises(InvalidRequest) as caught:
        enrolled.candidates(LIBRARY, queries, 1, family="tuba")
    assert caught.value.value == "tuba"
    assert caught.value.limit == ", ".join(FAMILIES)


def test_an_instrument_and_its_preview(enrolled: InstrumentIndex) -> None:
    (first, *_), _ = enrolled.instruments(LIBRARY)
    assert enrolled.instrument(first.id) == first
    assert first.num_clips == 8
    path = enrolled.preview_path(first.id)
    assert path.suffix == ".mp3"
    assert path.stat().st_size > 1000
    path.unlink()
    with pytest.raises(InstrumentNotFound, match="Pure has no preview"):
        enrolled.preview_path(first.id)
    for act in (enrolled.instrument, enrolled.preview_path, enrolled.remove_instrument):
        with pytest.raises(InstrumentNotFound, match="i_nothing"):
            act("i_nothing")


def test_a_removed_instrument_is_found_no_more(enrolled: InstrumentIndex) -> None:
    (first, *_), _ = enrolled.instruments(LIBRARY)
    own = embeddings(enrolled)[first.id][None]
    assert enrolled.candidates(LIBRARY, own, 1)[0][0].instrument_id == first.id
    enrolled.remove_instrument(first.id)
    assert first.id not in {one.instrument_id for one in enrolled.candidates(LIBRARY, own, 99)[0]}
    assert enrolled.library(LIBRARY).num_instruments == 6
    assert enrolled.verify() == []


# Search


def test_candidates_equal_brute_force(enrolled: InstrumentIndex, queries: np.ndarray) -> None:
    vectors = embeddings(enrolled)
    for query, found in zip(queries, enrolled.candidates(LIBRARY, queries, 99), strict=True):
        expected = sorted(((float(vector @ query), one) for one, vector in vectors.items()), reverse=True)
        assert [one.instrument_id for one in found] == [one for _, one in expected]
        assert [one.similarity for one in found] == pytest.approx([score for score, _ in expected], abs=1e-6)
    assert [len(found) for found in enrolled.candidates(LIBRARY, queries, 2)] == [2, 2, 2]


def test_candidates_of_one_family(enrolled: InstrumentIndex, queries: np.ndarray) -> None:
    assert {one.name for one in enrolled.candidates(LIBRARY, queries, 9, family="reed")[0]} == {
        "Hollow Clarinet"
    }
    assert enrolled.candidates(LIBRARY, queries, 9, family="guitar") == [[], [], []]


def test_every_instrument_finds_itself_first_and_is_not_similar_to_itself(enrolled: InstrumentIndex) -> None:
    for instrument_id, vector in embeddings(enrolled).items():
        first = enrolled.candidates(LIBRARY, vector[None], 1)[0][0]
        assert first.instrument_id == instrument_id
        assert first.similarity == pytest.approx(1.0, abs=1e-5)
        similar = enrolled.similar(instrument_id, 3)
        assert len(similar) == 3
        assert instrument_id not in {one.instrument_id for one in similar}
    assert len(enrolled.similar(instrument_id, 99)) == 6


def test_empty_and_unknown_libraries_are_refused(index: InstrumentIndex, queries: np.ndarray) -> None:
    index.create_library("empty")
    with pytest.raises(LibraryEmpty, match="'empty' has no instruments"):
        index.candidates("empty", queries, 1)
    with pytest.raises(LibraryNotFound):
        index.candidates("nowhere", queries, 1)


def test_a_library_of_another_encoder_is_listed_but_not_searched(
    enrolled: InstrumentIndex, queries: np.ndarray
) -> None:
    other = InstrumentIndex(enrolled.data_dir, "sha256:other", enrolled.embedding_dim)
    before = vector_file(enrolled).read_bytes()
    other.open()
    library = other.library(LIBRARY)
    (first, *_), _ = other.instruments(LIBRARY)
    for act in (
        lambda: other.candidates(LIBRARY, queries, 1),
        lambda: other.similar(first.id, 1),
        lambda: other.rebuild(LIBRARY),
    ):
        with pytest.raises(EncoderMismatch, match="showme index add") as caught:
            act()
        assert (caught.value.value, caught.value.limit) == (library.encoder_hash, "sha256:other")
    assert any("another encoder" in fault for fault in other.verify())
    other.remove_instrument(first.id)
    other.close()
    assert vector_file(enrolled).read_bytes() == before
    assert enrolled.candidates(LIBRARY, queries, 99)[0][0].instrument_id != first.id  # the owner reconciles


# Truth and cache


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(os.urandom(5000)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": lambda path: path.write_bytes(path.read_bytes()[:-9] + b"\x99" + path.read_bytes()[-8:]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_vector_file_is_made_again_on_opening(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, damage: str
) -> None:
    before, whole = enrolled.candidates(LIBRARY, queries, 9), vector_file(enrolled).read_bytes()
    DAMAGE[damage](vector_file(enrolled))
    assert any("showme index rebuild" in fault for fault in enrolled.verify())
    again = open_index(enrolled.data_dir, pair)
    assert again.candidates(LIBRARY, queries, 9) == before
    assert again.verify() == []
    assert len(vector_file(again).read_bytes()) == len(whole)
    again.close()


def test_a_stale_vector_file_is_brought_up_to_date_on_opening(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray
) -> None:
    """As after a kill between the commit and the saving of the vectors."""
    old = vector_file(enrolled).read_bytes()
    (first, *_), _ = enrolled.instruments(LIBRARY)
    enrolled.remove_instrument(first.id)
    after = enrolled.candidates(LIBRARY, queries, 9)
    vector_file(enrolled).write_bytes(old)
    assert any("other instruments" in fault for fault in enrolled.verify())
    again = open_index(enrolled.data_dir, pair)
    assert again.candidates(LIBRARY, queries, 9) == after
    assert again.verify() == []
    again.close()


def test_rebuilding_makes_the_same_vectors(enrolled: InstrumentIndex, queries: np.ndarray) -> None:
    before = enrolled.candidates(LIBRARY, queries, 9)
    vector_file(enrolled).write_bytes(b"garbage")
    assert enrolled.rebuild() == 7
    assert enrolled.candidates(LIBRARY, queries, 9) == before
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
    (first, *_), _ = enrolled.instruments(LIBRARY)
    enrolled.remove_instrument(first.id)
    assert len(enrolled.candidates(LIBRARY, queries, 9)[0]) == 6
    assert "No space left" in caplog.text


def test_a_change_by_another_process_is_noticed_by_the_next_search(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray
) -> None:
    other = open_index(enrolled.data_dir, pair)
    (first, second, *_), _ = enrolled.instruments(LIBRARY)
    for removed, left in ((first, 6), (second, 5)):
        other.remove_instrument(removed.id)
        found = enrolled.candidates(LIBRARY, queries, 9)[0]
        assert len(found) == left
        assert removed.id not in {one.instrument_id for one in found}
    other.delete_library(LIBRARY)
    with pytest.raises(LibraryNotFound):
        enrolled.candidates(LIBRARY, queries, 1)
    other.close()


def test_searches_go_on_while_instruments_are_removed(enrolled: InstrumentIndex, queries: np.ndarray) -> None:
    rows, _ = enrolled.instruments(LIBRARY)
    failures: list[BaseException] = []
    sizes: set[int] = set()
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                sizes.update(len(found) for found in enrolled.candidates(LIBRARY, queries, 9))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for row in rows[:-1]:
            enrolled.remove_instrument(row.id)
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert sizes <= set(range(1, 8))
    assert len(enrolled.candidates(LIBRARY, queries, 9)[0]) == 1


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
        folder = enrolled.tmp_dir / f"enroll-{age}"
        folder.mkdir()
        (folder / "i_1.mp3").touch()
        files = [enrolled.previews_dir / f"i_{age}.mp3", enrolled.vectors_dir / f".l_{age}.faiss.x.tmp"]
        for file in files:
            file.touch()
        for path in (folder, *files):
            os.utime(path, (when, when))
        leftovers[age] = [folder, *files]
    for path in (*enrolled.previews_dir.iterdir(), vector_file(enrolled)):
        if path.stem not in ("i_old", "i_young"):
            os.utime(path, (old, old))
    open_index(enrolled.data_dir, pair).close()
    assert not any(path.exists() for path in leftovers["old"])
    assert all(path.exists() for path in leftovers["young"])
    assert enrolled.verify() == []


def test_an_embedding_damaged_in_the_catalogue_stops_its_own_library_only(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    (first, *_), _ = enrolled.instruments(LIBRARY)
    with enrolled.catalog.write() as session:
        session.execute(update(Instrument).where(Instrument.id == first.id).values(embedding=b"short"))
    vector_file(enrolled).unlink()
    again = open_index(enrolled.data_dir, pair)
    assert "'Tiny' cannot be searched: the embedding of 'Pure' is damaged" in caplog.text
    with pytest.raises(IndexDamaged, match=f"remove {first.id} and enrol it again"):
        again.candidates(LIBRARY, queries, 1)
    again.remove_instrument(first.id)
    assert len(again.candidates(LIBRARY, queries, 9)[0]) == 6
    again.close()


# Verification


def test_verification_names_each_fault(enrolled: InstrumentIndex) -> None:
    assert enrolled.verify() == []
    rows, _ = enrolled.instruments(LIBRARY)
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
    enrolled.preview_path(rows[5].id).unlink()
    faults = enrolled.verify()
    for i, words in enumerate(
        ("finite numbers", "finite numbers", "unit norm", "another encoder", "1 of its", "preview")
    ):
        assert any(rows[i].name in fault and words in fault for fault in faults), (i, faults)
    assert not any(rows[6].name in fault for fault in faults)


def test_verification_compares_the_vectors_with_the_catalogue(
    enrolled: InstrumentIndex, queries: np.ndarray
) -> None:
    (first, *_), _ = enrolled.instruments(LIBRARY)
    with enrolled.catalog.write() as session:
        changed = update(Instrument).where(Instrument.id == first.id).values(embedding=to_bytes(queries[0]))
        session.execute(changed)
    assert any("differs from the catalogue's embeddings" in fault for fault in enrolled.verify())
    enrolled.rebuild()
    assert enrolled.verify() == []
