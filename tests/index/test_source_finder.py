"""A stale library is embedded from its sources, wherever they are now, else from its previews, else not at all."""

import shutil
from pathlib import Path

import numpy as np

from index.instrument_index import InstrumentIndex
from index.reembed import ReembedReport, reembed
from index.source_finder import GivenSource
from index.sources.opening import open_source
from models.encoder_pair import EncoderPair
from tests.encoders import random_pair
from tests.index.conftest import LIBRARY, NAMES, by_name, embeddings, forget_sources, names_found, open_index


def test_one_whose_source_is_gone_is_named_and_not_searched(
    new: InstrumentIndex, newer: EncoderPair, samples: Path
) -> None:
    flute = (samples / "Flute.wav").rename(samples.parent / "Flute.wav")
    report = reembed(new, newer, LIBRARY)
    assert report.num_updated == 3
    assert report.skipped == [("Flute", "samples/Flute.wav is not in its source any more")]
    library = new.libraries.get(LIBRARY)
    assert (library.state, library.num_stale, library.num_instruments) == ("partly stale", 1, 4)
    assert names_found(new) == set(NAMES) - {"Flute"}
    assert len(new.maps.get(library.id)[0]) == 3
    assert [fault for fault in new.verify() if "Flute" not in fault] == []
    flute.rename(samples / "Flute.wav")
    assert reembed(new, newer, LIBRARY) == ReembedReport(1, 0, [], [])
    assert names_found(new) == set(NAMES)


def test_a_library_whose_source_is_gone_stays_as_it_was(
    old: InstrumentIndex, new: InstrumentIndex, newer: EncoderPair, samples: Path
) -> None:
    before = embeddings(old)
    moved = samples.rename(samples.parent / "elsewhere")
    report = reembed(new, newer, LIBRARY)
    assert (report.num_updated, report.lost) == (0, [samples])
    assert report.skipped == [(name, "its source is not there any more") for name in NAMES]
    assert new.libraries.get(LIBRARY).state == "stale"
    for name, found in embeddings(old).items():
        assert (found == before[name]).all()
    samples.mkdir()
    for path in moved.iterdir():
        shutil.move(path, samples)
    assert reembed(new, newer, LIBRARY).num_updated == 4


def test_a_source_at_another_place_is_given_and_remembered(
    new: InstrumentIndex, newer: EncoderPair, samples: Path, tmp_path: Path
) -> None:
    (there := tmp_path / "there").mkdir()
    moved = samples.rename(there / samples.name)
    given = [GivenSource(moved, open_source(moved))]
    assert reembed(new, newer, LIBRARY, given=given).num_updated == 4
    third = random_pair(seed=2)
    index = open_index(new.folder.root, third)
    assert reembed(index, third, LIBRARY).num_updated == 4
    index.close()


def test_previews_serve_where_sources_were_not_recorded_until_they_are_given(
    new: InstrumentIndex, newer: EncoderPair, samples: Path
) -> None:
    forget_sources(new)
    assert reembed(new, newer, LIBRARY) == ReembedReport(4, 4, [], [])
    library = new.libraries.get(LIBRARY)
    assert (library.state, library.num_from_previews) == ("ready", 4)
    from_previews, vectors = embeddings(new), new.searchable(LIBRARY)
    assert reembed(new, newer, LIBRARY) == ReembedReport(0, 0, [], [])
    given = [GivenSource(samples, open_source(samples))]
    assert reembed(new, newer, LIBRARY, given=given) == ReembedReport(4, 0, [], [])
    assert new.libraries.get(LIBRARY).num_from_previews == 0
    assert new.verify() == []  # the same encoder and ids, yet not the old vector file
    again = open_index(new.folder.root, newer)
    ids = again.searchable(LIBRARY).store.ids
    assert not np.allclose(
        again.searchable(LIBRARY).store.vectors(ids), vectors.store.vectors(ids), atol=1e-4
    )
    assert any(not np.allclose(from_previews[name][0], found[0]) for name, found in embeddings(new).items())
    again.close()


def test_previews_serve_for_lost_sources_only_when_asked(
    new: InstrumentIndex, newer: EncoderPair, samples: Path
) -> None:
    moved = samples.rename(samples.parent / "away")
    assert reembed(new, newer, LIBRARY).num_updated == 0
    assert reembed(new, newer, LIBRARY, use_previews=True).num_from_previews == 4
    assert reembed(new, newer, LIBRARY) == ReembedReport(0, 0, [], [samples])
    moved.rename(samples)
    assert reembed(new, newer, LIBRARY) == ReembedReport(4, 0, [], [])


def test_without_source_and_preview_there_is_nothing_to_embed(
    new: InstrumentIndex, newer: EncoderPair
) -> None:
    forget_sources(new)
    new.folder.preview_file(by_name(new)["Lead"]).unlink()
    report = reembed(new, newer, LIBRARY)
    assert report.skipped == [("Lead", "neither its source nor a preview was kept")]
    assert report.num_updated == 3
