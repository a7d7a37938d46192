"""A library of another encoder is embedded again: as if enrolled anew, but with its ids, corrections and deletions."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from index import reembed as reembedding
from index.catalog import OtherEmbedding
from index.enroll import enroll
from index.instrument_index import InstrumentIndex
from index.reembed import ReembedReport, reembed
from index.sources.opening import open_source
from models.encoder_pair import EncoderPair
from models.errors import EncoderMismatch, LibraryNotFound
from tests.encoders import random_pair, random_pair_of
from tests.index.conftest import (
    LIBRARY,
    NAMES,
    CountingPair,
    by_name,
    embeddings,
    forget_sources,
    names_found,
    open_index,
)
from tests.index.test_enroll_cut_off import Killed, cut_at
from tests.index.tone_pair import TonePair


def test_it_equals_a_new_enrollment(
    new: InstrumentIndex, newer: EncoderPair, samples: Path, tmp_path: Path
) -> None:
    assert new.libraries.get(LIBRARY).state == "stale"
    report = reembed(new, newer, LIBRARY)
    assert report == ReembedReport(4, 0, [], [])
    again = open_index(tmp_path / "again", newer)
    enroll(again, newer, again.libraries.create(LIBRARY).id, open_source(samples))
    expected, found = embeddings(again), embeddings(new)
    assert expected.keys() == found.keys()
    for name in NAMES:
        assert np.allclose(expected[name], found[name], atol=1e-6)
    query = np.eye(newer.embedding_dim, dtype=np.float32)
    hits = [[hit.name for hit in row] for row in new.searchable(LIBRARY).search(query, 9)]
    assert hits == [[hit.name for hit in row] for row in again.searchable(LIBRARY).search(query, 9)]
    assert new.verify() == []
    again.close()


def test_ids_corrections_deletions_and_order_are_kept(old: InstrumentIndex, newer: EncoderPair) -> None:
    ids = by_name(old)
    old.instruments.correct(ids["Bass"], {"name": "Mine", "family": "synth_lead"})
    old.instruments.delete(ids["Flute"])
    before = [(row.id, row.name, row.family, row.source) for row in old.instruments.page(LIBRARY)[0]]
    new = open_index(old.folder.root, newer)
    reembed(new, newer, LIBRARY)
    after = new.instruments.page(LIBRARY)[0]
    assert [(row.id, row.name, row.family, row.source) for row in after] == before
    assert {row.encoder_hash for row in after} == {newer.encoder_hash}
    assert names_found(new) == {"Mine", "Lead", "Organ"}
    assert new.instruments.restore(ids["Flute"]).id == ids["Flute"]
    assert new.libraries.get(LIBRARY).state == "partly stale"
    assert reembed(new, newer, LIBRARY).num_updated == 1
    assert names_found(new) == {"Mine", "Lead", "Organ", "Flute"}
    assert [one.name for one in new.maps.get(new.libraries.get(LIBRARY).id)[0]] == [
        *("Mine", "Flute", "Lead", "Organ"),
    ]
    new.close()


def test_an_encoder_of_another_dimension(new: InstrumentIndex, newer: EncoderPair) -> None:
    tones = TonePair()
    index = open_index(new.folder.root, tones)
    assert reembed(index, tones, LIBRARY).num_updated == 4
    assert names_found(index) == set(NAMES)
    assert len(index.maps.get(index.libraries.get(LIBRARY).id)[0]) == 4
    assert index.verify() == []
    with pytest.raises(EncoderMismatch):
        new.searchable(LIBRARY)
    index.close()


@pytest.mark.parametrize("done", [0, 3])
@pytest.mark.parametrize("killed", [False, True])
def test_what_is_cut_off_changes_nothing_and_goes_on_where_it_was(
    old: InstrumentIndex, new: InstrumentIndex, newer: CountingPair, done: int, killed: bool
) -> None:
    before, hits = embeddings(old), names_found(old)
    asked: list[bool] = []

    def stop() -> None:
        asked.append(True)
        if killed:
            raise Killed

    try:
        report = reembed(new, newer, LIBRARY, progress=cut_at(done, stop), cancelled=lambda: bool(asked))
        assert report.cancelled
    except Killed:
        assert killed
    assert newer.count == done
    for name, found in embeddings(old).items():
        assert (found == before[name]).all()
    assert names_found(open_index(old.folder.root, random_pair())) == hits
    assert old.verify() == []
    again = open_index(new.folder.root, newer)
    steps: list[tuple[int, int, str]] = []
    assert reembed(again, newer, LIBRARY, progress=lambda *step: steps.append(step)).num_updated == 4
    assert steps[0] == (done, 4, "")
    assert newer.count == 4
    assert again.verify() == []
    assert waiting(again) == 0
    again.close()


def waiting(index: InstrumentIndex) -> int:
    """The number of new embeddings that wait to replace the old ones."""
    others = select(func.count()).select_from(OtherEmbedding)
    with index.catalog.session() as session:
        return session.scalar(others.where(OtherEmbedding.encoder_hash == index.encoder_hash)) or 0


def test_a_kill_while_replacing_leaves_the_old_embeddings(
    old: InstrumentIndex, new: InstrumentIndex, newer: EncoderPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, replace = embeddings(old), reembedding._replace_batch
    calls: list[object] = []

    def replace_twice(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise Killed
        replace(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(reembedding, "_BATCH", 1)
    monkeypatch.setattr(reembedding, "_replace_batch", replace_twice)
    with pytest.raises(Killed):
        reembed(new, newer, LIBRARY)
    for name, found in embeddings(old).items():
        assert (found == before[name]).all()
    assert names_found(old) == set(NAMES)
    assert waiting(new) == 4
    monkeypatch.undo()
    assert reembed(new, newer, LIBRARY).num_updated == 4


def test_what_a_third_encoder_began_with_is_not_taken(
    new: InstrumentIndex, newer: CountingPair, tmp_path: Path
) -> None:
    third = random_pair_of(CountingPair, seed=2)
    index = open_index(new.folder.root, third)
    reembed(index, third, LIBRARY, cancelled=lambda: third.count == 2)
    assert waiting(index) == 2
    assert reembed(new, newer, LIBRARY).num_updated == 4
    assert newer.count == 4
    assert new.verify() == []
    index.close()


def test_a_library_that_is_up_to_date_is_left_alone(old: InstrumentIndex, pair: EncoderPair) -> None:
    before = old.libraries.revision(LIBRARY)
    assert reembed(old, pair, LIBRARY) == ReembedReport(0, 0, [], [])
    assert old.libraries.revision(LIBRARY) == before
    empty = old.libraries.create("empty")
    assert reembed(old, pair, empty.id) == ReembedReport(0, 0, [], [])


def test_the_old_encoder_finds_its_embeddings_again(
    old: InstrumentIndex, new: InstrumentIndex, newer: CountingPair, samples: Path
) -> None:
    """As after trying other weights, with one instrument that they never reached, and no source left."""
    before, flute = embeddings(old), by_name(old)["Flute"]
    forget_sources(new)
    old.instruments.delete(flute)
    assert reembed(new, newer, LIBRARY).num_from_previews == 3
    new.instruments.restore(flute)
    assert (old.libraries.get(LIBRARY).state, new.libraries.get(LIBRARY).state) == ("stale", "partly stale")
    older = random_pair_of(CountingPair)
    assert reembed(old, older, LIBRARY) == ReembedReport(3, 0, [], [])
    assert older.count == 0
    for name, found in embeddings(old).items():
        assert (found == before[name]).all()
    assert names_found(old) == set(NAMES)
    assert old.libraries.get(LIBRARY).num_from_previews == 0
    assert old.verify() == []
    assert reembed(new, newer, LIBRARY).num_updated == 4
    assert newer.count == 4  # only the flute was new


def test_embeddings_of_one_earlier_encoder_are_kept(new: InstrumentIndex, newer: EncoderPair) -> None:
    reembed(new, newer, LIBRARY)
    third = random_pair(seed=2)
    index = open_index(new.folder.root, third)
    reembed(index, third, LIBRARY)
    with index.catalog.session() as session:
        kept = session.scalars(select(OtherEmbedding.encoder_hash)).all()
    assert list(kept) == [newer.encoder_hash] * 4
    index.close()


def test_changes_made_meanwhile_are_kept(
    old: InstrumentIndex, new: InstrumentIndex, newer: EncoderPair
) -> None:
    ids = by_name(old)

    def change() -> None:
        new.instruments.correct(ids["Bass"], {"name": "Deep"})
        new.instruments.delete(ids["Organ"])

    assert reembed(new, newer, LIBRARY, progress=cut_at(2, change)).num_updated == 4
    assert names_found(new) == {"Deep", "Flute", "Lead"}
    new.instruments.restore(ids["Organ"])
    assert names_found(new) == {
        "Deep",
        "Flute",
        "Lead",
        "Organ",
    }  # it was embedded before or after its deletion


def test_a_library_deleted_meanwhile_comes_back_stale(new: InstrumentIndex, newer: EncoderPair) -> None:
    library = new.libraries.get(LIBRARY)
    with pytest.raises(LibraryNotFound):
        reembed(new, newer, LIBRARY, progress=cut_at(2, lambda: new.libraries.delete(LIBRARY)))
    assert new.libraries.restore(library.id) == library
    assert reembed(new, newer, LIBRARY).num_updated == 4


def test_a_foreign_pair_and_an_unknown_library_are_refused(new: InstrumentIndex, newer: EncoderPair) -> None:
    with pytest.raises(LibraryNotFound):
        reembed(new, newer, "nowhere")
    with pytest.raises(EncoderMismatch, match="opened for another encoder"):
        reembed(new, random_pair(seed=9), LIBRARY)
