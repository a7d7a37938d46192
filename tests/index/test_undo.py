"""Other processes see deletions, restorations and corrections at once; a downgrade removes deleted rows."""

from pathlib import Path

import numpy as np
import pytest
from alembic import command
from numpy.typing import NDArray
from sqlalchemy import inspect, select

from index.catalog import Clip, Instrument, Library
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.migrations import CONNECTION, alembic_config
from models.encoder_pair import EncoderPair
from models.errors import EncoderMismatch, LibraryNotFound
from tests.encoders import random_pair
from tests.index.conftest import LIBRARY, open_index, vector_file
from tests.index.fake_source import FakeInstrument, FakeSource

pytestmark = pytest.mark.both_databases


def names(index: InstrumentIndex, queries: np.ndarray, shown: NDArray[np.bool_] | None = None) -> set[str]:
    return {one.name for one in index.searchable(LIBRARY).search(queries, 99, shown)[0]}


def test_every_change_is_noticed_by_the_next_search_of_another_process(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray
) -> None:
    other = open_index(enrolled.folder.root, pair)
    everything = names(enrolled, queries)
    (first, second, *_), _ = enrolled.instruments.page(LIBRARY)
    other.instruments.delete(first.id)
    assert names(enrolled, queries) == everything - {first.name}
    other.instruments.correct(second.id, {"name": "Renamed", "family": "vocal"})
    vocal = np.array([row.family == "vocal" for row in enrolled.searchable(LIBRARY).rows])
    assert names(enrolled, queries, vocal) == {"Renamed"}
    other.instruments.restore(first.id)
    assert names(enrolled, queries) == everything - {second.name} | {"Renamed"}
    library = other.libraries.delete(LIBRARY)
    with pytest.raises(LibraryNotFound):
        enrolled.searchable(LIBRARY).search(queries, 1)
    with pytest.raises(LibraryNotFound):
        enrolled.vectors.get(library.id, 10**6)
    other.libraries.restore(library.id)
    assert names(enrolled, queries) == names(other, queries)
    assert enrolled.verify() == []
    other.close()


def test_a_stale_vector_file_does_not_bring_back_what_is_deleted(
    enrolled: InstrumentIndex, pair: EncoderPair, queries: np.ndarray
) -> None:
    """A kill between the commit and saving the vectors leaves such files, after a deletion or a restoration."""
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    whole = vector_file(enrolled).read_bytes()
    enrolled.instruments.delete(first.id)
    without = vector_file(enrolled).read_bytes()
    vector_file(enrolled).write_bytes(whole)
    again = open_index(enrolled.folder.root, pair)
    assert first.name not in names(again, queries)
    again.instruments.restore(first.id)
    vector_file(enrolled).write_bytes(without)
    once_more = open_index(enrolled.folder.root, pair)
    assert first.name in names(once_more, queries)
    assert once_more.verify() == []
    for index in (again, once_more):
        index.close()


def test_a_change_that_is_none_raises_no_revision(enrolled: InstrumentIndex) -> None:
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    before = enrolled.libraries.revision(LIBRARY)
    assert enrolled.instruments.correct(first.id, {"name": first.name, "family": first.family}) == first
    enrolled.instruments.restore(first.id)
    enrolled.libraries.restore(first.library_id)
    assert enrolled.libraries.revision(LIBRARY) == before
    enrolled.instruments.correct(first.id, {"family": "vocal"})
    assert enrolled.libraries.revision(LIBRARY) == before + 1


def test_what_is_restored_into_a_library_of_another_encoder_is_stale(
    index: InstrumentIndex, pair: EncoderPair, few: FakeSource
) -> None:
    library = index.libraries.create("Lib")
    first, *others = enroll(index, pair, library.id, few).added
    for one in (first, *others):
        index.instruments.delete(one.id)
    other_pair = random_pair(seed=1)
    other = open_index(index.folder.root, other_pair)
    (added,) = enroll(other, other_pair, library.id, FakeSource(FakeInstrument("Other"))).added
    assert other.instruments.restore(first.id) == first
    query = np.ones((1, index.embedding_dim), np.float32)
    assert [one.instrument_id for one in other.searchable(library.id).search(query, 9)[0]] == [added.id]
    assert (other.libraries.get(library.id).state, index.libraries.get(library.id).state) == (
        "partly stale",
        "stale",
    )
    with pytest.raises(EncoderMismatch, match="'Pure' was embedded with another encoder"):
        other.similar(first.id, 1)
    other.instruments.delete(added.id)
    with pytest.raises(EncoderMismatch, match="showme index reembed Lib"):
        other.searchable(library.id)
    other.close()


def test_going_down_takes_what_is_deleted_and_no_vector_id_comes_back(enrolled: InstrumentIndex) -> None:
    rows, _ = enrolled.instruments.page(LIBRARY)
    for row in rows[-2:]:
        enrolled.instruments.delete(row.id)
    enrolled.libraries.create("Gone")
    enrolled.libraries.delete("Gone")
    config = alembic_config()
    with enrolled.catalog.database.altering() as connection:
        config.attributes[CONNECTION] = connection
        command.downgrade(config, "0002")
    columns = {column["name"] for column in inspect(enrolled.catalog.engine).get_columns("instrument")}
    assert "deleted_at" not in columns
    enrolled.catalog.migrate()
    with enrolled.catalog.session() as session:
        kept = session.scalars(select(Instrument)).all()
        assert [row.name for row in kept] == [row.name for row in rows[:-2]]
        assert {(row.deleted_at, row.name_corrected, row.source_name == row.name) for row in kept} == {
            (None, False, True)
        }
        assert session.scalars(select(Library.name)).all() == [LIBRARY]
        assert len(session.scalars(select(Clip)).all()) == sum(row.num_clips for row in kept)
    assert list(enrolled.catalog.database.faults()) == []
    with enrolled.catalog.write() as session:
        last = kept[-1]
        fresh = Instrument(library_id=last.library_id, name="Fresh", source="test", num_clips=1)
        fresh.encoder_hash, fresh.embedding = last.encoder_hash, last.embedding
        session.add(fresh)
        session.flush()
        assert fresh.vector_id == 8


def test_purging_is_for_good(enrolled: InstrumentIndex, pair: EncoderPair, tmp_path: Path) -> None:
    (first, *_), _ = enrolled.instruments.page(LIBRARY)
    enrolled.instruments.delete(first.id)
    enrolled.libraries.undo_seconds = 0
    enrolled.libraries.purge()
    enrolled.libraries.purge()
    with enrolled.catalog.session() as session:
        assert session.scalars(select(Instrument.id).where(Instrument.id == first.id)).first() is None
    assert not enrolled.folder.preview_file(first.id).exists()
    assert enrolled.verify() == []
