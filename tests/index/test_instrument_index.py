"""The index as a whole: libraries, pages of instruments, search, and libraries of another encoder."""

import numpy as np
import pytest

from index.catalog import Instrument
from index.families import FAMILIES
from index.instrument_index import InstrumentIndex
from models.errors import (
    EncoderMismatch,
    InstrumentNotFound,
    InvalidRequest,
    LibraryEmpty,
    LibraryExists,
    LibraryNotFound,
)
from tests.databases import catalogue_at
from tests.index.conftest import LIBRARY, delete_for_good, vector_file

pytestmark = pytest.mark.both_databases


def embeddings(index: InstrumentIndex) -> dict[str, np.ndarray]:
    with index.catalog.session() as session:
        return {row.id: np.frombuffer(row.embedding, np.float32) for row in session.query(Instrument)}


def open_as_other(index: InstrumentIndex) -> InstrumentIndex:
    """The same libraries for another encoder; nothing is migrated or swept."""
    root = index.folder.root
    return InstrumentIndex(root, "sha256:other", index.embedding_dim, catalogue=catalogue_at(root))


# Libraries


def test_libraries_are_made_found_and_deleted(index: InstrumentIndex) -> None:
    first, second = index.libraries.create("  My \n sounds "), index.libraries.create("Other")
    assert first.name == "My sounds"
    assert first.num_instruments == 0
    assert first.encoder_hash == index.encoder_hash
    assert index.libraries.all() == [first, second]
    assert index.libraries.get(first.id) == index.libraries.get("My sounds") == first
    with pytest.raises(LibraryExists, match="Other"):
        index.libraries.create("Other")
    for name in ("", "   ", "x" * 201):
        with pytest.raises(InvalidRequest, match="1 to 200 characters"):
            index.libraries.create(name)
    index.libraries.delete("Other")
    assert index.libraries.all() == [first]
    for act in (index.libraries.get, index.libraries.delete, index.verify, index.rebuild):
        with pytest.raises(LibraryNotFound, match="Other"):
            act("Other")


def test_an_id_wins_over_a_name(index: InstrumentIndex) -> None:
    first = index.libraries.create("first")
    impostor = index.libraries.create(first.id)
    assert index.libraries.get(first.id) == first
    assert index.libraries.get(impostor.id) == impostor


def test_deleting_a_library_removes_its_files(enrolled: InstrumentIndex) -> None:
    file = vector_file(enrolled)
    assert file.is_file()
    delete_for_good(enrolled)
    assert not file.exists()
    assert list(enrolled.folder.previews_dir.iterdir()) == []
    assert enrolled.verify() == []


# Instruments


def test_pages_cover_all_instruments_once_in_order(enrolled: InstrumentIndex) -> None:
    everything, more = enrolled.instruments.page(LIBRARY, limit=100)
    assert more is None
    assert [one.name for one in everything][:2] == ["Pure", "Hollow Clarinet"]
    for limit in range(1, 8):
        paged, after = [], None
        while True:
            page, after = enrolled.instruments.page(LIBRARY, limit=limit, after=after)
            paged += page
            if after is None:
                break
            assert len(page) == limit
        assert paged == everything


def test_a_page_goes_on_where_it_was_though_its_last_instrument_was_removed(
    enrolled: InstrumentIndex,
) -> None:
    first, after = enrolled.instruments.page(LIBRARY, limit=3)
    rest, _ = enrolled.instruments.page(LIBRARY, after=after)
    enrolled.instruments.delete(first[-1].id)
    assert enrolled.instruments.page(LIBRARY, after=after)[0] == rest


def test_instruments_are_filtered_by_family_and_name(enrolled: InstrumentIndex) -> None:
    def names(**filters: str) -> list[str]:
        return [one.name for one in enrolled.instruments.page(LIBRARY, **filters)[0]]  # type: ignore[arg-type]

    assert names(family="bass") == ["Variation Bass"]
    assert names(family="guitar") == []
    assert names(search="RI") == ["Hollow Clarinet", "Bright Saw Lead", "Variation Bass"]
    assert names(search="ri", family="reed") == ["Hollow Clarinet"]
    assert names(search="%") == names(search="_") == []


def test_wrong_parameters_are_refused_with_value_and_limit(enrolled: InstrumentIndex) -> None:
    for limit in (0, -3):
        with pytest.raises(InvalidRequest, match=f"limit is {limit}"):
            enrolled.instruments.page(LIBRARY, limit=limit)
    for after in ("", "x", "-1", "1e3", "²", "9" * 30):
        with pytest.raises(InvalidRequest, match="after"):
            enrolled.instruments.page(LIBRARY, after=after)
    with pytest.raises(InvalidRequest) as caught:
        enrolled.instruments.page(LIBRARY, family="tuba")
    assert caught.value.value == "tuba"
    assert caught.value.limit == ", ".join(FAMILIES)


def test_an_instrument_and_its_preview(enrolled: InstrumentIndex) -> None:
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    assert enrolled.instruments.get(first.id) == first
    assert first.num_clips == 8
    path = enrolled.instruments.preview_path(first.id)
    assert path.suffix == ".mp3"
    assert path.stat().st_size > 1000
    path.unlink()
    with pytest.raises(InstrumentNotFound, match="Pure has no preview"):
        enrolled.instruments.preview_path(first.id)
    for act in (enrolled.instruments.get, enrolled.instruments.preview_path, enrolled.instruments.delete):
        with pytest.raises(InstrumentNotFound, match="i_nothing"):
            act("i_nothing")


def test_a_removed_instrument_is_found_no_more(enrolled: InstrumentIndex) -> None:
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    own = embeddings(enrolled)[first.id][None]
    assert enrolled.searchable(LIBRARY).search(own, 1)[0][0].instrument_id == first.id
    enrolled.instruments.delete(first.id)
    assert first.id not in {one.instrument_id for one in enrolled.searchable(LIBRARY).search(own, 99)[0]}
    assert enrolled.libraries.get(LIBRARY).num_instruments == 6
    assert enrolled.verify() == []


# Search


def test_a_search_equals_brute_force(enrolled: InstrumentIndex, queries: np.ndarray) -> None:
    vectors = embeddings(enrolled)
    for query, found in zip(queries, enrolled.searchable(LIBRARY).search(queries, 99), strict=True):
        expected = sorted(((float(vector @ query), one) for one, vector in vectors.items()), reverse=True)
        assert [one.instrument_id for one in found] == [one for _, one in expected]
        assert [one.similarity for one in found] == pytest.approx([score for score, _ in expected], abs=1e-6)
    assert [len(found) for found in enrolled.searchable(LIBRARY).search(queries, 2)] == [2, 2, 2]


def test_each_column_of_the_cosines_belongs_to_its_row(
    enrolled: InstrumentIndex, queries: np.ndarray
) -> None:
    (first, second, *_), _ = enrolled.instruments.page(LIBRARY)
    enrolled.instruments.delete(first.id)
    enrolled.instruments.delete(second.id)
    enrolled.instruments.restore(first.id)  # its vector is added after those of later instruments
    vectors = enrolled.searchable(LIBRARY)
    infos, _ = enrolled.instruments.page(LIBRARY)
    assert [(row.instrument_id, row.name, row.family, row.source) for row in vectors.rows] == [
        (one.id, one.name, one.family, one.source) for one in infos
    ]
    held = embeddings(enrolled)
    expected = [[float(held[row.instrument_id] @ query) for row in vectors.rows] for query in queries]
    assert np.allclose(vectors.cosines(queries), expected, atol=1e-6)
    best = [hits[0] for hits in enrolled.searchable(LIBRARY).search(queries, 1)]
    ranked = vectors.cosines(queries).argmax(axis=1)
    assert [one.instrument_id for one in best] == [vectors.rows[j].instrument_id for j in ranked]


def test_only_instruments_that_are_shown_are_candidates(
    enrolled: InstrumentIndex, queries: np.ndarray
) -> None:
    vectors = enrolled.searchable(LIBRARY)
    of_family = {name: np.array([row.family == name for row in vectors.rows]) for name in ("reed", "guitar")}
    assert {one.name for one in vectors.search(queries, 9, of_family["reed"])[0]} == {"Hollow Clarinet"}
    assert vectors.search(queries, 9, of_family["guitar"]) == [[], [], []]


def test_every_instrument_finds_itself_first_and_is_not_similar_to_itself(enrolled: InstrumentIndex) -> None:
    for instrument_id, vector in embeddings(enrolled).items():
        first = enrolled.searchable(LIBRARY).search(vector[None], 1)[0][0]
        assert first.instrument_id == instrument_id
        assert first.similarity == pytest.approx(1.0, abs=1e-5)
        similar = enrolled.similar(instrument_id, 3)
        assert len(similar) == 3
        assert instrument_id not in {one.instrument_id for one in similar}
    assert len(enrolled.similar(instrument_id, 99)) == 6


def test_empty_and_unknown_libraries_are_refused(index: InstrumentIndex, queries: np.ndarray) -> None:
    index.libraries.create("empty")
    with pytest.raises(LibraryEmpty, match="'empty' has no instruments"):
        index.searchable("empty").search(queries, 1)
    with pytest.raises(LibraryNotFound):
        index.searchable("nowhere").search(queries, 1)
    other = open_as_other(index)
    with pytest.raises(LibraryEmpty):  # it may still be filled by any encoder
        other.searchable("empty").search(queries, 1)
    other.close()


def test_a_library_of_another_encoder_is_listed_but_not_searched(
    enrolled: InstrumentIndex, queries: np.ndarray
) -> None:
    other = open_as_other(enrolled)
    before = vector_file(enrolled).read_bytes()
    other.open()
    library = other.libraries.get(LIBRARY)
    (first, *_), _ = other.instruments.page(LIBRARY)
    for act in (
        lambda: other.searchable(LIBRARY).search(queries, 1),
        lambda: other.similar(first.id, 1),
        lambda: other.rebuild(LIBRARY),
    ):
        with pytest.raises(EncoderMismatch, match="showme index reembed") as caught:
            act()
        assert (caught.value.value, caught.value.limit) == (library.encoder_hash, "sha256:other")
    assert any("another encoder" in fault for fault in other.verify())
    other.instruments.delete(first.id)
    other.close()
    assert vector_file(enrolled).read_bytes() == before
    assert (
        enrolled.searchable(LIBRARY).search(queries, 99)[0][0].instrument_id != first.id
    )  # the owner reconciles
